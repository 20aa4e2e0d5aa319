"""What a build writes: a file, or several, for each target, and what is written of every build."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.summary import as_json
from compiler.facts.summarize import summarize
from compiler.files import Writer, write_folder
from compiler.graph import Graph
from compiler.graph.print import print_graph
from compiler.weights.mapping import Preprocessing
from compiler.weights.notes import Notes
from compiler.weights.report import WeightsReport

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(slots=True)
class Built:
    """What a build has made so far; `plain` is the network before the optimiser's passes."""

    plain: tuple[Graph, dict[str, Tensor]]
    graph: Graph
    module: nn.Module
    state: dict[str, Tensor]
    taps: tuple[str, ...]
    log: Callable[[str], None]
    report: WeightsReport | None
    """What became of the tensors of --weights."""

    def for_runtimes(self) -> tuple[Graph, dict[str, Tensor]]:
        """Return the graph for a runtime that has an optimiser of its own, and its parameters."""
        if self.graph is self.plain[0]:
            return self.graph, self.state
        from backends.state.parameters import convert_state
        from compiler.passes.optimizer import RUNTIME_PASSES, optimize_graph

        graph = optimize_graph(self.plain[0], RUNTIME_PASSES, taps=self.taps)
        return graph, convert_state(graph, self.plain[1])


def write_artefacts(
    built: Built,
    folder: Path,
    targets: tuple[str, ...],
    summarized: Graph,
    more: Mapping[str, Writer],
) -> tuple[Path, ...]:
    """Write what the targets make, the graph and the summary: all of them, or nothing.

    Args:
        built: what was made.
        folder: where the files go.
        targets: whose files.
        summarized: the graph that the summary is of.
        more: other files by name.

    Raises:
        BackendError: a target cannot express the network.
        UsageError: the place cannot be written.
    """
    name = built.graph.name
    writers: dict[str, Writer] = {}
    for target in targets:
        if target in _SUFFIXES:
            writers[f"{name}{_SUFFIXES[target]}"] = _MAKERS[target](built)
    writers[f"{name}.graph.txt"] = _text(print_graph(built.graph))
    summary = json.dumps(as_json(summarize(summarized)), indent=2, ensure_ascii=False) + "\n"
    writers[f"{summarized.name}.summary.json"] = _text(summary)
    files = write_folder(folder, {**writers, **more})
    if "onnx" in targets:
        from backends.onnx.files import remove_stale

        remove_stale(files)
    return files


def weights_file(built: Built, how: Preprocessing | None) -> dict[str, Writer]:
    """Return the file of weights with what is known of them: `predict` then needs no options."""
    from backends.state.fit_weights import notes_of
    from backends.state.weights_io import write_weights

    notes = Notes() if built.report is None else notes_of(built.report)
    notes = replace(notes, preprocessing=how)
    metadata = {"spec": built.graph.name, **notes.as_metadata()}

    def write(path: Path) -> tuple[Path]:
        write_weights(built.state, path, metadata)
        return (path,)

    return {f"{built.graph.name}.safetensors": write}


def _text(text: str) -> Writer:
    def write(path: Path) -> tuple[Path]:
        path.write_bytes(text.encode("utf-8"))
        return (path,)

    return write


def _source(built: Built) -> Writer:
    from backends.torch.source import emit_source

    return _text(emit_source(built.graph, taps=built.taps))


def _onnx(built: Built) -> Writer:
    built.log("building ONNX ...")
    from backends.onnx.files import write_onnx
    from backends.onnx.model import build_onnx

    graph, state = built.for_runtimes()
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
    model = build_onnx(graph, arrays, taps=built.taps)
    return lambda path: write_onnx(model, path)


def _export(built: Built) -> Writer:
    built.log("exporting with torch.export ...")
    from backends.torch.export_program import export_program, save_program

    program = export_program(built.graph, built.module)

    def write(path: Path) -> tuple[Path]:
        save_program(program, path)
        return (path,)

    return write


_MAKERS: dict[str, Callable[[Built], Writer]] = {
    "source": _source,
    "onnx": _onnx,
    "export": _export,
}
_SUFFIXES = {"source": ".py", "onnx": ".onnx", "export": ".pt2"}
"""Of the files that a target makes; the live module is what was run, and makes none."""
