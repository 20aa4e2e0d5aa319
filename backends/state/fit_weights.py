"""A file of weights beside a network: fitted by name and shape, then loaded or handed on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor, nn

from backends.state.weights_io import read_metadata, read_weights, sizes_of
from compiler.errors import BackendError
from compiler.files import check_file
from compiler.graph import Graph
from compiler.published import report_match
from compiler.weights.mapping import Preprocessing, WeightMap
from compiler.weights.match import Move, match_tensors, names_in_part
from compiler.weights.misfits import Sizes
from compiler.weights.notes import Notes, notes_of_file, notes_of_map, preprocessing_of_file
from compiler.weights.report import WeightsReport


def load_weights(
    module: nn.Module,
    path: Path,
    weights: WeightMap | None = None,
    *,
    graph: Graph | None = None,
    partial: bool = False,
    drop_background: bool = False,
    whole: Graph | None = None,
) -> WeightsReport:
    """Copy the weights of a file into a module: all of them or, with `partial`, those that fit.

    Values are converted to the module's dtypes. Batch counters that the file lacks begin at 0;
    with `partial`, what the file lacks keeps its values.

    Args:
        module: changed in place.
        path: safetensors, or a torch checkpoint; no code in it is run.
        weights: the map of its names; None: they are the module's own.
        graph: what the module was built from, to compare its wiring with the map's network.
        partial: skip what does not fit by name and shape.
        drop_background: skip the first of 1001 classes.
        whole: where the module is a part of a network: the network, whose weights the file has.
            What belongs to layers that were not built is not needed.

    Returns:
        What became of every tensor.

    Raises:
        UsageError: there is no such file.
        BackendError: the file is no checkpoint, or does not fit; each tensor that does not is
            named, and the module is as it was.
    """
    own = module.state_dict()
    report, tensors = fit_weights(
        path,
        sizes_of(own),
        weights,
        graph,
        partial=partial,
        drop_background=drop_background,
        whole=names_in_part(whole, own) if whole is not None else {},
    )
    if not report.is_accepted:
        raise BackendError(report.refusal("loaded"))
    with torch.no_grad():
        for name, value in tensors.items():
            own[name].copy_(value)
    return report


def fit_weights(
    path: Path,
    wanted: Sizes,
    weights: WeightMap | None = None,
    graph: Graph | None = None,
    *,
    partial: bool = False,
    drop_background: bool = False,
    whole: Mapping[str, str] | None = None,
) -> tuple[WeightsReport, dict[str, Tensor]]:
    """Return what becomes of a file's tensors, and those that fit under the network's names.

    Without `partial`, batch counters that the file lacks are among them.

    Args:
        path: safetensors, or a torch checkpoint.
        wanted: the network's tensors and their shapes.
        weights: the map of the file's names; None: they are the network's own.
        graph: the network, for its name and wiring.
        partial: whether tensors may stay behind.
        drop_background: skip the first of 1001 classes.
        whole: what `names_in_part` returns, for a part of a network.

    Raises:
        UsageError: there is no such file.
        BackendError: the file is no checkpoint.
    """
    state = read_weights(path)
    match = match_tensors(
        weights,
        wanted,
        sizes_of(state),
        drop_background,
        types_of(state),
        whole or {},
        graph.moved if graph is not None else {},
    )
    tensors = {move.name: _moved(move, state[move.source]) for move in match.moves}
    suspicious = tuple(
        f"{name}: {what}" for name, value in tensors.items() if (what := odd_values(value, name))
    )
    present = [*wanted, *(whole or ())]
    report = report_match(str(path), match, weights, graph, present, partial=partial)
    if not partial:
        tensors |= {name: torch.zeros((), dtype=torch.int64) for name in match.made}
    return replace(report, values=suspicious), tensors


def notes_of(report: WeightsReport, overridden: Collection[str] = ()) -> Notes:
    """Return the metadata of fitted weights: those of the map, or else of the file.

    Args:
        report: what became of the tensors.
        overridden: keys of a file's metadata that are not read.

    Raises:
        BackendError: the file's metadata is at fault.
        CompileError: the preprocessing in it is.
    """
    if report.weights is not None:
        return notes_of_map(report.weights, report.match)
    return notes_of_file(read_metadata(Path(report.file)), report.file, report.match, overridden)


def preprocessing_of(path: Path, weights: WeightMap | None = None) -> Preprocessing | None:
    """Return how a picture becomes the input, from the map, or else from the file of weights.

    Raises:
        BackendError: the file is no safetensors file, though it begins as one.
        CompileError: its metadata are at fault.
        UsageError: there is no such file.
    """
    if weights is not None:
        return weights.preprocessing
    check_file(path)
    return preprocessing_of_file(read_metadata(path), str(path))


def _moved(move: Move, value: Tensor) -> Tensor:
    return (value[move.skip :] if move.skip else value).reshape(move.size)


def types_of(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the types of tensors by name: `float32`, `int64`."""
    return {name: str(value.dtype).removeprefix("torch.") for name, value in state.items()}


def odd_values(value: Tensor, name: str) -> str:
    """Return values of a tensor that no training produces; nothing where all is well.

    That is values that are not finite, running variances below zero, and kernels of zeros alone.
    Other values than the published ones cannot be recognised.
    """
    if not value.is_floating_point() or not value.numel():
        return ""
    value = value if value.dtype in (torch.float32, torch.float64) else value.float()
    low, high = (float(end) for end in torch.aminmax(value))  # not finite where one value is not
    if not isfinite(low - high):
        count = int((~torch.isfinite(value)).sum())
        if count:
            are = "is" if count == 1 else "are"
            return f"{count:,} of {value.numel():,} values {are} not finite"
    if name.rpartition(".")[2] == "running_var" and low < 0:
        return f"a running variance is below zero ({low:.3g})"
    if low == high == 0 and value.dim() > 1:
        return f"all {value.numel():,} values are zero"
    return ""
