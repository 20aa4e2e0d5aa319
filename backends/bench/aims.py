"""What was to be reached, beside what the recorded runs show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Table = Mapping[str, Any]
"""One table of a recorded run, with the name of its network."""

Aim = tuple[str, float, float]
"""What was to be reached, the limit, and the measured ratio."""


def aims_section(
    runs: Mapping[str, Mapping[str, Any]],
    large: Mapping[str, Any],
    training: Sequence[Table],
    memory: Mapping[str, Any],
) -> str:
    """Return the table of aims, of limits and ratios: reached or missed."""
    aims = [
        *_inference_aims(
            [t for run in (*runs.values(), large) for t in tables_of(run, "inference")]
        ),
        *_torch_aims([t for run in runs.values() for t in tables_of(run, "inference")]),
        *_training_aims(training),
        *_memory_aims(memory),
    ]
    lines = [
        f"| {what} | {limit:.2f} | {ratio:.2f} | {'reached' if ratio <= limit else '**missed**'} |"
        for what, limit, ratio in aims
    ]
    gpu = "| anything on a GPU | | | not measured: none was at hand |"
    head = ["## Against the aims", "", "| what | at most | measured | |", "|---|---|---|---|"]
    return "\n".join([*head, *lines, gpu, ""])


def _inference_aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        limit = 0.97 if table["dtype"] == "float32" else 0.95
        ratio = median_of(table, "netdraft") / median_of(table, "peer")
        yield f"{name_of(table)}: best mode, of the best peer", limit, ratio


def _torch_aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        ours = median_of(table, "netdraft", "eager", "compile", "compile_short")
        ratio = ours / median_of(table, "peer", "compile")
        yield f"{name_of(table)}: torch alone, of the peer's compiled", 0.95, ratio


def _training_aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        peers = {row["subject"] for row in table["rows"] if row["side"] == "peer"}
        for mode in ("compile",) if "compile" in peers else ("eager", "channels_last"):
            ratio = median_of(table, "netdraft") / median_of(table, "peer", mode)
            yield f"{name_of(table)}: training step, of the peer's {mode}", 0.95, ratio


def _memory_aims(memory: Mapping[str, Any]) -> Iterator[Aim]:
    for batch in sorted({row["batch"] for row in memory["memory"]}):
        for quantity, words in (("peak", "all"), ("activations", "without the parameters")):
            lean = _megabytes(memory, "netdraft", "native_lean", batch, quantity)
            ratio = lean / _megabytes(memory, "peer", "eager", batch, quantity)
            yield f"peak memory, batch {batch}, {words}: native_lean, of timm's eager", 0.6, ratio


def tables_of(run: Mapping[str, Any], task: str) -> list[Table]:
    """Return the tables of a run that are of a task: `inference` or `training`."""
    return [table for table in run["tables"] if table["task"] == task]


def name_of(table: Table) -> str:
    """Return the network, dtype and batch of a table."""
    return f"{table['network']}, {table['dtype']}, batch {table['batch']}"


def median_of(table: Table, side: str, *subjects: str) -> float:
    """Return the fastest median of a side, of some subjects or of all but the plain one."""
    rows = [row for row in table["rows"] if row["side"] == side and row["subject"] != "plain"]
    chosen = [row for row in rows if not subjects or row["subject"] in subjects]
    return min(float(row["median_ms"]) for row in chosen)


def _megabytes(run: Mapping[str, Any], side: str, subject: str, batch: int, what: str) -> float:
    place = side, subject, batch, "float32"
    rows = run["memory"]
    return next(
        float(row[what])
        for row in rows
        if (row["side"], row["subject"], row["batch"], row["dtype"]) == place
    )
