"""Benchmark results as a table of 80 columns, and as a picture (SVG)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

_WIDTH = 80
_BAR = 22
_COLORS = {"netdraft": "#2563a8", "peer": "#9aa3ad"}


def as_text(result: Mapping[str, Any]) -> str:
    """Return all tables of a run for a terminal."""
    head = f"{result['network']} on {result['device']}, torch {result['torch']}"
    parts = [head, *("\n".join(_table(table)) for table in result["tables"])]
    if result.get("memory"):
        parts.append("\n".join(_memory(result["memory"])))
    return "\n\n".join(parts) + "\n"


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    yield f"{table['task']}, {table['dtype']}, batch {table['batch']}; peer: {table['peer']}"
    yield f"{'':25}{'median':>9}{'best':>9}{'img/s':>8}{'ratio':>7}  {'error':<8}"
    peers = [row["median_ms"] for row in table["rows"] if row["side"] == "peer"]
    base = min(peers, default=0.0)
    slowest = max((row["median_ms"] for row in table["rows"]), default=0.0)
    for row in sorted(table["rows"], key=lambda row: row["median_ms"]):
        yield _row(row, table["batch"], base, slowest)
    for name, why in table["refused"].items():
        yield f"  {name}: {why}"[:_WIDTH]
    yield from _limits(table)
    yield from _profile(table["profile"])


def _profile(shares: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not shares:
        return
    total = sum(share["milliseconds"] for share in shares)
    yield f"  native, {total:.1f} ms in all steps"
    for share in shares:
        if share["milliseconds"] < total / 200:
            continue
        rate = share["gmacs"] / share["milliseconds"] * 2e3
        yield (
            f"  {share['what']:30}{share['steps']:4} steps{share['milliseconds']:8.2f} ms"
            f"{share['gmacs']:7.2f} GMAC{rate:6.0f} GFLOP/s"
        )


def _row(row: Mapping[str, Any], batch: int, base: float, slowest: float) -> str:
    median = row["median_ms"]
    name = f"{'>' if row['side'] == 'netdraft' else ' '} {row['side']} {row['subject']}"
    ratio = f"{_short(median / base, 2):>7}" if base else " " * 7
    error = "" if row["error"] is None else f"{row['error']:.0e}"
    bar = "#" * round(12 * median / slowest)
    times = f"{_time(median):>9}{_time(row['best_ms']):>9}{_short(1e3 * batch / median):>8}"
    return f"{name[:25]:25}{times}{ratio}  {error:8}{bar}".rstrip()


def _time(milliseconds: float) -> str:
    """Return a time with three digits at least: on a GPU a run takes less than a millisecond."""
    return _short(milliseconds, 1 if milliseconds >= 10 else 2 if milliseconds >= 1 else 3)


def _short(number: float, digits: int = 1) -> str:
    """Return a number in at most seven characters."""
    return f"{number:.{digits}f}" if 0.05 <= number < 1e4 else f"{number:.1e}"


def _limits(table: Mapping[str, Any]) -> Iterator[str]:
    limits = table["limits"]
    if not limits or not table["rows"]:
        return
    best = min(row["median_ms"] for row in table["rows"])
    floor = limits["arithmetic_floor_ms"]
    short = floor * limits["short_gmacs"] / limits["gmacs"]
    yield (
        f"  measured ceiling {limits['matmul_gflops']:.0f} GFLOP/s (product), "
        f"{limits['copy_gbps']:.1f} GB/s (copy)"
    )
    yield (
        f"  floor: {floor:.1f} ms direct ({100 * floor / best:.0f} % of the best time), "
        f"{short:.1f} ms with short"
    )
    yield (
        f"  convolutions ({100 * short / best:.0f} %), "
        f"{limits['memory_floor_ms']:.1f} ms to move the bytes"
    )


def _memory(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "peak memory of inference, MB"
    for row in rows:
        name = f"{row['side']} {row['subject']}, {row['dtype']}, batch {row['batch']}"
        yield f"  {name:44}{row['peak']:9.0f}"


def as_svg(result: Mapping[str, Any]) -> str:
    """Return bars of medians, a panel per table, netdraft's in blue."""
    panels = []
    top = 56
    for table in result["tables"]:
        height, text = _panel(table, top)
        panels.append(text)
        top += height + 18
    title = escape(f"{result['network']}: {result['device']}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{top}" '
        f'viewBox="0 0 720 {top}" font-family="Helvetica, Arial, sans-serif" font-size="13">\n'
        f"<title>{title}</title>\n"
        f'<rect width="720" height="{top}" fill="white"/>\n'
        f'<text x="20" y="28" font-size="16" font-weight="bold">{title}</text>\n'
        + "".join(panels)
        + "</svg>\n"
    )


def _panel(table: Mapping[str, Any], top: int) -> tuple[int, str]:
    rows = sorted(table["rows"], key=lambda row: row["median_ms"])
    slowest = rows[-1]["median_ms"] if rows else 0.0
    head = f"{table['task']}, {table['dtype']}, batch {table['batch']}: milliseconds (median)"
    out = [f'<text x="20" y="{top + 12}" font-weight="bold">{escape(head)}</text>\n']
    for index, row in enumerate(rows):
        y = top + 22 + index * _BAR
        length = 440 * row["median_ms"] / slowest
        name = row["subject"] if row["side"] == "netdraft" else f"{table['peer']} {row['subject']}"
        label = f"netdraft {name}" if row["side"] == "netdraft" else name
        out.append(
            f'<text x="196" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="204" y="{y + 2}" width="{length:.1f}" height="{_BAR - 6}" '
            f'fill="{_COLORS[row["side"]]}"/>'
            f'<text x="{210 + length:.1f}" y="{y + 14}">{row["median_ms"]:.1f}</text>\n'
        )
    return 26 + len(rows) * _BAR, "".join(out)
