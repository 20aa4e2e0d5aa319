"""specs/schema.json, written from the models: `python -m docs.pages.schema [--check]`."""

from __future__ import annotations

import sys

from compiler.spec import shipped_specs
from compiler.spec.schema import print_schema
from docs.pages.section import rewrite

PAGE = shipped_specs() / "schema.json"


def main(arguments: list[str]) -> int:
    """Rewrite the file, or with --check say whether it is stale."""
    return rewrite(PAGE, print_schema(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
