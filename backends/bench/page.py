"""docs/PERFORMANCE.md, written from recorded runs: `python -m backends.bench.page [--check]`.

The runs are what `netdraft bench SPEC -o DIR` wrote, kept in docs/performance.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.bench.aims import Table, aims_section, median_of, name_of, tables_of

FOLDER = Path(__file__).parents[2] / "docs" / "performance"
PAGE = FOLDER.parent / "PERFORMANCE.md"

NETWORKS = ("inception_v4", "inception_resnet_v1", "inception_resnet_v2")

ABOUT = {
    "native": "C++ kernels compiled on first use; short (Winograd) convolutions",
    "native_lean": "C++ kernels, image by image, direct convolutions only",
    "short": "short (Winograd) convolutions, forward and backward",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "compile": "torch.compile with freezing",
    "compile_short": "torch.compile with freezing, short 1x7, 7x1 and large 3x3",
    "eager": "eager",
    "channels_last": "eager, channels last",
    "plain": "nothing optimised",
}


def page() -> str:
    """Return the page."""
    runs = {network: _read(f"{network}.json") for network in NETWORKS}
    large = _read("inception_v4_batches.json")
    steps = [t for name in NETWORKS for t in tables_of(_read(f"{name}_training.json"), "training")]
    compiled = tables_of(_read("inception_v4_training_compiled.json"), "training")
    memory = _read("memory.json")
    parts = [
        _intro(runs["inception_v4"]),
        aims_section(runs, large, [*steps, *compiled], memory),
        *(_network(runs[network]) for network in NETWORKS),
        _section("Larger batches", tables_of(large, "inference")),
        _section("Training step", steps),
        _section("Training step, compiled too", compiled),
        _memory(memory),
        _remains(runs),
    ]
    return "\n".join(parts)


def _read(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    for table in result["tables"]:
        table["network"] = result["network"]
    return result


def _intro(run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"""# Performance

Recorded by `netdraft bench` on {run["date"]}, wins and losses. The tables are made from the raw
times in [performance/](performance/) by `make docs`, and a test fails when they are stale.
Machine: {run["device"]}; Python {run["python"]}, {versions}.

All subjects of a table are interleaved in one process; the tables have the median and the best of
the rounds, and the ratio is to the fastest peer's median. The peer of Inception-v4 is timm's
module; of the paper's two Inception-ResNets no package has the very network, so there it is the
module of the spec itself, in eager mode and compiled, and the two runtimes on its plain graph.
Weights and statistics keep activations near unit scale: with torch's default initialisation the
signal dies before the head and every comparison passes. `error` is the largest difference from the
float64 reference, relative to the largest output.

![Inception-v4 as bars](performance/inception_v4.svg)
"""


def _network(run: Mapping[str, Any]) -> str:
    return _section(f"{run['network']}, batch 1", tables_of(run, "inference"))


def _section(title: str, tables: Sequence[Table]) -> str:
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


def _memory(run: Mapping[str, Any]) -> str:
    lines = [
        "## Peak memory of inference",
        "",
        f"{run['network']}, megabytes above a process with everything imported and the input made;",
        "each subject in a process of its own. An earlier run, when `compile` left its parameters",
        "unfrozen on both sides.",
        "",
        "| subject | dtype | batch | all | without the parameters |",
        "|---|---|---|---|---|",
    ]
    for row in sorted(run["memory"], key=lambda r: (r["dtype"], r["batch"], r["peak"])):
        name = f"{row['side']} {row['subject']}"
        lines.append(
            f"| {name} | {row['dtype']} | {row['batch']} | {row['peak']:.0f} | "
            f"{row['activations']:.0f} |"
        )
    return "\n".join([*lines, ""])


def _remains(runs: Mapping[str, Mapping[str, Any]]) -> str:
    tables = [table for run in runs.values() for table in tables_of(run, "inference")]
    direct = sorted(100 * part for table in tables for part in _parts_of_ceiling(table))
    gains = sorted(
        median_of(table, "netdraft", runtime) / median_of(table, "peer", runtime)
        for table in tables
        for runtime in ("onnxruntime", "openvino")
        if runtime in {row["subject"] for row in table["rows"] if row["side"] == "peer"}
    )
    return REMAINS.format(direct[0], direct[-1], gains[0], gains[-1])


def _parts_of_ceiling(table: Table) -> Iterator[float]:
    """Yield the rates of direct products that take a twentieth of the time or more."""
    shares = table.get("profile", ())
    least = sum(share["milliseconds"] for share in shares) / 20
    for share in shares:
        if share["gmacs"] and "F(" not in share["what"] and share["milliseconds"] >= least:
            rate = 2e3 * share["gmacs"] / share["milliseconds"]
            yield rate / table["limits"]["matmul_gflops"]


REMAINS = """## What remains, and why

- **Direct products are at the wall.** In the profiles above, the 1x1 convolutions and those of
  stride 2 that take a twentieth of the time or more run at {0:.0f} to {1:.0f} % of what a large
  matrix product reaches on this machine (in the same run, minutes apart). Only fewer
  multiplications would help: a 1x1 has none to save; a 3x3 of stride 2 could be split into phases
  with shorter filters (0.56 of the products), which is not built.
- **Short convolutions** compute the 3x3 and the 1x7, 7x1 of stride 1 in float32, for rounding their
  operands to bfloat16 would be amplified by the transforms; so in bfloat16 the gain is smaller.
  Transforms, and moving what is transformed, take about as long as the products that are left.
- **Two states of this machine.** It is a guest on a shared host, and for seconds to minutes at a
  time all that two threads do together costs more, while one thread alone is as fast as before, and
  64 MB are copied in half the time: as if the two cores then had no cache in common. The native
  engine suffers most (the first Inception-ResNet in bfloat16 takes 34 ms instead of 27 there,
  OpenVINO 32.7 instead of 29.6; Inception-v4 in float32 83 instead of 70, OpenVINO 117 instead of
  108, `compile_short` 131 instead of 103): ahead in float32, level or behind in bfloat16. Shares of
  a step that stay in place, and tiles that go from input to output in one task, took a third of
  that; what is left was not found. The table of Inception-v4 in float32 above is from that state.
- **Runtimes on our graph** take {2:.2f} to {3:.2f} of their time on the plain one: they fold as
  well as we do, and merged siblings cost them copies, so they get the graph without merging.
- **A training step** is four fifths convolutions. Those of stride 1 are short where that measures
  faster, forward and both gradients; 1x1 and stride 2 are oneDNN's on either side. In bfloat16
  (autocast) the products of short ones are float32's, at half the rate: that pays for the large
  convolutions of Inception-v4, hardly for the Inception-ResNets. Merging siblings would need batch
  norms that write slices.
- **torch alone in bfloat16** spends nine tenths of its time in the same oneDNN convolutions as the
  peer, and the slices of merged siblings are copied (2 % of a run of Inception-ResNet-v2).
- **Memory:** the weights alone are 0.8 of timm's peak at batch 1 in float32, so no engine can be at
  0.6 there; without them `native_lean` is. Short convolutions pay for their speed with packed
  filters of up to seven times the weights: `native` takes more memory than timm at batch 1.

## Again

`make bench` runs it for Inception-v4; `netdraft bench SPEC -o DIR` for any network, with
`--batch 1,8`, `--training 4`, `--memory`, `--profile`, `--device cuda`.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the page; with `--check` say whether it is stale: 0 fresh, 1 stale."""
    parser = argparse.ArgumentParser(description="write docs/PERFORMANCE.md")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it is stale")
    if parser.parse_args(arguments).check:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
