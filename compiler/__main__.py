"""`python -m compiler COMMAND ...`, installed as `netdraft` too."""

from __future__ import annotations

import sys

from compiler.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
