"""What the functions for Python say of an argument of the wrong kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import netdraft
from compiler.errors import UsageError

SPEC = (
    "network: n\ninput: {image: [3, 8, 8]}\nparams: {classes: {type: int, default: 2}}\n"
    "layers: [{conv: 3x3, filters: 4, name: stem}, {conv: 3x3, filters: classes, name: last}]\n"
)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "n.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_a_text_is_one_input_or_one_tap(spec: Path) -> None:
    graph = netdraft.load(spec, {"classes": 3}, "3x16x16")
    assert str(graph.nodes["image"].shape) == "(N, 3, 16, 16)"
    _, taps = netdraft.build_module(spec, taps="stem")(torch.zeros(1, 3, 8, 8))
    assert list(taps) == ["stem"]
    assert netdraft.emit_source(spec, taps="stem") == netdraft.emit_source(spec, taps=["stem"])


WRONG: list[tuple[Callable[[Any], object], str]] = [
    (lambda s: netdraft.load(3), "spec=3: give a file, a shipped name or a graph"),  # type: ignore[arg-type]
    (lambda s: netdraft.check(None), "spec=None: give a file or a shipped name"),  # type: ignore[arg-type]
    (
        lambda s: netdraft.load(s, {}, [(3, 299, 299)]),  # type: ignore[list-item]
        "inputs=[(3, 299, 299)]: give texts, as in ['3x299x299']",
    ),
    (lambda s: netdraft.load(s, {}, 3), "inputs=3: give texts, as in ['3x299x299']"),  # type: ignore[arg-type]
    (
        lambda s: netdraft.load(s, "classes=3"),  # type: ignore[arg-type]
        "settings='classes=3': give values by name, as in {'classes': 10}",
    ),
    (
        lambda s: netdraft.load(s, {3: 4}),  # type: ignore[dict-item]
        "settings={3: 4}: give values by name, as in {'classes': 10}",
    ),
    (lambda s: netdraft.why(s, 3), "value=3: give the name of a number, as 'reduction_a.channels'"),  # type: ignore[arg-type]
    (lambda s: netdraft.why(3, "macs"), "spec=3: give a file, a shipped name or a graph"),  # type: ignore[arg-type]
    (
        lambda s: netdraft.diff(s, None),  # type: ignore[arg-type]
        "after=None: give a file, a shipped name, 'git:REVISION:PATH' or a graph",
    ),
    (
        lambda s: netdraft.diff(s, s, ["classes=3"]),  # type: ignore[arg-type]
        "settings=['classes=3']: give values by name, as in {'classes': 10}",
    ),
    (
        lambda s: netdraft.diff(s, "git:main"),
        "git:main: write git:REVISION:PATH, as git:HEAD~1:specs/mine.yaml",
    ),
    (lambda s: netdraft.summary(s, depth=-1), "depth=-1: it takes a whole number from 1"),
    (lambda s: netdraft.show(s, depth=-1), "depth=-1: it takes a whole number from 0"),
    (lambda s: netdraft.build_module(s, taps=[3]), "taps=[3]: give texts, as in ['stem']"),  # type: ignore[list-item]
    (lambda s: netdraft.features(s, 3), "names=3: give texts, as in ['stem']"),  # type: ignore[arg-type]
    (lambda s: netdraft.build_module(s, device="zz"), "device='zz': write cpu, cuda or cuda:N"),
    (lambda s: netdraft.features(s, device="zz"), "device='zz': write cpu, cuda or cuda:N"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _, message in WRONG])
def test_an_argument_of_another_kind(
    spec: Path, call: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        call(spec)
    assert str(refused.value) == message
