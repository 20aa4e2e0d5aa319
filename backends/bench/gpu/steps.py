"""One step of `make gpu`: `python -m backends.bench.gpu.steps TASK '{...}'`."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backends.bench.gpu.regions import mark_regions
from backends.bench.memory import measure_memory
from backends.bench.run import BOUNDS, Plan, make_case, run_plan
from backends.run.at_size import at_size
from backends.run.flat_module import build_flat_module
from backends.run.optimized import Optimized, optimize
from backends.run.targets import build_runner
from backends.run.tune import device_name, measure, medians
from backends.state.unit_scale import randomize
from backends.torch.module import build_module
from compiler.errors import BackendError, NetdraftError
from compiler.facts.working_sizes import shapes_near
from compiler.pipeline import load_graph, target_graph

ROOT = Path(__file__).parents[3]
ODD = ROOT / "tests" / "every_target" / "networks"
_REPEATS = 20
"""Runs that are profiled."""


class Results:
    """What a step found, written after each part of it: what is there is not done again."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: dict[str, Any] = {}
        if file.exists():
            self.found = json.loads(file.read_text(encoding="utf-8"))

    def write(self, **changes: Any) -> None:
        """Add results."""
        self.found.update(changes)
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(self.found, indent=1), encoding="utf-8")
        beside.replace(self.file)


