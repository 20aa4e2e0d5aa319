"""ONNX model -> file, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from compiler.errors import BackendError

PROTOBUF_LIMIT = 2**31 - 1
"""Most bytes that one protobuf file can hold."""
STRUCTURE_MARGIN = 2**24
"""Bytes set aside for everything that is not a weight."""


def write_onnx(model: onnx.ModelProto, path: Path, limit: int = PROTOBUF_LIMIT) -> tuple[Path, ...]:
    """Check a model in full and write it, for `write_folder`: the file to load comes last.

    Weights go to a file `NAME.onnx.data` only past `limit`; they then move there from `model`.

    Raises:
        BackendError: the model is not valid ONNX, which is a fault of netdraft.
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
