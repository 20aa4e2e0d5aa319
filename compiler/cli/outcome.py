"""The one place where what a user can cause becomes a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable

from compiler.errors import BackendError, CompileError, UsageError
from compiler.errors.terminal import complain

_OWN = ("compiler", "backends", "viz")
_INSTALLED_AS = {
    "PIL": "pillow",
    "lsprotocol": "netdraft[lsp]",
    "pygls": "netdraft[lsp]",
    "fontTools": "fonttools",
    "onnx": "netdraft[onnx]",
    "onnxruntime": "netdraft[onnx]",
    "resvg_py": "resvg-py",
    "anyio": "netdraft[watch]",
    "starlette": "netdraft[watch]",
    "uvicorn": "netdraft[watch]",
    "watchfiles": "netdraft[watch]",
    "websockets": "netdraft[lsp]",
    "yaml": "pyyaml",
}
"""Packages that are imported by another name than they are installed by."""
_MISSING = re.compile(r"No module named '([\w.]+)'")


def exit_code(run: Callable[[], int]) -> int:
    """Run a command and return its exit code: 0 fine, 1 the spec is at fault, 2 wrong usage.

    What only a bug can cause is raised.
    """
    try:
        _check_folder()
        return run()
    except KeyboardInterrupt:
        return 130
    except CompileError as error:
        from compiler.errors.diagnose import print_diagnostics  # on use, for start-up time

        print_diagnostics(error.diagnostics, error.texts)
        return 1
    except Exception as error:
        result = sentence(error)
        if result is None:
            raise
        complain(result[0])
        return result[1]


def sentence(error: Exception) -> tuple[str, int] | None:
    """Return the message for an error and the exit code, None for what only a bug can cause."""
    match error:
        case BackendError():
            return str(error), 1
        case UsageError():
            return str(error), 2
        case ImportError() if missing := _missing(error):
            return missing, 2
        case MemoryError() | RuntimeError() if _is_of_memory(error):
            return f"the memory here is not enough: {_first_line(error)}", 1
        case OSError():
            return _of_system(error), 2
    return None


def open_standard_files() -> None:
    """Give standard input, output and error a place where they were closed.

    Else the next file that is opened would take their number, and with it what is printed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _check_folder() -> None:
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current folder was removed; change to one that exists") from None


def _missing(error: ImportError) -> str:
    """Return the message where a package is missing, nothing where it is a module of ours."""
    found = _MISSING.search(str(error))
    package = (error.name or (found[1] if found else "")).partition(".")[0]
    if package in _OWN:
        return ""
    if isinstance(error, ModuleNotFoundError) and package:
        name = _INSTALLED_AS.get(package, package)
        return (
            f"this needs the package `{package}`, which is not installed here\n"
            f'  help: python -m pip install "{name}"'
        )
    return f"the package `{package or '?'}` cannot be imported: {_first_line(error)}"


def _is_of_memory(error: Exception) -> bool:
    """Tell whether memory was refused: by Python or NumPy, by torch on a CPU or on a GPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator" in str(error)
    )


def _of_system(error: OSError) -> str:
    from compiler.files import reason_of  # on use, for start-up time

    reason = reason_of(error)
    if error.errno == errno.ENOSPC and error.filename is None:
        return f"a file cannot be written: {reason}"
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
