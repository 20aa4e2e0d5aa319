"""Weights <-> files: safetensors, and torch checkpoints read without running code."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from backends.state.weights_bounds import check_checkpoint, check_safetensors, refused_code
from compiler.errors import BackendError
from compiler.facts.available_memory import show_bytes
from compiler.files import check_file, write_with

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts put the weights beside other things."""
CODE = re.compile(r"(?:GLOBAL|class|function|Unsupported global:) `?([A-Za-z_][\w.]*\.[\w.]+)")
"""Where torch's message names the code that a pickle calls."""
ASKED = re.compile(r"you tried to allocate (\d+) bytes")
NUMBERS = r"bfloat16|float(16|32|64|8_.*)|u?int(8|16|32|64)|bool"
"""Types of tensors that can be converted to a network's."""
PARALLEL = "module."
"""What DataParallel puts before every name."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU. No code in the file is run.

    A dictionary that holds the weights under `state_dict`, `model_state_dict` or `model` is
    unwrapped, and the `module.` that DataParallel adds is removed.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        BackendError: it is neither safetensors nor a checkpoint of tensors alone.
    """
    check_file(path)
    is_safe = path.suffix == ".safetensors" or _looks_safe(path)
    return _read_safetensors(path) if is_safe else _read_checkpoint(path)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts by key that a safetensors file holds beside its tensors.

    A torch checkpoint has none.
    """
    if path.suffix != ".safetensors" and not _looks_safe(path):
        return {}
    check_safetensors(path)
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise BackendError(f"{path} is no safetensors file: {error}") from None


def save_weights(
    state: Mapping[str, Tensor], path: Path, notes: Mapping[str, str] | None = None
) -> Path:
    """Write tensors as safetensors: to a temporary file, then under their name.

    Args:
        state: tensors by name.
        path: the file.
        notes: text for the file's metadata.

    Raises:
        UsageError: the place cannot be written.
    """
    return write_with(path, lambda temporary: write_weights(state, temporary, notes))


def write_weights(
    state: Mapping[str, Tensor], path: Path, notes: Mapping[str, str] | None = None
) -> None:
    """Write tensors as safetensors in a temporary folder.

    Raises:
        OSError: the place cannot be written.
    """
    # Copies: safetensors refuses tensors that share memory, as a shared layer's do.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    _save(tensors, path, {"format": "pt", **(notes or {})})


def sizes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of tensors by name."""
    return {name: tuple(value.shape) for name, value in state.items()}


def _save(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))  # a full disk, among others
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from None


def _looks_safe(path: Path) -> bool:
    """Tell whether a file begins as safetensors does: the header's length, then the header."""
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return start[8:] == b"{" and length <= path.stat().st_size - 8


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    check_safetensors(path)
    try:
        return _stripped(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise BackendError(f"{path} is no safetensors file: {error}") from None


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    check_checkpoint(path)
    try:
        with warnings.catch_warnings():  # torch announces what it refuses a moment later
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises whatever a damaged archive makes it raise
        raise _refused(path, str(error)) from None
    return _stripped(_tensors(path, loaded))


def _refused(path: Path, error: str) -> BackendError:
    """Say why torch refused a file; its own words advise to run the code after all."""
    if "TorchScript" in error:
        return refused_code(path, "TorchScript")
    if code := CODE.search(error):
        return refused_code(path, code[1])
    if request := ASKED.search(error):
        size = show_bytes(int(request[1]))
        return BackendError(f"{path} asks for {size} of memory for one tensor")
    if "Invalid magic number" in error:
        return BackendError(f"{path} is a pickle, but not one that torch.save wrote")
    reason = error.rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
    reason = reason.partition(". ")[0]
    detail = f": {reason}" if " " in reason else ""
    return BackendError(f"{path} is no torch checkpoint that can be read{detail}")


def _tensors(path: Path, loaded: object) -> dict[str, Tensor]:
    for key in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
            break
    if not isinstance(loaded, Mapping):
        raise BackendError(f"{path} holds {_kind(loaded)}, not tensors by name")
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BackendError(
                f"{path} holds more than tensors: `{name}` is {_kind(value)}; "
                "save the state_dict alone"
            )
        if odd := _oddity(value):
            raise BackendError(f"{path}: `{name}` is {odd}")
    return dict(loaded)


def _kind(value: object) -> str:
    """Return what a value is, with its article."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def _oddity(value: Tensor) -> str:
    """Return in which way a tensor is none of numbers side by side; nothing where it is one."""
    layout = str(value.layout).removeprefix("torch.")
    if value.is_nested:
        return f"a nested tensor ({layout}), and only tensors of one shape are loaded"
    if value.layout != torch.strided:
        return f"a tensor in the layout {layout}; save its `.to_dense()` instead"
    if value.is_meta:
        return "a meta tensor, which has a shape and no numbers; save it after it is filled"
    if value.is_quantized:
        return f"a quantized tensor ({_dtype(value)}); save its `.dequantize()` instead"
    if not re.fullmatch(NUMBERS, _dtype(value)):
        return f"a tensor of {_dtype(value)}, and only real numbers are loaded"
    return ""


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _stripped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if state and all(name.startswith(PARALLEL) for name in state):
        return {name.removeprefix(PARALLEL): value for name, value in state.items()}
    return state
