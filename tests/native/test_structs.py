"""Structs that Python and C++ both spell are compared when the kernels are loaded."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from ctypes import c_int32, c_int64, c_void_p
from pathlib import Path

import pytest

from backends.native import compiled_library, structs
from backends.native.compiled_library import load_library
from backends.native.structs import STRUCTS
from compiler.errors import BackendError
from tests.kernels import kernels

pytestmark = [kernels, pytest.mark.exe]


FIELDS = {
    "done": c_void_p, "wanted": c_void_p, "done_bytes": c_int64, "wanted_bytes": c_int64,
}  # fmt: skip
"""Of `Pages`, as both have them."""
SHORTER = {**FIELDS, "done_bytes": c_int32}
TURNED = {name: FIELDS[name] for name in ("wanted", "done", "done_bytes", "wanted_bytes")}
OTHERS = tuple(struct for struct in STRUCTS if struct.__name__ != "Pages")


def pages_of(fields: Mapping[str, type]) -> type[ctypes.Structure]:
    return type("Pages", (ctypes.Structure,), {"_fields_": list(fields.items())})


@pytest.fixture(autouse=True)
def _quick_and_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled_library, "_FLAGS", ("-O0", *compiled_library._FLAGS[1:]))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (SHORTER, "the size of `Pages.done_bytes` is 8 in C++ and 4 in Python"),
        (TURNED, "the offset of `Pages.wanted` is 8 in C++ and 0 in Python"),
    ],
)
def test_a_struct_that_differs_is_named(
    fields: Mapping[str, type], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structs, "STRUCTS", (*OTHERS, pages_of(fields)))
    with pytest.raises(BackendError) as caught:
        load_library.__wrapped__()
    assert str(caught.value) == f"the kernels differ from `backends/native/steps.py`: {text}"


def test_a_field_that_the_kernels_lack_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    longer = pages_of({**FIELDS, "more": c_int64})
    monkeypatch.setattr(structs, "STRUCTS", (*OTHERS, longer))
    with pytest.raises(BackendError, match=r"cannot compile the kernels: (.|\n)*more"):
        load_library.__wrapped__()


def test_a_step_of_another_number_is_named() -> None:
    numbers = [ours for _, _, ours in structs._numbers()]
    with pytest.raises(BackendError, match=r"the step `pages` is 99 in C\+\+ and 24 in Python$"):
        structs.check_layout([*numbers[:-1], 99])


def test_every_struct_is_compared() -> None:
    header = Path(compiled_library.__file__).with_name("kernels") / "steps.h"
    written = re.findall(r"^struct (\w+)", header.read_text(), re.MULTILINE)
    assert {struct.__name__ for struct in STRUCTS} == set(written)
