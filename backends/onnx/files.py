"""ONNX model -> file, checked."""

from __future__ import annotations

from pathlib import Path

import onnx

from compiler.errors import BackendError
from compiler.files import write_file, write_together

PROTOBUF_LIMIT = 2**31 - 1
"""Most bytes that one protobuf file can hold."""
STRUCTURE_MARGIN = 2**24
"""Bytes set aside for everything that is not a weight."""


def save_onnx(
    model: onnx.ModelProto, path: Path, *, limit: int = PROTOBUF_LIMIT
) -> tuple[Path, ...]:
    """Check a model in full and write it: one file, or two where protobuf cannot hold it.

    Weights go to `NAME.onnx.data` only past `limit`; such a file from an earlier build is
    removed when it is no longer needed. Past the limit the weights leave `model` for the file.

    Returns:
        The files that make up the model, the one to load first.

    Raises:
        BackendError: the model is not valid ONNX, which is a fault of netdraft.
        UsageError: the place cannot be written.
    """
    data = path.with_name(f"{path.name}.data")
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if weights + STRUCTURE_MARGIN < limit:
        check_onnx(model)
        write_file(path, model.SerializeToString(deterministic=True))
        data.unlink(missing_ok=True)
        return (path,)

    def write(folder: Path) -> None:
        made = folder / path.name
        onnx.save_model(
            model, made, save_as_external_data=True, location=data.name, size_threshold=0
        )
        check_onnx(made)

    write_together((data, path), write)
    return (path, data)


def check_onnx(model: onnx.ModelProto | Path) -> None:
    """Check a model or a file with ONNX's own checker, types and shapes included.

    Raises:
        BackendError: it is not valid.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BackendError(f"the ONNX model is not valid: {error}") from error
