"""One benchmark run: everything interleaved, medians, ratios, errors, and the machine's limits."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib import metadata
from typing import Any

import torch
from torch import Tensor

from backends.bench.ceiling import floor_of, measure_ceiling
from backends.bench.profile import Share, load_profile, profile_native
from backends.bench.subjects import Case, Subject, load_peer, netdraft_subjects, peer_subjects
from backends.bench.training import training_subjects
from backends.run.flat_module import build_flat_module
from backends.run.optimized import optimize
from backends.run.targets import gpu_settings
from backends.run.tune import device_name, measure, medians
from backends.state.unit_scale import check_unit_scale, randomize
from backends.torch.module import build_module
from compiler.errors import BackendError
from compiler.graph import Graph

BOUNDS = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest difference from the float64 reference, of its largest logit, that a mode may have."""

_COMPARED = 4
"""Images at either end of a batch that are compared: float64 takes its time."""


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    batches: tuple[int, ...] = (1,)
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    targets: tuple[str, ...] = ()
    """netdraft's targets; none: all."""
    rounds: int = 9
    device: str = "cpu"
    training: int = 0
    """Batch of the training step; 0: none."""
    training_compile: bool = False
    profile: bool = False
    """The native engine's steps too, in inference."""
    peers: tuple[str, ...] = ()
    """The peer's modes in inference; none: all."""


@dataclass(frozen=True)
class Row:
    """One subject in one table."""

    subject: str
    side: str
    median_ms: float
    best_ms: float
    times_ms: list[float]
    error: float | None = None
    """Distance from the float64 reference; netdraft's inference only."""


@dataclass
class Table:
    """Subjects that were interleaved on one task, dtype and batch."""

    task: str
    dtype: str
    batch: int
    peer: str
    rows: list[Row]
    refused: dict[str, str]
    limits: dict[str, float] = field(default_factory=dict)
    profile: list[Share] = field(default_factory=list)


def make_case(graph: Graph, batch: int, precision: str, device: str) -> Case:
    """Return a case with random weights that keep the signal alive.

    Args:
        graph: the network.
        batch: N of every input.
        precision: one of `BOUNDS`.
        device: where it runs.

    Raises:
        BackendError: the output is not near unit scale, so a comparison would be vacuous.
    """
    generator = torch.Generator().manual_seed(1)
    shapes = [graph.nodes[name].shape.numbers for name in graph.inputs]
    example = tuple(torch.randn(4, *shape, generator=generator) for shape in shapes)
    module = build_module(graph)
    randomize(module, 0, *example)
    optimized = optimize(module)
    with torch.no_grad():
        output = _first(build_flat_module(optimized.graph, optimized.state)(*example))
    try:
        check_unit_scale(output)
    except ValueError as error:
        raise BackendError(f"a comparison would say nothing: {error}") from None
    peer, name = load_peer(graph, example)
    inputs = tuple(torch.randn(batch, *shape, generator=generator).to(device) for shape in shapes)
    tf32 = precision == "tf32"
    dtype = torch.float32 if tf32 else getattr(torch, precision)
    return Case(graph, optimized, inputs, dtype, peer, name, tf32)


def subjects_of(
    case: Case, targets: tuple[str, ...], peers: tuple[str, ...] = ()
) -> Iterator[Subject]:
    """Yield what is compared in inference: some targets and modes of the peer, or all."""
    yield from netdraft_subjects(case, targets)
    yield from (s for s in peer_subjects(case) if not peers or s.name in peers)


