"""DOT text -> picture by Graphviz's own program, for those who ask for its layout."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

from compiler.errors import UsageError

MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "svg": (b"<?xml", b"<svg"),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "pdf": (b"%PDF",),
}
"""Format that the program can write -> how such a file begins."""
TIME_LIMIT_S = 60.0


class DotError(UsageError):
    """Graphviz's program is missing or failed; the message has its own."""


def find_dot() -> str:
    """Return where the program is.

    Raises:
        DotError: it is not installed.
    """
    program = shutil.which("dot")
    if program is None:
        raise DotError(
            "--engine dot needs the program `dot`, which is not on the PATH: install graphviz "
            "(apt-get install graphviz, brew install graphviz), or leave --engine out: the "
            "built-in layout needs no program"
        )
    return program


def run_dot(text: str, format: str, time_limit_s: float = TIME_LIMIT_S) -> bytes:
    """Return what `dot -Tformat` makes of DOT text.

    Warnings on its standard error are no failure; a wrong exit code, a signal, too long a
    time and output that is no such file are.

    Raises:
        DotError: with the program's own words.
    """
    find_dot()
    from graphviz.backend import dot_command  # on use: the built-in layout does without it

    try:
        done = subprocess.run(
            dot_command.command("dot", format),
            input=text.encode("utf-8"),
            capture_output=True,
            timeout=time_limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DotError(
            f"dot did not finish within {time_limit_s:g} s; draw less of it (--block, --depth), or "
            "leave --engine out"
        ) from None
    except OSError as error:
        raise DotError(f"dot could not be started: {error.strerror}") from None
    output = done.stderr.decode("utf-8", "replace").strip() or "it said nothing"
    if done.returncode < 0:
        raise DotError(f"dot was killed by signal {-done.returncode}: {output}")
    if done.returncode > 0:
        raise DotError(f"dot failed with exit code {done.returncode}: {output}")
    if not done.stdout.startswith(MAGIC[format]):
        raise DotError(f"dot wrote no {format} but {done.stdout[:40]!r}: {output}")
    return done.stdout
