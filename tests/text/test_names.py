"""What a layer gets as its name when it is given none is a name that it may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import draft_graph
from compiler.spec import LAYERS
from compiler.spec.naming import automatic_name
from compiler.text.names import read_layer_name

MADE = ["body", "shortcut", "scale", "add", "act", "concat", "conv", "linear", "norm", "broken"]
"""Names that the lowering gives to parts of a layer."""


@pytest.mark.parametrize("name", [*MADE, *LAYERS])
def test_an_automatic_name_is_allowed(name: str) -> None:
    assert read_layer_name(automatic_name(name, None) or name) == name


@pytest.mark.parametrize(
    ("ref", "help"),
    [
        ("z", "in reach are `image`, `q`, `part`, `relu`"),
        ("part.z", "inside `part` are `part.r`, `part.tanh`"),
    ],
)
def test_names_that_stand_in_for_wrong_ones_are_not_offered(
    ref: str, help: str, tmp_path: Path
) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(
        "network: t\ninput: {image: [3, 8, 8]}\nlayers:\n"
        "  - {relu: true, name: q}\n  - {relu: true, name: q}\n  - [relu]\n"
        "  - {layers: [{relu: true, name: r}, {relu: true, name: r}, tanh], name: part}\n"
        f"  - {{relu: true, from: {ref}}}\n"
    )
    (found,) = [d for d in draft_graph(spec)[1].errors if d.code == "unknown-layer"]
    assert found.help == help