def machine(results: Results, device: str) -> None:
    """Say what there is."""
    about = {
        "device": device_name(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        about["memory"] = f"{properties.total_memory / 2**30:.0f} GiB"
        about["multiprocessors"] = str(properties.multi_processor_count)
        about["cuda"] = str(torch.version.cuda)
        cudnn: Any = torch.backends.cudnn
        about["cudnn"] = str(cudnn.version())
    for name, value in about.items():
        print(f"    {name}: {value}")
    results.write(about=about)


def correctness(
    results: Results,
    device: str,
    specs: Sequence[str],
    odd: int,
    targets: Sequence[str],
    dtypes: Sequence[str],
) -> None:
    """Compare targets in every dtype with float64 on the CPU."""
    checks: dict[str, Any] = results.found.get("checks", {})
    for path in [*specs, *map(str, sorted(ODD.glob("*.yaml"))[:odd])]:
        keys = {f"{Path(path).stem} {t} {d}": (t, d) for t in targets for d in dtypes}
        # What raised may have been another's fault, on a card that it left in disorder.
        todo = {k: v for k, v in keys.items() if "failed" in checks.get(k, {"failed": "not yet"})}
        if not todo:
            continue
        own, inputs, wanted = _prepared(path)
        for key, (target, dtype) in todo.items():
            checks[key] = _check(own, inputs, wanted, target, dtype, device)
        results.write(checks=checks)
        bad = [key for key in keys if not checks[key]["is_right"]]
        print(f"    {Path(path).stem}: {len(keys) - len(bad)} of {len(keys)} right or refused")


def _prepared(path: str) -> tuple[Optimized, tuple[Tensor, ...], tuple[Tensor, ...]]:
    graph = target_graph(load_graph(path, {}))
    generator = torch.Generator().manual_seed(1)
    shapes = next(shapes_near(graph, (16, 16))).values()
    inputs = tuple(torch.randn(2, *shape.numbers, generator=generator) for shape in shapes)
    module = build_module(graph)
    randomize(module, 0, *inputs)  # whose signal would else die on the way
    own = optimize(module)
    state = {name: value.double() for name, value in own.plain_state.items()}
    reference = build_flat_module(at_size(own.plain, [tuple(x.shape[1:]) for x in inputs]), state)
    with torch.no_grad():
        wanted = _each(reference(*(x.double() for x in inputs)))
    return own, inputs, wanted


def _check(
    own: Optimized,
    inputs: tuple[Tensor, ...],
    wanted: tuple[Tensor, ...],
    target: str,
    dtype: str,
    device: str,
) -> dict[str, Any]:
    precision: Any = "tf32" if dtype == "tf32" else getattr(torch, dtype)
    try:
        made = _each(own.for_inference(device, precision, target)(*inputs))
    except NetdraftError as error:
        return {"is_right": True, "refused": str(error)}
    except Exception as error:  # of a driver or a compiler: it is a result too
        return {"is_right": False, "failed": f"{type(error).__name__}: {error}".splitlines()[0]}
    distance = max(
        float((a.double().cpu() - b).abs().max() / b.abs().max().clamp(min=1e-9))
        for a, b in zip(made, wanted, strict=True)
    )
    return {"is_right": distance <= BOUNDS[dtype], "distance": distance}


def _each(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def bench(
    results: Results,
    device: str,
    spec: str,
    batch: int,
    dtype: str,
    targets: Sequence[str] = (),
    peers: Sequence[str] = (),
    training: int = 0,
    rounds: int = 15,
) -> None:
    """Time inference, or a training step, beside the peer."""
    batches = (batch,) if batch else ()
    plan = Plan(
        batches, (dtype,), tuple(targets), rounds, device, training=training, peers=tuple(peers)
    )
    made = run_plan(target_graph(load_graph(spec, {})), plan, lambda text: print(f"    {text}"))
    results.write(bench=made)
    for table in made["tables"]:
        if not table["rows"]:  # to be tried again
            raise BackendError("; ".join(table["refused"].values()))
        for row in sorted(table["rows"], key=lambda row: row["median_ms"]):
            print(f"    {row['side']} {row['subject']}: {row['median_ms']:.3f} ms")


def profile(results: Results, device: str, spec: str, dtype: str) -> None:
    """Say which kernels the best mode runs at batch 1, and how long each takes."""
    case = make_case(target_graph(load_graph(spec, {})), 1, dtype, device)
    name = _best_mode(results.file.parent / f"bench_{dtype}_1.json")
    runner = build_runner(name, case.request)
    activity = torch.profiler.ProfilerActivity
    on_gpu = device.startswith("cuda")
    runner(*case.inputs)
    with torch.profiler.profile(activities=[activity.CUDA if on_gpu else activity.CPU]) as found:
        for _ in range(_REPEATS):
            runner(*case.inputs)
        if on_gpu:
            torch.cuda.synchronize(device)
    rows = [
        {
            "name": str(event.key),
            "count": event.count // _REPEATS,
            "microseconds": _self_time(event, on_gpu) / _REPEATS,
        }
        for event in found.key_averages()
    ]
    rows.sort(key=lambda row: -row["microseconds"])
    total = sum(row["microseconds"] for row in rows)
    print(f"    {name}: {total:.0f} us in all kernels")
    results.write(about={"mode": name, "microseconds": round(total, 1)}, kernels=rows[:40])


def _best_mode(file: Path) -> str:
    """Return netdraft's fastest in an earlier step's results."""
    try:
        (table,) = json.loads(file.read_text(encoding="utf-8"))["bench"]["tables"]
    except (OSError, KeyError, ValueError):
        return "eager"
    rows = [row for row in table["rows"] if row["side"] == "netdraft"]
    return str(min(rows, key=lambda row: row["median_ms"])["subject"])


def _self_time(event: Any, on_gpu: bool) -> float:
    return float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)


def memory(results: Results, device: str, spec: str, dtype: str, batches: Sequence[int]) -> None:
    """Measure the peak memory of every mode, each in a process of its own."""
    megabytes: dict[str, float] = results.found.get("megabytes", {})
    for batch in batches:
        for side, subject in _modes(device):
            key = f"{side} {subject}, {dtype}, batch {batch}"
            if key not in megabytes:
                megabytes[key] = measure_memory(spec, side, subject, dtype, batch, device, [])
                print(f"    {key}: {megabytes[key]:.0f} MB")
                results.write(megabytes=megabytes)


def regions(results: Results, device: str, spec: str, dtype: str) -> None:
    """Compile the emitted network whole, and with each of its repeated blocks compiled once."""
    case = make_case(target_graph(load_graph(spec, {})), 1, dtype, device)
    inputs = tuple(x.to(case.dtype) for x in case.inputs)
    found: dict[str, dict[str, float]] = {}
    for name in ("whole", "regions"):
        module = build_module(case.optimized.graph, seed=None).eval()
        module.load_state_dict(case.optimized.state)
        channels_last: Any = module.to(device, case.dtype)
        channels_last.to(memory_format=torch.channels_last)
        count = mark_regions(module) if name == "regions" else 0
        torch.compiler.reset()
        compiled = torch.compile(module, dynamic=False)
        start = time.perf_counter()
        with torch.no_grad():
            float(_each(compiled(*inputs))[0].sum())  # waits for a GPU
            seconds = time.perf_counter() - start
            times = measure({name: partial(compiled, *inputs)}, 15, device)
        found[name] = {"first_s": seconds, "run_ms": medians(times)[name], "regions": count}
        print(f"    {name}: {seconds:.1f} s, then {found[name]['run_ms']:.3f} ms")
        results.write(compiling=found)


def _modes(device: str) -> Iterator[tuple[str, str]]:
    if device.startswith("cuda"):
        yield "netdraft", "cuda_graph"
    yield "netdraft", "eager"
    yield "peer", "eager"
    yield "peer", "channels_last"


TASKS: dict[str, Callable[..., None]] = {
    "machine": machine,
    "correctness": correctness,
    "bench": bench,
    "profile": profile,
    "memory": memory,
    "regions": regions,
}


def main(arguments: Sequence[str]) -> int:
    """Run a task with its arguments as JSON, and write what it found."""
    task, text = arguments
    request = json.loads(text)
    results = Results(Path(request.pop("file")))
    TASKS[task](results, **request)
    results.write(is_complete=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
