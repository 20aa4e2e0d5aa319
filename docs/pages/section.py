"""A generated part of a page that is otherwise written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Section:
    """The part of a page between two marks, for instance `<!-- ops: made by `make docs` -->`."""

    page: Path
    begin: str
    end: str

    def replaced(self, body: str) -> str:
        """Return the page with a new body between the marks."""
        head, _, rest = self.page.read_text(encoding="utf-8").partition(self.begin)
        _, _, tail = rest.partition(self.end)
        return f"{head}{self.begin}\n\n{body}\n\n{self.end}{tail}"


def rewrite(page: Path, text: str, arguments: list[str]) -> int:
    """Write a page, or with --check return 1 where it is stale."""
    if "--check" in arguments:
        return int(not page.is_file() or page.read_text(encoding="utf-8") != text)
    page.write_text(text, encoding="utf-8")
    return 0
