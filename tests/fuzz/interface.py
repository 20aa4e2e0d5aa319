"""What users do with a valid spec's module: taps, feature maps, constructors, builds, weights."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from random import Random

import onnx
import torch
from torch import Tensor, nn

from backends.state.weights_io import read_weights, save_weights
from backends.torch.features import build_features
from backends.torch.module import build_module
from backends.torch.source import emit_source
from compiler.api import load_weights
from compiler.cli.main import main
from compiler.errors import BackendError, UsageError
from compiler.facts.features import features_of
from compiler.graph import Graph
from compiler.passes.outputs import take_logits, tap_nodes
from compiler.weights.match import names_in_part
from compiler.weights.misfits import is_counter
from tests.every_target.targets import TARGETS, Run, onnx_run, running
from tests.fuzz.case import BATCH, ROUNDED, Array, Case, arrays, compare
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.ways import fit_state, module_from
from tests.torch.constructors import accepted, arguments, emitted, state

TAPPED = ("torch", "source", "optimised", "plain", "eager", "ONNX", "onnxruntime")
"""Targets of `tests.every_target.targets` in which tensors are tapped."""


def inside(case: Case) -> dict[str, Array]:
    """Return every tensor of a network by the oracle."""
    return dict(evaluate(case.graph, case.state, case.inputs))


def taps_of(graph: Graph, dice: Random) -> tuple[str, ...]:
    """Return one, two or three names of layers, blocks or branches that can be tapped."""
    names = [n for n in (*graph.regions, *graph.nodes) if n and n not in graph.inputs]
    found = []
    for name in dice.sample(names, min(len(names), dice.randint(1, 3))):
        with contextlib.suppress(UsageError):  # the name of an output that is another tensor
            found += list(tap_nodes(take_logits(graph, [name]), [name]))
    return tuple(found)


def wanted_with(case: Case, taps: tuple[str, ...], by_name: bool = False) -> list[Array]:
    """Return the outputs and what is tapped, by the oracle.

    With `by_name`, as in ONNX, what is tapped under the name of an output is that output.
    """
    values = inside(case)
    outputs = [o.name for o in take_logits(case.graph, taps).outputs] if by_name else []
    nodes = [node for tap, node in tap_nodes(case.graph, taps).items() if tap not in outputs]
    return [*case.wanted, *(values[node] for node in nodes)]


def taps_are_inside(case: Case) -> None:
    """What is tapped is the tensor of that name, in every target, and the outputs stay."""
    taps = taps_of(case.graph, case.random)
    for name in TAPPED:
        run = TARGETS[name](case.graph, case.state, taps, case.examples)
        wanted = wanted_with(case, taps, by_name=name == "ONNX")
        compare(arrays(run(*case.examples)), wanted, ROUNDED, f"{name} with taps {taps}")


def features_are_inside(case: Case) -> None:
    """Feature maps are the tensors of their names; the module has the parameters of these alone."""
    graph, dice = case.graph, case.random
    maps = [n.name for n in graph.nodes.values() if len(n.shape) == 3 and n.inputs]
    names = dice.sample(maps, min(len(maps), dice.randint(0, 2)))
    try:
        features = features_of(graph, names)
    except UsageError:
        return
    taps = [f.module for f in features]
    values = inside(case)
    wanted = [values[graph.tensor(tap).name] for tap in taps]
    live = build_features(graph, names)
    source = module_from(emit_source(graph, taps=taps, features=True))
    for module, what in ((live, "features"), (source, "the source of features")):
        own = module.state_dict()
        there = names_in_part(graph, own)
        fit_state(module, {there[k]: v for k, v in case.state.items() if there.get(k) in own})
        made = running(module.eval())(*case.examples)
        compare(arrays(made), wanted, ROUNDED, f"{what} {taps}")
    info = [(f.num_chs, f.module) for f in features]
    assert info == [(x.shape[1], tap) for x, tap in zip(wanted, taps, strict=True)]


def constructor_is_a_setting(case: Case) -> None:
    """`Class(p=v)` is the class that is emitted from `--set p=v`."""
    made = emitted(case.graph)
    for name in arguments(made):
        for value, other in accepted(case.path, case.graph, name, case.options(case.meaning)):
            mine, theirs = made(**{name: value}), emitted(other)()
            assert state(mine) == state(theirs), f"{name}={value}"
            theirs.load_state_dict(mine.state_dict())
            shapes = [other.nodes[n].shape.numbers for n in other.inputs]
            inputs = [torch.randn(BATCH, *shape) for shape in shapes]
            one, two = (arrays(running(m.eval())(*inputs)) for m in (mine, theirs))
            assert [x.shape for x in one] == [x.shape for x in two], f"{name}={value}"
            for x, y in zip(one, two, strict=True):
                torch.testing.assert_close(
                    torch.from_numpy(x), torch.from_numpy(y), equal_nan=True, msg=f"{name}={value}"
                )


def built_is_live(case: Case) -> None:
    """`build --optimize` writes source and ONNX that give the oracle's numbers, taps too."""
    dice, folder, own = case.random, case.folder / "built", case.folder / "own.safetensors"
    taps = taps_of(case.graph, dice) if dice.random() < 0.4 else ()
    options = ["-o", str(folder), "--device", "cpu", "--target", "torch,source,onnx"]
    options += ["--taps", ",".join(taps)] if taps else []
    for text in case.options(case.meaning):
        options += ["--input", text]
    if case.state:
        save_weights(case.module.state_dict(), own)
        options += ["--weights", str(own), "--save-weights"]
    command("build", str(case.path), "--optimize", *options)
    for name, run in written(case, folder).items():
        wanted = wanted_with(case, taps, by_name=name == "ONNX")
        compare(arrays(run(*case.examples)), wanted, ROUNDED, f"the {name} of {options}")


