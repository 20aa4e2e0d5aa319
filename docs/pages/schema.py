"""specs/schema.json, written from the models: `python -m docs.pages.schema [--check]`."""

from __future__ import annotations

import sys

from compiler.spec import shipped_specs
from compiler.spec.schema import print_schema

PAGE = shipped_specs() / "schema.json"


def main(arguments: list[str]) -> int:
    """Rewrite the file, or with --check say whether it is stale."""
    fresh = print_schema()
    if "--check" in arguments:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != fresh)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
