"""How a message spells what a user gives beside a spec: as an option, or as Python's argument."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

ARGUMENTS = {
    "--set": "settings",
    "--figure": "figure",
    "--input": "inputs",
    "--output": "output",
    "--names": "names",
    "--normalize": "normalize",
    "--preprocessing": "preprocessing",
    "--from": "weights_from",
    "--partial": "partial=True",
    "--drop-background": "",
}
"""Option of the command line -> argument of the functions in `compiler.api`; empty: none."""
_is_called_from_python: ContextVar[bool] = ContextVar("called_from_python", default=False)


def from_python(function: Callable[P, T]) -> Callable[P, T]:
    """Have messages inside a function name the arguments of Python in the place of options."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _is_called_from_python.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _is_called_from_python.reset(token)

    return call


def spelled(option: str, value: object = None) -> str:
    """Return how an option is written where the user is, with a value or alone; "" if it is not.

    >>> spelled("--set", "classes=10"), spelled("--names")
    ('--set classes=10', '--names')
    >>> from_python(spelled)("--set", "classes=10"), from_python(spelled)("--names")
    ("settings={'classes': '10'}", 'names=')
    >>> from_python(spelled)("--input", "3x75x75")
    "inputs=['3x75x75']"
    """
    if not _is_called_from_python.get():
        shown = "" if value is None else str(value)
        # A shell takes braces apart, and leaves nothing of an empty text.
        is_quoted = value == "" or shown.startswith("{")
        return f"{option} '{shown}'" if is_quoted else f"{option} {shown}".rstrip()
    argument = ARGUMENTS[option]
    if value is None:
        return f"{argument}=" if argument.isidentifier() else argument
    if option == "--set":
        name, _, text = str(value).partition("=")
        return f"{argument}={{{name!r}: {text!r}}}"
    return f"{argument}=[{value!r}]" if option == "--input" else f"{argument}={value!r}"