def written(case: Case, folder: Path) -> dict[str, Run]:
    """Return what runs the files of a build."""
    name = case.graph.name
    module = module_from((folder / f"{name}.py").read_text(encoding="utf-8"))
    if case.state:
        saved = read_weights(folder / f"{name}.safetensors")
        fit_state(module, {k: v.numpy() for k, v in saved.items()})
    model = onnx.load(str(folder / f"{name}.onnx"))
    return {"source": running(module.eval()), "ONNX": onnx_run(case.graph, model)}


def command(*arguments: str) -> None:
    """Run a command that must succeed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    assert code == 0, f"{' '.join(arguments)}: {code}\n{err.getvalue()}"


def weights_come_back(case: Case) -> None:
    """What is saved loads again, in either format; a part of it only where a part is asked for."""
    own = case.module.state_dict()
    if all(map(is_counter, own)):
        return
    file = written_weights(own, case.folder, case.random)
    module = build_module(case.graph, seed=1)
    assert set(load_weights(module, file).loaded) == set(own)
    same(module, own)
    some_come_back(case, own)


def some_come_back(case: Case, own: dict[str, Tensor]) -> None:
    """Of a file in which tensors are missing, others and of other shapes, the rest is loaded."""
    dice = case.random
    lost = set(dice.sample(sorted(own), dice.randint(0, len(own))))
    grown = {name for name in own if name not in lost and dice.random() < 0.2}
    kept = {k: v for k, v in own.items() if k not in lost}
    some = {k: torch.zeros(*v.shape, 2) if k in grown else v for k, v in kept.items()}
    if dice.random() < 0.3:
        some["no.such.layer"] = torch.zeros(3)
    file = written_weights(some, case.folder / "some", dice)
    fit = [k for k in own if k in kept and k not in grown]
    is_all = all(k in fit or (k in lost and is_counter(k)) for k in own) and set(some) <= set(own)
    module = build_module(case.graph, seed=1)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    if not is_all:
        refused(module, file, before, partial=False)
    if all(map(is_counter, fit)):
        refused(module, file, before, partial=True)
        return
    report = load_weights(module, file, partial=True)
    assert (set(report.loaded), set(report.differing)) == (set(fit), grown)
    assert set(report.fresh) == lost
    assert set(report.dropped) == set(some) - set(own)
    same(module, {k: own[k] if k in fit else before[k] for k in own})


def written_weights(tensors: dict[str, Tensor], folder: Path, dice: Random) -> Path:
    """Write tensors as safetensors or as a torch checkpoint, perhaps in float64."""
    folder.mkdir(exist_ok=True)
    if dice.random() < 0.3:
        tensors = {k: v.double() if v.is_floating_point() else v for k, v in tensors.items()}
    if dice.random() < 0.5:
        return save_weights(tensors, folder / "weights.safetensors")
    wrapped = {"state_dict": tensors} if dice.random() < 0.3 else tensors
    torch.save(wrapped, folder / "weights.pt")
    return folder / "weights.pt"


def refused(module: nn.Module, file: Path, before: dict[str, Tensor], partial: bool) -> None:
    """A file that does not fit is refused, and the module is as it was."""
    try:
        load_weights(module, file, partial=partial)
    except BackendError:
        same(module, before)
        return
    raise AssertionError(f"weights that do not fit are loaded, partial={partial}")


def same(module: nn.Module, wanted: dict[str, Tensor]) -> None:
    """Hold that a module has these tensors, bit for bit."""
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
