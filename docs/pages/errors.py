"""docs/ERRORS.md, the index of codes: `python -m docs.pages.errors [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

from compiler.errors.explain import codes, page
from docs.pages.section import rewrite

PAGE = Path(__file__).parents[2] / "docs" / "ERRORS.md"
HEAD = """# Errors

Made by `make docs` from the pages of the codes; `netdraft explain CODE` prints one: a spec that is
wrong, its message, and the spec mended. The tests run all of them.

| code | what it means |
|---|---|
"""


def errors_page() -> str:
    """Return the index as a page."""
    rows = (
        f"| [`{code}`](../compiler/errors/pages/{code}.md) | {page(code).summary} |"
        for code in codes()
    )
    return HEAD + "\n".join(rows) + "\n"


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with --check say whether it is stale."""
    return rewrite(PAGE, errors_page(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
