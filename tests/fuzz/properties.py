"""What holds of every valid spec; each function looks at one side of a case."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import onnxruntime
import torch
from jsonschema import Draft7Validator
from torch import nn

from backends.onnx.files import check_onnx
from backends.onnx.model import build_onnx
from backends.state.parameters import convert_state
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.api import optimize
from compiler.cli.summary import as_json, as_text
from compiler.errors import BackendError, Report
from compiler.facts.summarize import summarize
from compiler.graph import verify
from compiler.graph.parse import parse_graph
from compiler.graph.print import print_graph
from compiler.ops import OPS
from compiler.passes.optimizer import optimize_graph
from compiler.pipeline import draft_graph
from compiler.spec import load_spec
from compiler.spec.print import print_spec
from compiler.spec.schema import json_schema
from tests.fuzz.arithmetic import Invalid
from tests.fuzz.case import ROUNDED, Case, arrays, compare
from tests.fuzz.interface import (
    built_is_live,
    constructor_is_a_setting,
    features_are_inside,
    taps_are_inside,
    weights_come_back,
)
from tests.fuzz.meaning import meaning_of
from tests.fuzz.tensors import network_of
from tests.fuzz.variation import settings_are_a_child
from tests.oracle.ways import module_from
from viz.diagram.annotate import ANNOTATIONS, EVERYTHING
from viz.html.document import render_html
from viz.render import Options, render

SCHEMA = Draft7Validator(json_schema())
EXACT = 1e-9
"""Bound on differences in float64."""


def holds_its_meaning(case: Case) -> None:
    """The graph is what the language page says: operations, operands, sizes, sharing, outputs."""
    verify(case.graph, shapes=True)
    made, wanted = case.lowered_network.lines(), case.meaning.lines()
    assert made == wanted, "\n".join(["the graph is", *made, "and should be", *wanted])


def fits_the_schema(case: Case) -> None:
    """Each of its files is what the JSON Schema describes."""
    for name, data in case.written.files.items():
        faults = [f"{list(e.absolute_path)}: {e.message}" for e in SCHEMA.iter_errors(data)]
        assert not faults, "\n".join([name, *faults])


def counts_as_torch_does(case: Case) -> None:
    """Parameters and multiply-accumulates: the graph's, the definition's, and torch's by hooks."""
    network = case.meaning
    summary = summarize(case.graph)
    module = build_module(case.graph)
    learned = sum(p.numel() for p in module.parameters())
    assert (summary.parameters, learned) == (network.parameters, network.parameters)
    macs: list[int] = []
    for part in module.modules():
        part.register_forward_hook(counting(macs))
    module(*case.examples)
    assert (summary.macs, sum(macs)) == (network.macs(), network.macs())


def counting(macs: list[int]) -> Callable[[nn.Module, Any, Any], None]:
    """Return a hook that counts the products of one sample."""

    def hook(module: nn.Module, inputs: Any, out: Any) -> None:
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            macs.append(out[0].numel() * module.weight[0].numel())
        if isinstance(module, nn.ConvTranspose2d):
            macs.append(inputs[0][0].numel() * module.weight[0].numel())

    return hook


def live_is_the_oracle(case: Case) -> None:
    """The live module gives the oracle's numbers, trained or not, and keeps what it is copied."""
    module = build_module(case.graph)
    module.load_state_dict(case.module.state_dict())
    with torch.no_grad():
        module = module.double().eval()
        compare(arrays(module(*case.doubles)), case.wanted, EXACT, "the live module")
        again = pickle.loads(pickle.dumps(module))
        compare(arrays(again(*case.doubles)), case.wanted, EXACT, "the pickled module")
        module.train()
        for part in module.modules():
            if isinstance(part, nn.Dropout):
                part.eval()
        made, wanted = arrays(module(*case.doubles)), case.by_oracle(training=True)
    compare(made, wanted, 1e-6, "the module in training")


def source_is_live(case: Case) -> None:
    """The emitted file, imported as a user would, gives the oracle's numbers."""
    source = module_from(emit_source(case.graph))
    source.load_state_dict(case.module.state_dict(), strict=True)
    with torch.no_grad():
        made = arrays(source.double().eval()(*case.doubles))
    compare(made, case.wanted, EXACT, "the source")


def optimised_is_live(case: Case) -> None:
    """The optimised graph, as source and through the engine, gives the oracle's numbers."""
    graph = optimize_graph(case.graph)
    verify(graph, shapes=True)
    state = convert_state(graph, case.module.double().state_dict())
    case.module.float()
    module = module_from(emit_source(graph)).double()
    module.load_state_dict(state, strict=False)
    with torch.no_grad():
        compare(arrays(module.eval()(*case.doubles)), case.wanted, EXACT, "the optimised source")
        optimized = optimize(case.module)
        for target in ("plain", "eager"):
            run = optimized.for_inference("cpu", target=target)
            compare(arrays(run(*case.examples)), case.wanted, ROUNDED, f"the target {target}")
        train = optimized.for_training(native=False).double().eval()
        compare(arrays(train(*case.doubles)), case.wanted, EXACT, "the module for training")