def run_plan(graph: Graph, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything that a plan asks for; `say` is told what happens.

    Returns:
        What the report and the JSON file hold.

    Raises:
        BackendError: the profile is wanted, and there is no native engine; or a comparison would
            say nothing, or fails.
    """
    if plan.profile:
        load_profile()  # what is missing is said before anything is measured
    tables = []
    for dtype_name in plan.dtypes:
        for batch in plan.batches:
            say(f"{graph.name}: inference, {dtype_name}, batch {batch}")
            case = make_case(graph, batch, dtype_name, plan.device)
            with gpu_settings(case.request.arithmetic):
                tables.append(_inference(case, plan))
        if plan.training:
            say(f"{graph.name}: training step, {dtype_name}, batch {plan.training}")
            case = make_case(graph, plan.training, dtype_name, plan.device)
            with gpu_settings(case.request.arithmetic):
                tables.append(_training(case, plan))
    return {
        "network": graph.name,
        "device": device_name(plan.device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "date": date.today().isoformat(),
        "tables": [asdict(table) for table in tables],
    }


def _versions() -> Iterator[tuple[str, str]]:
    """Yield the packages that were compared, where they are installed, with their versions."""
    for package in ("torch", "timm", "facenet-pytorch", "onnxruntime", "openvino", "tensorrt"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield package, metadata.version(package)


def _inference(case: Case, plan: Plan) -> Table:
    table = _measured("inference", case, plan, subjects_of(case, plan.targets, plan.peers))
    ceiling = measure_ceiling(case.inputs[0].device, case.dtype)
    floor = floor_of(case.optimized.graph, case.dtype)
    batch = len(case.inputs[0])
    table.limits = {
        "matmul_gflops": ceiling.flops / 1e9,
        "copy_gbps": ceiling.bandwidth / 1e9,
        "gmacs": floor.macs / 1e9,
        "short_gmacs": floor.short_macs / 1e9,
        "arithmetic_floor_ms": 1e3 * floor.arithmetic_seconds(batch, ceiling),
        "memory_floor_ms": 1e3 * floor.memory_seconds(batch, ceiling),
    }
    if plan.profile and plan.device == "cpu":
        table.profile = profile_native(case.request)
    return table


def _training(case: Case, plan: Plan) -> Table:
    subjects = training_subjects(case, plan.training_compile)
    return _measured("training", case, plan, subjects)


def _measured(task: str, case: Case, plan: Plan, subjects: Iterable[Subject]) -> Table:
    runs: dict[str, Callable[[], object]] = {}
    refused: dict[str, str] = {}
    sides = {}
    for subject in subjects:
        key = f"{subject.side} {subject.name}"
        try:
            runs[key] = subject.build()
            sides[key] = subject
        except (BackendError, RuntimeError) as error:  # the latter of a peer's compiler or driver
            refused[key] = next(iter(str(error).splitlines()), type(error).__name__)
    errors = _errors(case, runs) if task == "inference" else {}
    times = measure(runs, plan.rounds, plan.device)
    middle = medians(times)
    rows = [
        Row(s.name, s.side, middle[key], min(times[key]), times[key], errors.get(key))
        for key, s in sides.items()
    ]
    return Table(task, case.precision, len(case.inputs[0]), case.peer_name, rows, refused)


def _errors(case: Case, runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the distance of every netdraft subject from the float64 reference.

    Of a large batch the first and the last images are compared.

    Raises:
        BackendError: one is beyond its bound.
    """
    own = case.optimized
    double = {name: value.double() for name, value in own.plain_state.items()}
    batch = len(case.inputs[0])
    some = sorted({*range(batch)[:_COMPARED], *range(batch)[-_COMPARED:]})
    with torch.no_grad():
        inputs = (x[some].cpu().double() for x in case.inputs)
        reference = _first(build_flat_module(own.plain, double)(*inputs))
    out = {}
    for name, run in runs.items():
        if name.startswith("netdraft"):
            difference = (_first(run())[some].cpu().double() - reference).abs().max()
            out[name] = float(difference / reference.abs().max())
            if out[name] > (bound := BOUNDS[case.precision]):
                raise BackendError(
                    f"{name} is {out[name]:.2g} off the reference, bound {bound:.2g}"
                )
    return out


def _first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output  # type: ignore[no-any-return]
