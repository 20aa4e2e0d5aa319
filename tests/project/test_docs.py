"""Generated pages are what the code would write now."""

from __future__ import annotations

from compiler.spec import LAYERS
from docs.pages.op_table import main, op_table


def test_the_table_of_ops_is_fresh() -> None:
    assert main(["--check"]) == 0, "specs/README.md is stale: run `make docs`"


def test_every_op_is_in_the_table() -> None:
    table = op_table()
    assert [op for op in LAYERS if f"`{op}`" not in table] == []
