"""What `steps.py` and `steps.h` both spell: where fields lie, compared when the library loads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

from backends.native import steps
from compiler.errors import BackendError

STRUCTS = tuple(
    found
    for found in vars(steps).values()
    if isinstance(found, type) and issubclass(found, ctypes.Structure)
)


def _numbers() -> Iterator[tuple[str, str, int]]:
    """Yield what has to agree: in words, as a C++ expression, and as Python has it."""
    for struct in STRUCTS:
        name = struct.__name__
        yield f"the size of `{name}`", f"sizeof({name})", ctypes.sizeof(struct)
        for written, *_ in struct._fields_:
            place = getattr(struct, written)
            field = written.rstrip("_")  # `in` is a word of Python
            yield f"the offset of `{name}.{field}`", f"offsetof({name}, {field})", place.offset
            yield f"the size of `{name}.{field}`", f"sizeof({name}::{field})", place.size
    for number, kind in enumerate(steps.KINDS):
        yield f"the number of the step `{kind}`", kind.upper(), number


def emit_layout() -> str:
    """Return a C++ function that returns the memory layout of every struct of `steps.h`."""
    rows = "\n".join(f"    static_cast<int64_t>({code})," for _, code, _ in _numbers())
    return f"""
extern "C" const int64_t* netdraft_layout() {{
  static const int64_t numbers[] = {{
{rows}
  }};
  return numbers;
}}
"""


def count_numbers() -> int:
    """Return how many numbers `netdraft_layout` points at."""
    return sum(1 for _ in _numbers())


def check_layout(theirs: Sequence[int]) -> None:
    """Compare what `netdraft_layout` returns with the structs here.

    Raises:
        BackendError: they differ; the text names the first difference.
    """
    for (what, _, ours), found in zip(_numbers(), theirs, strict=True):
        if ours != found:
            text = f"{what} is {found} in C++ and {ours} in Python"
            raise BackendError(f"the kernels differ from `backends/native/steps.py`: {text}")
