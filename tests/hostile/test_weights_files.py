"""Files of weights that hold something else, are damaged, or would take more than they show."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backends.state.weights_io import read_weights
from compiler.errors import BackendError
from tests.hostile.archives import zip_bomb
from tests.hostile.commands import shell

GOOD = {"c.weight": torch.ones(4, 3, 3, 3)}


def refusal(path: Path) -> str:
    """Read a file and return what is said of it, without its folder."""
    with pytest.raises(BackendError) as caught:
        read_weights(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def saved(folder: Path, value: object, **options: object) -> Path:
    torch.save(value, folder / "w.pt", **options)  # type: ignore[arg-type]
    return folder / "w.pt"


def nested(layout: torch.layout) -> torch.Tensor:
    with warnings.catch_warnings():  # torch calls them a prototype
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)


def quantized() -> torch.Tensor:
    with warnings.catch_warnings():  # and these a thing of the past
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(4, 4), 0.1, 0, torch.qint8)


def sparse(layout: torch.layout) -> torch.Tensor:
    blocks = (2, 2) if layout in (torch.sparse_bsr, torch.sparse_bsc) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.eye(4).to_sparse(layout=layout, blocksize=blocks)


DENSE = "save its `.to_dense()` instead"
ODD: dict[str, tuple[Callable[[], object], str]] = {
    **{
        str(layout): (
            lambda layout=layout: sparse(layout),  # type: ignore[misc]
            f"w.pt: `c.weight` is a tensor in the layout {str(layout)[6:]}; {DENSE}",
        )
        for layout in (
            *(torch.sparse_coo, torch.sparse_csr, torch.sparse_csc),
            *(torch.sparse_bsr, torch.sparse_bsc),
        )
    },
    "nested": (
        lambda: nested(torch.strided),
        "w.pt: `c.weight` is a nested tensor (strided), and only tensors of one shape are loaded",
    ),
    "meta": (
        lambda: torch.ones(4, device="meta"),
        "w.pt: `c.weight` is a meta tensor, which has a shape and no numbers; save it after it "
        "is filled",
    ),
    "quantized": (
        quantized,
        "w.pt: `c.weight` is a quantized tensor (qint8); save its `.dequantize()` instead",
    ),
    "complex": (
        lambda: torch.ones(2, dtype=torch.complex64),
        "w.pt: `c.weight` is a tensor of complex64, and only real numbers are loaded",
    ),
    "none": (
        lambda: None,
        "w.pt holds more than tensors: `c.weight` is None; save the state_dict alone",
    ),
    "words": (
        lambda: "ones",
        "w.pt holds more than tensors: `c.weight` is a str; save the state_dict alone",
    ),
    "number": (
        lambda: 1,
        "w.pt holds more than tensors: `c.weight` is an int; save the state_dict alone",
    ),
    "list": (
        lambda: [torch.ones(1)],
        "w.pt holds more than tensors: `c.weight` is a list; save the state_dict alone",
    ),
    "mapping": (
        lambda: {"deeper": torch.ones(1)},
        "w.pt holds more than tensors: `c.weight` is a dict; save the state_dict alone",
    ),
    "complex number": (
        lambda: 1j,
        "w.pt holds more than tensors: `c.weight` is a complex; save the state_dict alone",
    ),
    "bytes": (
        lambda: b"abc",
        "w.pt holds bytes besides tensors (`_codecs.encode`), which are not made; save the "
        "state_dict of the model instead, best as safetensors",
    ),
}


@pytest.mark.parametrize("old", [False, True], ids=["archive", "no archive"])
@pytest.mark.parametrize("what", ODD)
def test_a_tensor_that_is_none_of_plain_numbers(what: str, old: bool, tmp_path: Path) -> None:
    make, words = ODD[what]
    value = {"a.weight": torch.ones(1), "c.weight": make()}
    path = saved(tmp_path, value, _use_new_zipfile_serialization=not old)
    if old and what == "nested":  # torch would make it of memory that is not filled yet
        words = (
            "w.pt holds nested tensors besides tensors (`torch._utils._rebuild_nested_tensor`), "
            "which are not made; save the state_dict of the model instead, best as safetensors"
        )
    assert refusal(path) == words


def test_a_jagged_tensor_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": nested(torch.jagged)})
    assert refusal(path) == (
        "w.pt: `a` is a nested tensor (jagged), and only tensors of one shape are loaded"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "w.pt holds None, not tensors by name"),
        (7, "w.pt holds an int, not tensors by name"),
        ("text", "w.pt holds a str, not tensors by name"),
        (torch.ones(1), "w.pt holds a Tensor, not tensors by name"),
        ([torch.ones(1)], "w.pt holds a list, not tensors by name"),
        (
            {3: torch.ones(1)},
            "w.pt holds more than tensors: `3` is a Tensor; save the state_dict alone",
        ),
    ],
)
def test_no_tensors_by_name(value: object, words: str, tmp_path: Path) -> None:
    assert refusal(saved(tmp_path, value)) == words


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float64", "bfloat16", "int16", "bool"])
def test_other_types_of_real_numbers_are_read(dtype: str, tmp_path: Path) -> None:
    value = torch.ones(4).to(getattr(torch, dtype))
    assert read_weights(saved(tmp_path, {"a": value}))["a"].dtype == value.dtype


NEITHER = "w.pt is neither safetensors nor a torch checkpoint: it "


def packed(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", f"{NEITHER}is empty"),
        (b"e\n", f"{NEITHER}begins with the bytes 65 0a"),
        (b"hello world", f"{NEITHER}begins with `hello world`"),
        (b"\x00\x01\x02", f"{NEITHER}begins with the bytes 00 01 02"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            f"{NEITHER}is a pointer of Git LFS; `git lfs pull` fetches the file itself",
        ),
        (
            b"\n<!DOCTYPE html><title>404</title>",
            f"{NEITHER}is a page of HTML, perhaps what a server said in its place",
        ),
        (b"\x89HDF\r\n\x1a\n", f"{NEITHER}is HDF5, as Keras writes it"),
        (b"\x1f\x8b\x08\x00", f"{NEITHER}is compressed with gzip; unpack it first"),
        (b"\x00" * 257 + b"ustar", f"{NEITHER}is a tar archive; unpack it first"),
        (packed("a.npy", b"x"), f"{NEITHER}is an archive of NumPy's arrays (npz)"),
        (packed("a.txt", b"x"), f"{NEITHER}is an archive of other files"),
        (b"PK\x03\x04", "w.pt is a damaged torch checkpoint: File is not a zip file"),
        (pickle.dumps({"a": 1}, 2), "w.pt is a pickle, but not one that torch.save wrote"),
        (
            b"\x80\x02]",
            "w.pt is a damaged torch checkpoint: pickle exhausted before seeing STOP",
        ),
    ],
)
def test_files_that_are_something_else(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(data)
    assert refusal(tmp_path / "w.pt") == words


def test_an_archive_that_unpacks_to_much_more(tmp_path: Path) -> None:
    zip_bomb(tmp_path)
    size = (tmp_path / "z.pt").stat().st_size
    assert size < 1_100_000
    done = shell("ulimit -v 4000000; netdraft build t.yaml --weights z.pt -o out", tmp_path)
    first, help_ = done.stderr.splitlines()
    assert done.returncode == 1
    assert first == f"error: z.pt of {size / 1000:,.0f} kB would unpack to 1.0 GB"
    assert help_ == (
        "  help: save it anew with torch.save, which compresses nothing; "
        "the limit is 67,108,864; NETDRAFT_LIMIT_UNPACKED_BYTES sets another"
    )


def test_a_compressed_archive_of_reasonable_size_is_read(tmp_path: Path) -> None:
    plain = saved(tmp_path, GOOD)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(tmp_path / "z.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
    assert torch.equal(read_weights(tmp_path / "z.pt")["c.weight"], GOOD["c.weight"])


@pytest.mark.parametrize(
    "code",
    [
        b"c__builtin__\nbytearray\n",
        b"cbuiltins\nbytearray\n",
        b"c_codecs\nencode\n",
    ],
)
def test_bytes_by_number_are_not_made(code: bytes, tmp_path: Path) -> None:
    """`bytearray(2**40)` in a few bytes is what torch's own reader would run."""
    number = b"\x8a\x06" + (2**40).to_bytes(6, "little")
    data = b"\x80\x02" + code + number + b"\x85R."
    (tmp_path / "w.pt").write_bytes(data)
    assert " holds bytes besides tensors (`" in refusal(tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes(packed("w/data.pkl", data))
    assert " holds bytes besides tensors (`" in refusal(tmp_path / "w.pt")


def test_a_pickle_of_too_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, {str(i): torch.ones(1) for i in range(99)})
    monkeypatch.setenv("NETDRAFT_LIMIT_PICKLE_STEPS", "99")
    assert refusal(path) == (
        "w.pt: there are more than 99 steps of the pickle in a torch checkpoint\n"
        "  help: the limit is 99; NETDRAFT_LIMIT_PICKLE_STEPS sets another"
    )


