"""ONNX model -> file, checked; and the file's numbers against those of another target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from compiler.errors import BackendError
from compiler.files import write_file, write_together

PROTOBUF_LIMIT = 2**31 - 1
"""Most bytes that one protobuf file can hold."""
STRUCTURE_MARGIN = 2**24
"""Bytes set aside for everything that is not a weight."""
TOLERANCE = 1e-4
"""Largest difference that passes, relative to the largest element of an output."""


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


def compare_onnx(
    path: Path,
    inputs: Mapping[str, npt.NDArray[np.generic]],
    wanted: Sequence[npt.NDArray[np.generic]],
    tolerance: float = TOLERANCE,
) -> float:
    """Run a file in ONNX Runtime and return its largest difference from `wanted`.

    Args:
        path: the model.
        inputs: one batch per input, by name.
        wanted: one array per output of the model, in order.
        tolerance: the difference that passes, relative to the largest element of an output.

    Raises:
        BackendError: a shape differs, or a number by more than `tolerance`.
        ImportError: ONNX Runtime is not installed.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    worst = 0.0
    for name, got, want in zip(names, session.run(None, dict(inputs)), wanted, strict=True):
        if got.shape != want.shape:
            raise BackendError(f"ONNX Runtime makes `{name}` {got.shape}, wanted {want.shape}")
        difference = relative_difference(got, want)
        if not difference <= tolerance:
            raise BackendError(
                f"ONNX Runtime departs in `{name}` by {difference:.1e} of its largest element, "
                f"{tolerance:.0e} is allowed (opset {_opset(path)})"
            )
        worst = max(worst, difference)
    return worst


def relative_difference(got: npt.ArrayLike, want: npt.ArrayLike) -> float:
    """Return the largest difference of two arrays as a share of the largest wanted element."""
    a, b = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))


def _opset(path: Path) -> int:
    model = onnx.load(path, load_external_data=False)
    version: int = max(entry.version for entry in model.opset_import if not entry.domain)
    return version
