"""What was to be reached, beside what the recorded runs show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends.bench.records import Machine, Run, Table, median_of, name_of

Aim = tuple[str, float, float]
"""What was to be reached, the limit, and the measured ratio."""


def aims_section(machines: Sequence[Machine]) -> str:
    """Return the table of aims: limits, and the ratio of each machine; bold is missed."""
    found = [{what: (limit, ratio) for what, limit, ratio in _aims(m)} for m in machines]
    limits = {what: limit for column in found for what, (limit, _) in column.items()}
    columns = [{what: ratio for what, (_, ratio) in column.items()} for column in found]
    lines = [
        f"| {what} | {limit:.2f} | "
        + " | ".join(_cell(limit, column.get(what)) for column in columns)
        + " |"
        for what, limit in limits.items()
    ]
    titles = [f"[{m.title}](performance/{m.name}.md)" for m in machines]
    head = [
        "## Against the aims",
        "",
        "Ratios of medians, each from one run; **bold** is missed, a dash not measured.",
        "",
        f"| what | at most | {' | '.join(titles)} |",
        "|---" * (2 + len(titles)) + "|",
    ]
    return "\n".join([*head, *lines, ""])


def _cell(limit: float, ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio <= limit else f"**{ratio:.2f}**"


def _aims(machine: Machine) -> Iterator[Aim]:
    yield from _inference_aims([*machine.inference, *machine.batches])
    yield from _torch_aims(machine.inference)
    yield from _training_aims([*machine.training, *machine.compiled_training])
    if machine.memory:
        yield from _memory_aims(machine.memory)


def _inference_aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        limit = 0.97 if table["dtype"] in ("float32", "tf32") else 0.95
        ratio = median_of(table, "netdraft") / median_of(table, "peer")
        yield f"{name_of(table)}: best mode, of the best peer", limit, ratio


def _torch_aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        ours = median_of(table, "netdraft", "eager", "compile")
        ratio = ours / median_of(table, "peer", "compile")
        yield f"{name_of(table)}: torch alone, of the peer's compiled", 0.95, ratio


def _training_aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        peers = {row["subject"] for row in table["rows"] if row["side"] == "peer"}
        for mode in ("compile",) if "compile" in peers else ("eager", "channels_last"):
            ratio = median_of(table, "netdraft") / median_of(table, "peer", mode)
            yield f"{name_of(table)}: training step, of the peer's {mode}", 0.95, ratio


def _memory_aims(memory: Run) -> Iterator[Aim]:
    for batch in sorted({row["batch"] for row in memory["memory"]}):
        ours = _megabytes(memory, "netdraft", "native_lean", batch)
        ratio = ours / _megabytes(memory, "peer", "eager", batch)
        yield f"peak memory, batch {batch}: native_lean, of timm's eager", 0.6, ratio


def _megabytes(run: Run, side: str, subject: str, batch: int) -> float:
    place = side, subject, batch, "float32"
    rows = run["memory"]
    return next(
        float(row["peak"])
        for row in rows
        if (row["side"], row["subject"], row["batch"], row["dtype"]) == place
    )
