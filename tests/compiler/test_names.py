"""What a layer gets as its name when it is given none is a name that it may have."""

from __future__ import annotations

import pytest

from compiler.spec import LAYERS
from compiler.spec.naming import automatic_name
from compiler.text.names import read_layer_name

MADE = ["body", "shortcut", "scale", "add", "act", "concat", "conv", "linear", "norm", "broken"]
"""Names that the lowering gives to parts of a layer."""


@pytest.mark.parametrize("name", [*MADE, *LAYERS])
def test_an_automatic_name_is_allowed(name: str) -> None:
    assert read_layer_name(automatic_name(name, None) or name) == name
