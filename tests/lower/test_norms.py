"""The norm that follows a convolution: which one, with whose settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.ops import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Op
from compiler.pipeline import draft_graph

NETWORK = """
network: net
params: {{g: 4}}
input: {{image: [3, 8, 8]}}
defaults: {{{defaults}}}
layers:
  - {{conv: 3x3, filters: 8, norm: {norm}, name: c}}
"""


def drafted(folder: Path, norm: str, defaults: str = "") -> tuple[Op | None, list[str]]:
    path = folder / "net.yaml"
    path.write_text(NETWORK.format(norm=norm, defaults=defaults))
    graph, report, _ = draft_graph(path)
    node = graph.nodes.get("c.norm")
    errors = [d for d in report.diagnostics if d.severity == "error"]
    found = [f"{d.message}; {d.help}" for d in errors]
    return node.op if node else None, found


@pytest.mark.parametrize(
    ("norm", "defaults", "made"),
    [
        ("batch_norm", "batch_norm: {eps: 1e-3}", BatchNorm(1e-3)),
        ("layer_norm", "", LayerNorm(1e-5)),
        ("layer_norm", "layer_norm: {eps: 1e-6, shift: false}", LayerNorm(1e-6, shift=False)),
        ("instance_norm", "instance_norm: {scale: true}", InstanceNorm(scale=True)),
        ("{group_norm: 2}", "", GroupNorm(2)),
        ("{group_norm: g}", "group_norm: {eps: 0.01}", GroupNorm(4, 0.01)),
        ("{group_norm: prev.channels}", "", GroupNorm(3)),
    ],
)
def test_norm_of_a_convolution(tmp_path: Path, norm: str, defaults: str, made: Op) -> None:
    op, found = drafted(tmp_path, norm, defaults)
    assert op == made
    assert not [line for line in found if "3 groups" not in line]


def test_norm_by_default(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = NETWORK.replace(", norm: {norm}", "")
    path.write_text(text.format(defaults="conv: {norm: {group_norm: g}}"))
    graph = draft_graph(path)[0]
    assert graph.nodes["c.norm"].op == GroupNorm(4)
    assert graph.nodes["c.conv"].op.parameter_names == ("weight",)


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        (
            "group_norm",
            "`norm` of `conv`: `group_norm` does not say how many groups it has; "
            "write `norm: {group_norm: 32}`",
        ),
        (
            "layernorm",
            "`norm` of `conv`: there is no norm `layernorm` (did you mean `layer_norm`?); "
            "one of `none`, `batch_norm`, `layer_norm`, `instance_norm`",
        ),
        (
            "{layer_norm: true}",
            "`norm` of `conv`: expected a norm, found a mapping; "
            "one of none, batch_norm, layer_norm, instance_norm, or `{group_norm: 32}`",
        ),
        (
            "{group_norm: 3}",
            "`c.norm`: 8 channels cannot be split into 3 groups (8 % 3 = 2); "
            "choose groups that divide 8",
        ),
        ("{group_norm: 0}", "`group_norm` of `norm` = 0 is less than 1; "),
    ],
)
def test_norm_that_is_none(tmp_path: Path, norm: str, message: str) -> None:
    assert message in drafted(tmp_path, norm)[1]
