"""Every figure of the paper into docs/figures, and the page that shows them side by side.

`python -m viz.gallery` draws them anew; `--check` says whether a picture or the page is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from compiler.files import write_file
from compiler.graph import Graph
from compiler.paper.figures import paper
from compiler.pipeline import draft_graph
from compiler.spec import shipped_specs
from viz.diagram.faults import find_faults
from viz.render import Options, render

DOCS = shipped_specs().parent / "docs"
FIRST, LAST = 1, 20
V4, V1, V2 = "inception_v4", "inception_resnet_v1", "inception_resnet_v2"
PRINTED: dict[int, str] = {
    1: "teaching/residual",
    2: "teaching/bottleneck",
    **dict.fromkeys(range(3, 10), f"printed/{V4}"),
    **dict.fromkeys(range(10, 16), f"printed/{V1}"),
    **dict.fromkeys(range(16, 20), f"printed/{V2}"),
    20: "teaching/residual_scaling",
}
"""Figure -> the spec that draws it to the letter."""
BUILT: dict[int, str] = {
    **dict.fromkeys(range(3, 10), V4),
    **dict.fromkeys(range(10, 16), V1),
    **dict.fromkeys(range(16, 20), V2),
}
"""Figure -> the spec that can be built; the teaching figures are built as printed."""


@cache
def _drafted(spec: str) -> tuple[Graph, Options]:
    graph, report, _ = draft_graph(shipped_specs() / f"{spec}.yaml")
    return graph, Options(faults=find_faults(graph, report.diagnostics))


def _options(spec: str, number: int) -> tuple[Graph, Options]:
    graph, options = _drafted(spec)
    return graph, Options(figure=number, faults=options.faults)


def draw(spec: str, number: int) -> str:
    """Return a figure as SVG."""
    graph, options = _options(spec, number)
    return render(graph, "svg", options).decode("utf-8")


def pictures() -> Iterator[tuple[str, str]]:
    """Yield file name and SVG: each figure as built, and as printed where that differs."""
    for number in range(FIRST, LAST + 1):
        printed = draw(PRINTED[number], number)
        built = draw(BUILT[number], number) if number in BUILT else printed
        yield f"figure_{number}.svg", built
        if built != printed:
            yield f"printed_{number}.svg", printed


def page(names: set[str]) -> str:
    """Return docs/FIGURES.md: figure by figure, what the paper prints and what is drawn."""
    lines = [
        "# The figures, number by number",
        "",
        "Drawn from the specs by `make figures`; arXiv 1602.07261 is what they are held against",
        "(`netdraft check SPEC --against paper`). Boxes and arrows are counted as the paper prints",
        "them and as they are drawn from the spec that reproduces the print to the letter. Where a",
        "figure cannot be built as printed, or is another network than the authors' code, the",
        "built one stands on the left and the print, faults in red, on the right;",
        "[ERRATA.md](ERRATA.md) says why they differ.",
    ]
    for number in range(FIRST, LAST + 1):
        lines += ["", *_section(number, names)]
    return "\n".join(lines) + "\n"


def _section(number: int, names: set[str]) -> list[str]:
    figure = paper().figures[number]
    graph, options = _options(PRINTED[number], number)
    drawn = json.loads(render(graph, "json", options))
    sizes = sum(box.size is not None for box in figure.boxes)
    counts = (
        f"Printed: {len(figure.boxes)} boxes, {len(figure.arrows)} arrows, {sizes} sizes. "
        f"Drawn: {len(drawn['nodes'])} boxes, {len(drawn['edges'])} arrows, "
        f"{sum(node['size'] is not None for node in drawn['nodes'])} sizes."
    )
    out = [f"## Figure {number}: {figure.title}", "", counts, ""]
    built, printed = f"figure_{number}.svg", f"printed_{number}.svg"
    if printed not in names:
        return [*out, f"![Figure {number}](figures/{built})"]
    return [
        *out,
        "| as built | as printed |",
        "|---|---|",
        f"| ![Figure {number} as built](figures/{built}) "
        f"| ![Figure {number} as printed](figures/{printed}) |",
    ]


def files() -> dict[Path, str]:
    """Return every file of the gallery with its contents."""
    drawn = dict(pictures())
    out = {DOCS / "figures" / name: text for name, text in drawn.items()}
    return {**out, DOCS / "FIGURES.md": page(set(drawn))}


def stale() -> list[str]:
    """Return the files that are not what they would be now, and pictures that nothing draws."""
    fresh = files()
    old = [p for p, text in fresh.items() if not p.is_file() or p.read_text("utf-8") != text]
    left = [p for p in (DOCS / "figures").glob("*.svg") if p not in fresh]
    return sorted(p.name for p in (*old, *left))


def main(arguments: list[str]) -> int:
    """Draw the gallery, or with --check name what is stale."""
    if "--check" in arguments:
        for name in stale():
            print(f"stale: {name}")
        return int(bool(stale()))
    for path, text in files().items():
        write_file(path, text)
    print(f"drew {len(files()) - 1} figures into {DOCS / 'figures'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
