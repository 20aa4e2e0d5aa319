"""`python -m backends.bench.gpu`."""

from __future__ import annotations

import sys

from backends.bench.gpu.kit import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
