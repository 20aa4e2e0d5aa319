"""The table of limits in docs/SECURITY.md: `python -m docs.pages.limits [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

from compiler.errors import LIMITS, variable_of

PAGE = Path(__file__).parents[2] / "docs" / "SECURITY.md"
BEGIN, END = "<!-- limits: made by `make docs` -->", "<!-- end of limits -->"


def limits_table() -> str:
    """Return the limits as a Markdown table, in the order in which they are met."""
    rows = [
        f"| {limit.what} | {limit.default:,} | `{variable_of(name)}` |"
        for name, limit in LIMITS.items()
    ]
    return "\n".join(["| at most so many | default | set by |", "|---|--:|---|", *rows])


def with_table(text: str) -> str:
    """Return a page with its table of limits made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{limits_table()}\n\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check say whether it is stale."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = with_table(text)
    if "--check" in arguments:
        return int(fresh != text)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
