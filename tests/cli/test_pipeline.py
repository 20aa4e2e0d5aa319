"""The stages of a compilation: what each command can print of them, and what runs for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.cli.main import parser_for
from compiler.errors import CompileError
from compiler.pipeline import STAGES, Compilation


def stages_of(command: str) -> list[str]:
    parser = parser_for([command])
    (sub,) = (a.choices[command] for a in parser._actions if isinstance(a.choices, dict))
    return next(list(a.choices) for a in sub._actions if a.dest == "emit")


def test_commands_print_stages_of_the_one_pipeline() -> None:
    offered = stages_of("check") + stages_of("build")
    assert set(offered) == set(STAGES)


def test_a_stage_runs_nothing_after_it() -> None:
    compilation = Compilation("inception_v4")
    assert STAGES["graph"](compilation).startswith("network inception_v4(classes=1000) ")
    assert {"spec", "draft"} == {"spec", "draft", "target", "optimized"} & set(vars(compilation))


def test_a_compilation_that_cannot_go_on_raises_each_diagnostic_once(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("network: x\ninput: {image: [3, 8, 8]}\nlayers:\n  - {conv: 3x3, colour: 1}\n")
    compilation = Compilation(spec)
    for _ in range(2):
        with pytest.raises(CompileError) as caught:
            compilation.graph  # noqa: B018  # to read a stage is to run it
        assert caught.value.diagnostics == compilation.diagnostics
        assert len(compilation.diagnostics) == len(set(compilation.diagnostics)) > 0
