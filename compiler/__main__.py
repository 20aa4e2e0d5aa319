"""`python -m compiler COMMAND ...`, installed as `netdraft` too."""

from __future__ import annotations

import atexit
import gc
import sys

from compiler.cli.main import main

__all__ = ["main"]

# Python collects garbage once more as it ends, for nothing: a sixth of the time of a `check`.
atexit.register(gc.freeze)

if __name__ == "__main__":
    sys.exit(main())
