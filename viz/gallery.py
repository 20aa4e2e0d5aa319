"""Every figure of the paper into docs/figures, the zoo beside them, and the pages that show them.

`python -m viz.gallery` draws them anew; `--check` says whether a picture or the page is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from compiler.files import write_file
from compiler.graph import Graph
from compiler.paper.figures import paper
from compiler.pipeline import draft_graph
from compiler.spec import shipped_specs
from viz.diagram.annotate import readable
from viz.diagram.faults import find_faults
from viz.diagram.parts import Diagram, map_boxes
from viz.render import Options, draw, picture, render

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


ZOO = (
    "resnet18", "resnet50", "vgg16_bn", "googlenet", "inception_v3", "legacy_xception",
    "squeezenet1_1", "shufflenet_v2_x1_0", "mobilenet_v2", "mobilenet_v3_large",
    "efficientnet_b0", "convnext_tiny",
)  # fmt: skip
"""Networks of specs/zoo, each picture of them looked at."""
OVERVIEW = Options(direction="right", width="9in", height="5in")
OPENED = Options(depth=9, width="10in", height="9in", least_type=3)


@cache
def _drafted(spec: str) -> tuple[Graph, Options]:
    graph, report, _ = draft_graph(shipped_specs() / f"{spec}.yaml")
    return graph, Options(faults=find_faults(graph, report.diagnostics))


def _options(spec: str, number: int) -> tuple[Graph, Options]:
    graph, options = _drafted(spec)
    return graph, Options(figure=number, faults=options.faults)


def pictures() -> Iterator[tuple[str, str]]:
    """Yield file name and SVG: each figure as built, and as printed where a box differs."""
    for number in range(FIRST, LAST + 1):
        printed = picture(*_options(PRINTED[number], number))
        built = picture(*_options(BUILT[number], number)) if number in BUILT else printed
        differing = differences(built, printed)
        yield f"figure_{number}.svg", draw(_marked(built, differing)).decode("utf-8")
        if differing:
            yield f"printed_{number}.svg", draw(_marked(printed, differing)).decode("utf-8")


def differences(first: Diagram, second: Diagram) -> set[str]:
    """Return the boxes that are only in one of two pictures, or have other words or sizes there."""
    known, other = (
        {box.id: (box.label, box.size) for box in diagram.boxes()} for diagram in (first, second)
    )
    return {name for name in known | other if known.get(name) != other.get(name)}


def _marked(diagram: Diagram, names: set[str]) -> Diagram:
    content = map_boxes(diagram.content, lambda box: replace(box, marked=box.id in names))
    return replace(diagram, content=content)


def page(names: set[str]) -> str:
    """Return docs/FIGURES.md: figure by figure, what the paper prints and what is drawn."""
    lines = [
        "# The figures, number by number",
        "",
        "Drawn from the specs by `make figures`; arXiv 1602.07261 is what they are held against",
        "(`netdraft check SPEC --against paper`). Boxes and arrows are counted as the paper prints",
        "them and as they are drawn from the spec that reproduces the print to the letter. Where a",
        "figure cannot be built as printed, or is another network than the authors' code, the",
        "built one stands on the left and the print on the right. Boxes that differ have a thick",
        "edge, brown, or red where the print cannot be computed; [ERRATA.md](ERRATA.md) says why.",
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


def zoo_pictures() -> Iterator[tuple[str, str]]:
    """Yield file name and SVG: each network of the zoo closed, and with its blocks open."""
    for name in ZOO:
        graph, _ = _drafted(f"zoo/{name}")
        yield f"zoo_{name}.svg", render(graph, "svg", OVERVIEW).decode("utf-8")
        yield f"zoo_{name}_open.svg", render(graph, "svg", OPENED).decode("utf-8")


def zoo_page() -> str:
    """Return docs/ZOO.md."""
    lines = [
        "# The zoo, drawn",
        "",
        "Networks that the language was not made for, from `specs/zoo`, drawn by `make figures`:",
        "closed (`netdraft render zoo/resnet50 --direction right`), and every block open, in as",
        "many columns as make the picture largest on its page",
        "(`--depth all --width 10in --height 9in --min-type 3`).",
        "The paper's figures are in [FIGURES.md](FIGURES.md).",
    ]
    for name in ZOO:
        graph, _ = _drafted(f"zoo/{name}")
        parameters = readable(graph.parameters())
        lines += [
            *("", f"## {graph.title}", ""),
            f"{parameters} parameters, {readable(graph.macs())} MACs. `specs/zoo/{name}.yaml`",
            *("", f"![{graph.title}](figures/zoo_{name}.svg)"),
            *("", f"![{graph.title}, blocks open](figures/zoo_{name}_open.svg)"),
        ]
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Return every file of the gallery with its contents."""
    drawn, zoo = dict(pictures()), dict(zoo_pictures())
    out = {DOCS / "figures" / name: text for name, text in {**drawn, **zoo}.items()}
    return {**out, DOCS / "FIGURES.md": page(set(drawn)), DOCS / "ZOO.md": zoo_page()}


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
    print(f"drew {len(files()) - 2} figures into {DOCS / 'figures'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
