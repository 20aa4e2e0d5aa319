"""ONNX model -> file, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from compiler.errors import BackendError
from compiler.files import write_folder

PROTOBUF_LIMIT = 2**31 - 1
"""Most bytes that one protobuf file can hold."""
STRUCTURE_MARGIN = 2**24
"""Bytes set aside for everything that is not a weight."""


def save_onnx(
    model: onnx.ModelProto, path: Path, *, limit: int = PROTOBUF_LIMIT
) -> tuple[Path, ...]:
    """Check a model in full and write it: one file, or two where protobuf cannot hold it.

    Weights go to `NAME.onnx.data` only past `limit`; such a file from an earlier build is
    removed when it is no longer needed. Past the limit the weights move from `model` to the file.

    Returns:
        The files that make up the model, the one to load first.

    Raises:
        BackendError: the model is not valid ONNX, which is a fault of netdraft.
        UsageError: the place cannot be written.
    """
    files = write_folder(path.parent, {path.name: lambda place: write_onnx(model, place, limit)})
    remove_stale(files)
    return files[::-1]


def write_onnx(model: onnx.ModelProto, path: Path, limit: int = PROTOBUF_LIMIT) -> tuple[Path, ...]:
    """Check a model in full and write it in a temporary folder, the file to load first last.

    Raises:
        BackendError: the model is not valid ONNX.
        OSError: the place cannot be written.
    """
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if weights + STRUCTURE_MARGIN < limit:
        check_onnx(model)
        path.write_bytes(model.SerializeToString(deterministic=True))
        return (path,)
    data = _data_of(path)
    onnx.save_model(model, path, save_as_external_data=True, location=data.name, size_threshold=0)
    check_onnx(path)
    return (data, path)


def remove_stale(files: Sequence[Path]) -> None:
    """Remove what an earlier model of the same name had beside it, and none of `files` is."""
    for path in files:
        if path.suffix == ".onnx" and _data_of(path) not in files:
            _data_of(path).unlink(missing_ok=True)


def _data_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


def check_onnx(model: onnx.ModelProto | Path) -> None:
    """Check a model or a file with ONNX's own checker, types and shapes included.

    Raises:
        BackendError: it is not valid.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BackendError(f"the ONNX model is not valid: {error}") from error
