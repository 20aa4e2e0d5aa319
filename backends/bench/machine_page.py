"""The page of one machine: every table of its recorded runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.bench.records import Machine, Run, Table, name_of, tables_of

ABOUT = {
    "native": "C++ kernels compiled on first use; short (Winograd) convolutions or matrix tiles",
    "native_lean": "C++ kernels, image by image, direct convolutions only, weights in a file",
    "short": "short (Winograd) convolutions, forward and backward",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "compile": "torch.compile with freezing",
    "compile_short": "given up since: short 1x7, 7x1 and large 3x3 in PyTorch, compiled",
    "compile_matrix": "given up since: 1x1 as matrix products too, compiled",
    "eager": "eager",
    "channels_last": "eager, channels last",
    "plain": "nothing optimised",
}


def machine_page(machine: Machine) -> str:
    """Return the page of a machine, which is written beside its folder."""
    run = next(iter(machine.runs.values()))
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    parts = [
        f"# Performance on {machine.title}",
        "",
        f"Recorded by `netdraft bench` on {run['date']}; Python {run['python']}, {versions}.",
        "[../PERFORMANCE.md](../PERFORMANCE.md) says how, and what is older than its code;",
        "[notes.md](notes.md) what remains, and why.",
        "",
        *(_network(machine, network) for network in machine.runs),
        _section("Larger batches", machine.batches),
        _section("Training step", machine.training),
        _section("Training step, compiled too", machine.compiled_training),
        _memory(machine.memory),
    ]
    return "\n".join(part for part in parts if part is not None)


def _network(machine: Machine, network: str) -> str | None:
    section = _section(f"{network}, batch 1", tables_of(machine.runs[network], "inference"))
    picture = f"![{network} as bars]({machine.name}/{network}.svg)\n"
    return section and f"{section}\n{picture}"


def _section(title: str, tables: Sequence[Table]) -> str | None:
    if not tables:
        return None
    return "\n".join([f"## {title}", "", *(line for t in tables for line in _table(t))])


def _table(table: Table) -> Iterator[str]:
    peers = [row["median_ms"] for row in table["rows"] if row["side"] == "peer"]
    yield f"{name_of(table)}; peer: {table['peer']}."
    yield ""
    yield "| subject | median ms | best ms | images/s | ratio | error |"
    yield "|---|---|---|---|---|---|"
    for row in sorted(table["rows"], key=lambda row: row["median_ms"]):
        yield _row(row, table["batch"], min(peers))
    yield ""
    yield from _limits(table)
    yield from _shares(table.get("profile", ()))


def _row(row: Mapping[str, Any], batch: int, base: float) -> str:
    about = f" ({ABOUT[row['subject']]})" if row["subject"] in ABOUT else ""
    name = f"netdraft {row['subject']}" if row["side"] == "netdraft" else f"peer {row['subject']}"
    name = f"**{name}**" if row["side"] == "netdraft" else name
    error = "" if row["error"] is None else f"{row['error']:.0e}"
    numbers = (
        f"{row['median_ms']:.1f} | {row['best_ms']:.1f} | {1e3 * batch / row['median_ms']:.1f}"
    )
    return f"| {name}{about} | {numbers} | {row['median_ms'] / base:.2f} | {error} |"


def _limits(table: Table) -> Iterator[str]:
    limits = table["limits"]
    if not limits:
        return
    floor = limits["arithmetic_floor_ms"]
    short = floor * limits["short_gmacs"] / limits["gmacs"]
    best = min(row["best_ms"] for row in table["rows"])
    yield (
        f"Measured ceiling: {limits['matmul_gflops']:.0f} GFLOP/s (matrix product), "
        f"{limits['copy_gbps']:.1f} GB/s (copy). Floor: {floor:.1f} ms for the products as they "
        f"stand, {short:.1f} ms with short convolutions ({100 * short / best:.0f} % of the best "
        f"time), {limits['memory_floor_ms']:.1f} ms to move the bytes."
    )
    yield ""


def _shares(shares: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not shares:
        return
    total = sum(share["milliseconds"] for share in shares)
    yield f"Where the native engine's {total:.1f} ms go, each step timed alone:"
    yield ""
    yield "| step | steps | ms | GMAC as they stand | GFLOP/s |"
    yield "|---|---|---|---|---|"
    for share in shares:
        if share["milliseconds"] >= total / 100:
            rate = 2e3 * share["gmacs"] / share["milliseconds"]
            numbers = f"{share['steps']} | {share['milliseconds']:.2f} | {share['gmacs']:.3f}"
            yield f"| {share['what']} | {numbers} | {rate:.0f} |"
    yield ""


def _memory(run: Run | None) -> str | None:
    if run is None:
        return None
    lines = [
        "## Peak memory of inference",
        "",
        f"{run['network']}, megabytes above a process with everything imported and the input made;",
        f"each subject in a process of its own. Recorded on {run['date']}.",
        "",
        "| subject | dtype | batch | MB |",
        "|---|---|---|---|",
    ]
    for row in sorted(run["memory"], key=lambda r: (r["dtype"], r["batch"], r["peak"])):
        name = f"{row['side']} {row['subject']}"
        lines.append(f"| {name} | {row['dtype']} | {row['batch']} | {row['peak']:.0f} |")
    return "\n".join([*lines, ""])
