"""When an outcome is told: right ones at once, wrong ones when nobody is writing any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compiler.edit.session import Outcome
from compiler.pipeline import load_graph
from viz.serve import Hands
from viz.serve.hub import Hub

BROKEN = Outcome(None, None, (), {}, failure="half of a file")
OTHER = Outcome(None, None, (), {}, failure="another half")
GOOD = Outcome(load_graph("teaching/residual"), None, (), {"a": ""})


def told(tmp_path: Path, reads: Callable[[Path], Iterator[Outcome]], times: int = 1) -> list[str]:
    """Return what a page is told where reading the files gives certain outcomes."""
    file = tmp_path / "net.yaml"
    file.touch()
    outcomes = reads(file)
    out: list[Outcome] = []
    hands = Hands(
        files=lambda: [file],
        refresh=lambda: next(outcomes),
        attempt=lambda _: BROKEN,
        values=lambda _: [],
        places=dict,
        write=lambda *_: "",
        undo=str,
        redo=str,
        standing=lambda: ("", ""),
        tell=out.append,
    )

    async def run() -> None:
        hub = Hub(hands)
        for _ in range(times):
            await hub.refresh()

    with ThreadPoolExecutor(1) as apart:  # a browser of another test may have a loop in this one
        apart.submit(lambda: asyncio.run(run())).result()
    return [outcome.failure or "good" for outcome in out]


def test_a_right_one_is_told_at_once(tmp_path: Path) -> None:
    assert told(tmp_path, lambda _: iter([GOOD])) == ["good"]


def test_a_wrong_one_is_told_when_the_file_rests(tmp_path: Path) -> None:
    assert told(tmp_path, lambda _: iter([BROKEN])) == ["half of a file"]


def test_a_half_written_one_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter((1, 2, 2))

    async def meanwhile(_: float) -> None:
        (tmp_path / "net.yaml").write_text("x" * next(sizes), encoding="utf-8")

    monkeypatch.setattr("viz.serve.hub.asyncio.sleep", meanwhile)
    assert told(tmp_path, lambda _: iter([BROKEN, OTHER, GOOD])) == ["good"]


def test_the_same_twice_is_told_once(tmp_path: Path) -> None:
    assert told(tmp_path, lambda _: iter([GOOD, GOOD, BROKEN, BROKEN, GOOD]), 5) == [
        "good",
        "half of a file",
        "good",
    ]


def test_a_bug_is_told_and_the_server_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def reads(_: Path) -> Iterator[Outcome]:
        yield GOOD
        raise RuntimeError("a bug")

    words = "this is a bug in the compiler, not in your spec; the terminal has more"
    assert told(tmp_path, reads, 2) == ["good", words]
    assert "RuntimeError: a bug" in capsys.readouterr().err
