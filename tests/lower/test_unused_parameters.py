"""A parameter that a layer speaks of is used, whether the layer is built or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import draft_graph

HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"
TWO_ARMS = "  arm:\n    params: {wide: false, n: 4}\n    layers:\n"
READ = {
    "left out by a parameter": HEAD
    + "params: {wide: false, k: {type: kernel, default: 3x5}}\n"
    + "layers:\n  - {conv: 1x1, filters: 2}\n  - {conv: k, filters: 4, when: wide}\n",
    "left out for good": HEAD
    + "params: {n: 4}\nlayers:\n  - {conv: 1x1, filters: 2}\n"
    + "  - {conv: 1x1, filters: 2 * n, when: false}\n",
    "no copies": HEAD
    + "params: {n: 4}\nlayers:\n  - {conv: 1x1, filters: 2}\n"
    + "  - {layers: [{conv: 1x1, filters: n}], repeat: 0}\n",
    "inside what is left out": HEAD
    + "params: {wide: false, act: {type: activation, default: relu}}\nlayers:\n"
    + "  - {conv: 1x1, filters: 2}\n  - branches: {a: [{conv: 1x1, filters: 2, activation: act}],"
    + " b: []}\n    join: concat\n    when: wide\n",
    "an argument": HEAD
    + "params: {wide: false, n: 4}\nblocks:\n  arm:\n    params: {m: 4}\n"
    + "    layers: [{conv: 1x1, filters: m}]\nlayers:\n  - {conv: 1x1, filters: 2}\n"
    + "  - {block: arm, with: {m: n}, when: wide}\n",
    "in a block": HEAD
    + "blocks:\n"
    + TWO_ARMS
    + "      - {conv: 1x1, filters: 2}\n      - {conv: 1x1, filters: n, when: wide}\n"
    + "layers: [{block: arm}]\n",
    "by the block that one extends": HEAD
    + "blocks:\n  arm:\n    params: {n: 2}\n    layers: [{conv: 1x1, filters: 4, repeat: n}]\n"
    + "  one:\n    extends: arm\n    changes: [{set: conv_1x1, name: conv_1x1, repeat: 1}]\n"
    + "layers: [{block: arm}, {block: one}]\n",
    "by the block that a change is made in": (
        "extends: zoo/resnet18\nchanges: [{set: layer1.more, repeat: 0}]\n"
    ),
}
UNREAD = {
    "the name of a layer": (
        HEAD + "params: {n: 4}\nlayers:\n  - {conv: 1x1, filters: 2, name: n}\n"
        "  - {conv: 1x1, filters: 2, from: n, when: false}\n",
        "nothing in the network uses the parameter `n`",
    ),
    "a part of a longer name": (
        HEAD + "params: {n: 4}\nlayers:\n  - {conv: 1x1, filters: 2, name: m}\n"
        "  - {conv: 1x1, filters: m.channels + 1, when: false}\n",
        "nothing in the network uses the parameter `n`",
    ),
    "in a block": (
        HEAD + "blocks:\n" + TWO_ARMS + "      - {conv: 1x1, filters: 2}\n"
        "      - {conv: 1x1, filters: 3, when: wide}\nlayers: [{block: arm}]\n",
        "nothing in block `arm` uses the parameter `n`",
    ),
}


def findings(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Return the codes, messages and ways out of what is found in a spec."""
    (folder / "t.yaml").write_text(text)
    report = draft_graph(folder / "t.yaml")[1]
    return [(d.code, d.message, d.help) for d in report.diagnostics]


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_a_parameter_that_a_layer_speaks_of_is_used(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, text) == []


@pytest.mark.parametrize(("text", "message"), UNREAD.values(), ids=UNREAD)
def test_a_parameter_that_no_layer_speaks_of_is_unused(
    text: str, message: str, tmp_path: Path
) -> None:
    help = "take it out, or use it in an expression"
    assert findings(tmp_path, text) == [("unused-parameter", message, help)]
