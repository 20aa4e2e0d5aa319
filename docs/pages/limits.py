"""The table of limits in docs/SECURITY.md: `python -m docs.pages.limits [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

from compiler.errors import LIMITS, variable_of
from docs.pages.section import Section, rewrite

PAGE = Path(__file__).parents[2] / "docs" / "SECURITY.md"
TABLE = Section(PAGE, "<!-- limits: made by `make docs` -->", "<!-- end of limits -->")


def limits_table() -> str:
    """Return the limits as a Markdown table, in the order of `LIMITS`."""
    rows = [
        f"| {limit.what} | {limit.default:,} | `{variable_of(name)}` |"
        for name, limit in LIMITS.items()
    ]
    return "\n".join(["| at most so many | default | set by |", "|---|--:|---|", *rows])


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check say whether it is stale."""
    return rewrite(TABLE.page, TABLE.replaced(limits_table()), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
