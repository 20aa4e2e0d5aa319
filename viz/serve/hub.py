"""What the files come to now, and who waits for news of them."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from compiler.edit.session import Outcome
from compiler.edit.values import Value
from compiler.errors import Diagnostic
from compiler.errors.diagnose import as_text
from viz.html import page_program, render_html
from viz.serve.watcher import changes, stamps

Json = dict[str, Any]
T = TypeVar("T")

SETTLE_S = 0.06
"""So long a file with errors may be a half-written one: it is read again before it is shown."""
MOST_TIMES = 20
"""So often it is read again, for who writes without end would never be shown."""
ALIVE_S = 15
"""So often a stream without news says that it is there."""


@dataclass(frozen=True)
class Hands:
    """What compiles and what edits: nothing is said here of how."""

    files: Callable[[], Iterable[Path]]
    """The files that were read, and those that were missed."""
    refresh: Callable[[], Outcome]
    """Reads the files."""
    attempt: Callable[[Mapping[str, str]], Outcome]
    """The same with other values, by key."""
    values: Callable[[str], list[Value]]
    """What is written of a layer."""
    places: Callable[[], Mapping[str, str]]
    """Parameters, sizes of inputs and counts that a file says, by key: as they are written."""
    write: Callable[[str, str, str | None], object]
    """Puts a value into its file: key, text, and what is there so far; raises UsageError."""
    undo: Callable[[], object]
    redo: Callable[[], object]
    standing: Callable[[], tuple[str, str]]
    """What `undo` and `redo` would do, in words; empty for nothing."""
    tell: Callable[[Outcome], None]
    """Is called with what the files come to, each time that it is news."""


class Hub:
    """The state that all pages share: the files. What a page has set is said with each request."""

    def __init__(self, hands: Hands, depth: int = 0) -> None:
        self.hands = hands
        self.depth = depth
        self.version = time.time_ns() // 1_000_000
        """Of the outcome; pages of a server that ran before know none of this one's."""
        self.outcome = Outcome(None, None, (), {})
        self.good: Outcome | None = None
        """The last one that can be drawn."""
        self.is_over = False
        self._news = asyncio.Event()
        self._one = CapacityLimiter(1)
        """One compilation at a time, beside the loop that answers."""

    async def run(self, work: Callable[[], T]) -> T:
        """Do something with the files, after what is being done."""
        return await to_thread.run_sync(work, limiter=self._one)

    async def watch(self) -> None:
        """Tell pages of every change, for as long as this runs."""
        async for _ in changes(self.hands.files):
            await self.refresh()

    async def refresh(self) -> None:
        """Read the files, and tell whoever waits where something else came of them."""
        outcome = await self._settled()
        if outcome.same_as(self.outcome):
            return
        self.outcome = outcome
        if outcome.graph is not None:
            self.good = outcome
        self.version += 1
        self._wake()
        self.hands.tell(outcome)

    async def _settled(self) -> Outcome:
        """Return what the files come to; where there are errors, once nobody is writing them."""
        outcome = await self.run(self._read)
        for _ in range(MOST_TIMES):
            if not outcome.has_errors or outcome.same_as(self.outcome):
                break
            files = tuple(self.hands.files())
            before = stamps(files)
            await asyncio.sleep(SETTLE_S)
            if stamps(files) == before:
                break
            outcome = await self.run(self._read)
        return outcome

    def _read(self) -> Outcome:
        try:
            return self.hands.refresh()
        except Exception:
            traceback.print_exc()
            failure = "this is a bug in the compiler, not in your spec; the terminal has more"
            return Outcome(None, None, (), {}, failure=failure)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def end(self) -> None:
        """Let the streams end."""
        self.is_over = True
        self._wake()

    async def versions(self) -> AsyncIterator[int | None]:
        """Yield the number of each outcome, the present one first; None where there is no news."""
        seen = -1
        while not self.is_over:
            news = self._news
            yield self.version if self.version != seen else None
            seen = self.version
            try:
                await asyncio.wait_for(news.wait(), ALIVE_S)
            except TimeoutError:
                continue

    # -- what a page asks ------------------------------------------------------------------------

    def page(self) -> str | None:
        """Return the page of the files as they are, or as they were last; None before that."""
        found = self.outcome if self.outcome.graph is not None else self.good
        if found is None or found.graph is None or found.spec is None:
            return None
        told = self._told(self.version)
        return render_html(found.graph, found.spec, found.diagnostics, self.depth, live=told)

    def _told(self, version: int) -> Json:
        undo, redo = self.hands.standing()
        return {"version": version, "undo": undo, "redo": redo, "places": self.hands.places()}

    async def program(self, values: Mapping[str, str]) -> Json:
        """Return what the page draws with some values set, and what is wrong."""
        version = self.version
        found = self.outcome
        if values:
            found = await self.run(partial(self.hands.attempt, values))
        return {
            **await self.run(partial(self._told, version)),
            "program": await self.run(partial(self._program, found)),
            "problems": _problems(found),
            "refused": dict(found.refused),
        }

    def _program(self, found: Outcome) -> Json | None:
        if found.graph is None or found.spec is None:
            return None
        return page_program(found.graph, found.spec, found.diagnostics, self.depth)

    async def values(self, name: str) -> list[Json]:
        """Return what the files say of a layer, value by value."""
        found = await self.run(partial(self.hands.values, name))
        return [{"key": v.key, "what": v.what, "text": v.text, "at": str(v.span)} for v in found]

    async def edit(self, work: Callable[[], object]) -> str:
        """Edit a file and show what comes of it; return what was done.

        Raises:
            UsageError: it cannot be done.
        """
        done = str(await self.run(work))
        await self.refresh()
        return done


def _problems(found: Outcome) -> list[Json]:
    """Return what is wrong, each as the command line has it."""
    out = [_problem(each, found.texts) for each in found.diagnostics]
    if found.failure:
        out.insert(0, {"severity": "error", "text": found.failure, "at": ""})
    return out


def _problem(found: Diagnostic, texts: Mapping[str, str]) -> Json:
    at = str(found.span) if found.span.line else ""
    return {"severity": found.severity, "text": as_text([found], texts), "at": at}