def test_a_stored_tensor_that_says_that_it_is_longer(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": torch.arange(4.0)}, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"K\x04", b"J\x00\x00\x00\x7f"))
    assert refusal(path).startswith("w.pt is no torch checkpoint that can be read: ")


def test_more_memory_than_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.facts.available_memory.available_bytes", lambda: 100)
    archive, old = saved(tmp_path, GOOD), tmp_path / "old.pt"
    torch.save(GOOD, old, _use_new_zipfile_serialization=False)
    save_file(GOOD, tmp_path / "w.safetensors")
    for path in (archive, old, tmp_path / "w.safetensors"):
        words = r" needs .* k?B of memory, and 100 B are free here$"
        with pytest.raises(BackendError, match=words):
            read_weights(path)


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            safetensors({}, length=2**63 - 1),
            "w.safetensors is no safetensors file: a header of 9,223,372,036,854,775,807 bytes "
            "does not fit into 10 bytes",
        ),
        (b"", "w.safetensors is no safetensors file: it is empty"),
        (b"abc", "w.safetensors is no safetensors file: it is cut off after 3 bytes"),
        (safetensors(b"x" * 9), "w.safetensors is no safetensors file: "),
        (
            safetensors({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}),
            "w.safetensors is no safetensors file: ",
        ),
        (
            safetensors(
                {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4]}}, bytes(4)
            ),
            "w.safetensors is no safetensors file: ",
        ),
        (
            safetensors(
                {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}}, bytes(4)
            ),
            "w.safetensors is no safetensors file: ",
        ),
        (
            safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}, bytes(8)),
            "w.safetensors is no safetensors file: ",
        ),
        (
            safetensors(
                {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"}, bytes(4)
            ),
            "w.safetensors is no safetensors file: ",
        ),
        (safetensors(b"[" * 10**6), "w.safetensors is no safetensors file: "),
        (
            safetensors(b'{"a":' + b" " * 2**22 + b"1}"),
            "w.safetensors has a header of 4,194,311 bytes\n"
            "  help: the limit is 4,194,304; NETDRAFT_LIMIT_HEADER_BYTES sets another",
        ),
    ],
)
def test_safetensors_that_lie(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(data)
    assert words in refusal(tmp_path / "w.safetensors")


def archive(value: object, **options: object) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with some changed, cut off, taken out or doubled."""
    out = bytearray(data)
    at = draw.randrange(len(out))
    match draw.randrange(5):
        case 0:
            return bytes(out[:at])
        case 1:
            del out[at : at + draw.randrange(1, 40)]
        case 2:
            out[at:at] = out[at : at + draw.randrange(1, 40)]
        case _:
            for _ in range(draw.choice((1, 1, 2, 4, 16))):
                out[draw.randrange(len(out))] = draw.randrange(256)
    return bytes(out)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["archive", "no archive", "safetensors", "sparse", "wrapped"])
def test_damaged_files_are_sentences(form: str, tmp_path: Path) -> None:
    """400 mutations of each form: tensors, or one sentence; never another exception."""
    state = {"a.weight": torch.ones(3, 2), "a.bias": torch.ones(3, dtype=torch.float64)}
    if form == "safetensors":
        save_file(state, tmp_path / "whole")
        data = (tmp_path / "whole").read_bytes()
    elif form == "no archive":
        data = archive(state, _use_new_zipfile_serialization=False)
    else:
        value = {"sparse": {"a": sparse(torch.sparse_csr)}, "wrapped": {"state_dict": state}}
        data = archive(value.get(form, state))
    path, draw, said = tmp_path / "w.pt", random.Random(0), set()
    for _ in range(400):
        path.write_bytes(mutated(data, draw))
        try:
            read_weights(path)
        except BackendError as error:
            said.add(str(error))
    assert len(said) > 5
    assert [text for text in said if not text.startswith(str(path)) or "Traceback" in text] == []


def test_numpy_beside_tensors_is_code(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": np.float64(1)})
    assert "w.pt holds code besides tensors (`numpy" in refusal(path)


@pytest.mark.parametrize("name", ["evil.pt", "evil.safetensors"])
def test_a_name_that_a_terminal_would_obey(name: str, tmp_path: Path) -> None:
    torch.save({"a\x1b[31m": torch.eye(2).to_sparse()}, tmp_path / "w.pt")
    os.replace(tmp_path / "w.pt", tmp_path / name)
    done = shell(f"netdraft build t.yaml --weights {name} -o out", tmp_path)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
