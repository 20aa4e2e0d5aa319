"""`assert:` in networks and blocks: what holds, what does not, and for which sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.pipeline import draft_graph

NET = """\
network: net
params: {n: 4, wide: false, act: relu}
let: {twice: 2 * n}
input: {image: [3, SIZE]}
blocks:
  unit:
    params: {k: {type: channels}}
    layers: [{conv: 3x3, filters: k, stride: 2, name: a}, {conv: 1x1, filters: k, name: b}]
    ASSERTED
layers:
  - {block: unit, name: u, with: {k: twice}}
  - {conv: 3x3, filters: n, name: last}
  - {branches: {one: [relu], two: [{conv: 1x1, filters: 2}]}, join: concat, name: ends}
ASSERT
"""


def findings(tmp_path: Path, whole: str = "", inside: str = "", size: str = "16, 16") -> list[str]:
    """Return messages and helps of what is found."""
    path = tmp_path / "net.yaml"
    text = NET.replace("ASSERTED", f"assert: {inside}" if inside else "")
    text = text.replace("ASSERT", f"assert: {whole}" if whole else "").replace("SIZE", size)
    path.write_text(text, encoding="utf-8")
    found = draft_graph(path)[1].diagnostics
    return [f"{d.message} ({d.help})" for d in found if d.code != "unused-parameter"]


@pytest.mark.parametrize(
    "asserted",
    [
        "out == 8x8x6",
        "u == 8x8x8 and last == 8x8x4",
        "u.a.height == in.height // 2",
        "ends.two == 8x8x2",
        "ends.two.channels < ends.channels",
        "in == 16x16x3",
        "image.width == 16",
        # 3 * 9 * 8 + 8, 8 * 8 + 8, 8 * 9 * 4 + 4, 4 * 2 + 2
        "parameters == 224 + 72 + 292 + 10",
        "parameters < 1e3",
        # the same without biases, at 64 positions
        "macs == 64 * (216 + 64 + 288 + 8)",
        "twice == 8 and act == relu",
        "not wide",
        "out == [8, 8, 6]",
        "out[0] == 8",
    ],
)
def test_it_holds(tmp_path: Path, asserted: str) -> None:
    assert findings(tmp_path, f'["{asserted}"]') == []


WAY_OUT = "correct the layers, or what is asserted of them"


@pytest.mark.parametrize(
    ("asserted", "message"),
    [
        ("out == 8x8x7", f"`out == 8x8x7` does not hold: `out` is 8x8x6 ({WAY_OUT})"),
        ("parameters < 500", f"`parameters < 500` does not hold: `parameters` is 598 ({WAY_OUT})"),
        ("macs > 1e5", f"`macs > 1e5` does not hold: `macs` is 36,864 ({WAY_OUT})"),
        (
            "u.channels == last.channels + n + 1",
            f"`u.channels == last.channels + n + 1` does not hold: `u.channels` is 8 and "
            f"`last.channels + n + 1` is 9 ({WAY_OUT})",
        ),
        ("wide", f"`wide` does not hold: `wide` is false ({WAY_OUT})"),
        ("false", f"`false` does not hold ({WAY_OUT})"),
        (
            "{that: n > 9, message: it is too narrow}",
            f"it is too narrow: `n > 9` does not hold: `n` is 4 ({WAY_OUT})",
        ),
        ("n", "`assert` n is 4, neither true nor false (compare it: `out == 8x8x1536`)"),
        (
            "lsat == 3",
            "`assert`: unknown name `lsat` (the parameters here are `n`, `wide`, `act`, `twice`)",
        ),
        (
            "{what: n > 9}",
            "an assertion has no key `what` (did you mean `that`?) (an assertion takes `that`, "
            "`message`)",
        ),
        (
            "3",
            "`that` of an assertion: expected true or false, found `3` ()",
        ),
    ],
)
def test_it_does_not_hold(tmp_path: Path, asserted: str, message: str) -> None:
    try:
        found = findings(tmp_path, f"[{asserted}]")
    except CompileError as error:
        found = [f"{d.message} ({d.help})" for d in error.diagnostics]
    assert found == [message]


def test_a_block_asserts_of_every_instance(tmp_path: Path) -> None:
    assert findings(tmp_path, "", "[out.channels == 8, a.height == in.height / 2, macs > 0]") == []
    assert findings(tmp_path, "", "[{that: k > in.channels * 3, message: widen it}]") == [
        "widen it: `k > in.channels * 3` does not hold: `k` is 8 and `in.channels * 3` is 9 "
        f"({WAY_OUT})"
    ]
    # 3 * 9 * 8 + 8 + 8 * 8 + 8, of the block alone
    assert findings(tmp_path, "", "[parameters == 296]") == []


@pytest.mark.parametrize(
    ("asserted", "found"),
    [
        ("out.channels == 6", []),
        ("out.height == (in.height + 1) // 2", []),
        ("u == last", ["`u == last` does not hold: `u` is ((H+1)//2)x((W+1)//2)x8 and `last` is "
         f"((H+1)//2)x((W+1)//2)x4 ({WAY_OUT})"]),
        (
            "out.height == in.height // 2",
            ["`out.height == in.height // 2` does not hold: `out.height` is (H+1)//2 and "
             "`in.height // 2` is H//2 (it holds where H is even)"],
        ),
        (
            "out == 8x8x6",
            ["`out == 8x8x6` does not hold: `out` is ((H+1)//2)x((W+1)//2)x6 (it holds where H is "
             "15 to 16 and W is 15 to 16)"],
        ),
        (
            "macs < 1e6",
            ["`macs < 1e6` is not checked: it depends on sizes that are left open (give the input "
             "a size: `--input 3x224x224`)"],
        ),
    ],
)  # fmt: skip
def test_sizes_that_are_left_open(tmp_path: Path, asserted: str, found: list[str]) -> None:
    assert findings(tmp_path, f'["{asserted}"]', size="H, W") == found
