"""Builds the site: `python -m docs.site.build build/site`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def build_site(folder: Path) -> None:
    """Write the site; a link to nowhere or a docstring that cannot be read is an error.

    Raises:
        subprocess.CalledProcessError: there was one; it is printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-E", "-b", "html", "-d", f"{folder}.cache"]
    call = [sys.executable, "-m", "sphinx", *options, "-c", str(HERE), str(ROOT), str(folder)]
    subprocess.run(call, check=True)


def main(arguments: list[str]) -> int:
    """Build the site in the named folder."""
    try:
        build_site(Path(*arguments))
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(f"see {Path(*arguments) / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