def onnx_is_live(case: Case) -> None:
    """ONNX Runtime gives the oracle's numbers, plain and after the passes for runtimes."""
    model = build_onnx(case.graph, case.state)
    check_onnx(model)
    compare(run_onnx(model, case), case.wanted, ROUNDED, "ONNX Runtime")
    run = optimize(case.module).for_inference("cpu", target="onnxruntime")
    compare(arrays(run(*case.examples)), case.wanted, ROUNDED, "the target onnxruntime")


def run_onnx(model: Any, case: Case) -> Any:
    """Return the outputs of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return arrays(session.run(None, case.inputs))


def native_is_live(case: Case) -> None:
    """The project's own kernels give the oracle's numbers, where they have loops for all of it."""
    try:
        run = optimize(case.module).for_inference("cpu", target="native")
        made = arrays(run(*case.examples))
    except BackendError:
        return
    compare(made, case.wanted, 1e-3, "the native kernels")


SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 11, 14)


def symbolic_is_concrete(case: Case) -> None:
    """Formulas of open sizes give what lowering with numbers gives."""
    letters = case.written.letters
    if not letters:
        return
    graph, report, _ = draft_graph(case.path)
    mismatches = []
    for i, size in enumerate(SIZES):
        numbers = {name: SIZES[(i + 3 * k) % len(SIZES)] for k, name in enumerate(letters)}
        try:
            wanted = meaning_of(case.written.data, letters=numbers)
        except Invalid as why:
            mismatches.append(f"{size}: {why}")
            continue
        concrete = network_of(case.lowered(case.options(wanted)), wanted.listed)
        assert concrete.lines() == wanted.lines()
        if report.errors:
            continue
        at = {n.name: tuple(at_sizes(d, numbers) for d in n.shape) for n in graph.nodes.values()}
        formulas = network_of(graph, wanted.listed, at)
        assert formulas.lines()[len(letters) :] == wanted.lines()[len(letters) :], numbers
    codes = {d.code for d in report.errors}
    if codes & {"shape-mismatch"}:
        text = "\n".join(d.message for d in report.errors)
        grids = [m for m in mismatches if "differ" in m]
        assert grids, f"refused with open sizes, and right at all of {SIZES}: {text}"


def at_sizes(dim: Any, letters: Mapping[str, int]) -> int:
    """Return the value of a size that may be a formula."""
    return dim if isinstance(dim, int) else int(dim.number_at(letters))


def is_seen(case: Case) -> None:
    """Summary and pictures are made, and a printed graph is read again."""
    summary = summarize(case.graph, 9)
    as_json(summary)
    as_text(summary)
    for graph in (case.graph, optimize_graph(case.graph)):
        text = print_graph(graph)
        assert print_graph(parse_graph(text, OPS)) == text
    for options in (Options(), Options(depth=EVERYTHING, show=ANNOTATIONS, fold="none")):
        for format in ("svg", "dot", "json", "tikz"):
            render(case.graph, format, options)
    for name in case.graph.definitions:
        if any(r.definition == name for r in case.graph.regions.values()):
            render(case.graph, "svg", Options(block=name))
    graph, report, spec = draft_graph(case.path)
    render_html(graph, spec, report.diagnostics, 1)
    summarize(graph, 9)
    render(graph, "svg")


def prints_as_itself(case: Case) -> None:
    """`check --emit spec` is a spec of the same network; it names errata and records none."""
    if "errata.yaml" in case.written.files:
        return
    text = print_spec(load_spec(case.path, Report()))
    folder = case.folder / "printed"
    folder.mkdir()
    again = folder / "net.yaml"
    again.write_text(text, encoding="utf-8")
    graph, report, _ = draft_graph(again, {}, case.options(case.meaning))
    errors = [d.message for d in report.errors]
    assert not errors, f"the printed spec is refused: {errors}\n{text}"
    assert graph.digest == case.graph.digest, text


def is_the_same_twice(case: Case) -> None:
    """A second compilation gives the same bytes."""
    second = Case(case.written, case.folder / "again")
    for one, two in ((made_of(case), made_of(second)),):
        for name in one:
            assert one[name] == two[name], f"the {name} differs the second time"


def made_of(case: Case) -> dict[str, bytes]:
    """Return what is written of a spec, by kind."""
    return {
        "graph": print_graph(case.graph, shapes=True).encode(),
        "source": emit_source(case.graph).encode(),
        "figure": render(case.graph, "svg"),
        "model": build_onnx(case.graph, case.state).SerializeToString(deterministic=True),
    }


PROPERTIES: dict[str, Callable[[Case], None]] = {
    p.__name__: p
    for p in (
        holds_its_meaning,
        fits_the_schema,
        counts_as_torch_does,
        live_is_the_oracle,
        source_is_live,
        optimised_is_live,
        onnx_is_live,
        native_is_live,
        symbolic_is_concrete,
        is_seen,
        prints_as_itself,
        is_the_same_twice,
        settings_are_a_child,
        taps_are_inside,
        features_are_inside,
        constructor_is_a_setting,
        built_is_live,
        weights_come_back,
    )
}
OF_LARGE = ("holds_its_meaning", "fits_the_schema", "settings_are_a_child", "prints_as_itself")
"""Those that compute nothing: they hold of large networks too."""
