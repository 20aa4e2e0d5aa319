"""Layers that share parameters: what is said where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.pipeline import draft_graph, load_graph

HEAD = """network: t
input: {image: [3, 8, 8]}
layers:
  - {conv: 3x3, filters: 3, name: a}
  - {layers: [{conv: 3x3, filters: 4}, relu], name: c}
"""
ALIKE = "layers that share parameters have the same op, attributes and input channels"
INSIDE = "layers inside share by name; those with parameters are "
TAKES = "cannot use the parameters of"


@pytest.mark.parametrize(
    ("layer", "message", "help"),
    [
        ("{conv: 3x3, filters: 3, from: image, stride: 2, share: a}",
         f"`conv_3x3` {TAKES} `a`: `stride` is 2x2, not 1x1", ALIKE),
        ("{conv: 1x3, filters: 5, padding: V, bias: false, share: a}",
         f"`conv_1x3` {TAKES} `a`: `filters` is 5, not 3; `conv` is 1x3, not 3x3; "
         "`padding` is V, not same; `bias` is false, not true", ALIKE),
        ("{conv: 3x3, filters: 3, share: a}",
         f"`conv_3x3` {TAKES} `a`: it receives 4 channels, not 3", ALIKE),
        ("{batch_norm: true, share: a}",
         f"`batch_norm` {TAKES} `a`: it is a BatchNorm, not a Conv2d", ALIKE),
        ("{conv: 3x3, filters: 4, share: c}",
         f"`conv_3x3` {TAKES} `c`: that holds several layers", f"{INSIDE}`c.conv_3x3`"),
        ("{layers: [{conv: 3x3, filters: 4, name: conv_3x4}], from: a, share: c, name: d}",
         f"`d.conv_3x4` {TAKES} `c.conv_3x4`: there is no layer `c.conv_3x4` "
         "(did you mean `c.conv_3x3`?)", f"{INSIDE}`c.conv_3x3`"),
        ("{layers: [{conv: 3x3, filters: 4, name: q}], share: a, name: d}",
         f"`d.q` {TAKES} `a.q`: there is no layer `a.q`", f"{INSIDE}`a`"),
        ("{conv: 3x3, filters: 4, share: c.conv_3x4}",
         "there is no layer `c.conv_3x4` to share with (did you mean `c.conv_3x3`?)",
         "inside `c` are `c.conv_3x3`, `c.relu`"),
        ("{conv: 3x3, filters: 4, share: q}", "there is no layer `q` to share with",
         "in reach are `image`, `a`, `c`, `conv_3x3`"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared(layer: str, message: str, help: str, tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    spec.write_text(f"{HEAD}  - {layer}\n")
    (found,) = draft_graph(spec)[1].errors
    assert (found.message, found.help, found.span.line) == (message, help, 6)


def test_a_block_that_nothing_uses_may_share(tmp_path: Path) -> None:
    spec = tmp_path / "t.yaml"
    block = "{layers: [{conv: 3x3, filters: 4, name: a}, {conv: 3x3, filters: 4, share: a}]}"
    spec.write_text(f"{HEAD}blocks: {{b: {block}}}\n")
    load_graph(spec)
