"""What differs between a figure as built and as printed can be seen, and nothing else is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.__main__ import main
from compiler.pipeline import draft_graph, load_graph
from viz.diagram.faults import find_faults
from viz.diagram.parts import Box
from viz.gallery import BUILT, PRINTED, differences
from viz.render import Options, picture, render
from viz.style.theme import THEMES

DIFFERING = {
    3: {"3x3 Conv (192 stride 2 V)", "3x3 MaxPool (stride 2 V)"},
    5: {"7x1 Conv (256)"},
    9: {"Average Pooling"},
    15: {"5 x Inception-ResNet-A", "10 x Inception-ResNet-B", "5 x Inception-ResNet-C"},
    17: {"1x1 Conv (1152 Linear)"},
    19: {"1x1 Conv (2144 Linear)"},
}
"""Figure -> boxes that are built otherwise than they are printed, by docs/ERRATA.md."""


def boxes(spec: str, number: int) -> dict[str, Box]:
    graph, report, _ = draft_graph(spec)
    faults = find_faults(graph, report.diagnostics)
    return {b.id: b for b in picture(graph, Options(figure=number, faults=faults)).boxes()}


@pytest.mark.parametrize("number", sorted(BUILT))
def test_boxes_that_are_built_otherwise_than_printed(number: int) -> None:
    built = boxes(BUILT[number], number)
    graphs = [draft_graph(spec)[0] for spec in (BUILT[number], PRINTED[number])]
    names = differences(*(picture(graph, Options(figure=number)) for graph in graphs))

    assert {built[name].label for name in names if name in built} == DIFFERING.get(number, set())


def test_a_marked_box_has_an_edge_of_its_own_colour_and_width() -> None:
    box = Box("a", "A", "conv", marked=True)
    for theme in THEMES.values():
        plain = Box("a", "A", "conv")
        assert theme.edge(box) not in (theme.edge(plain), theme.failed)
        assert theme.edge_width(box) == 3 * theme.edge_width(plain)
        # What fails is red first of all.
        assert theme.edge(Box("a", "A", "conv", marked=True, failed=True)) == theme.failed


def test_the_gallery_marks_them_in_both_pictures() -> None:
    from viz.gallery import pictures

    drawn = dict(pictures())
    marked = f'stroke="{THEMES["paper"].marked}" stroke-width="2.4"'

    assert [name for name, svg in drawn.items() if name.startswith("printed_")] == [
        f"printed_{number}.svg" for number in DIFFERING
    ]
    for number, labels in DIFFERING.items():
        assert drawn[f"figure_{number}.svg"].count(marked) == len(labels)
    assert drawn["figure_4.svg"].count(marked) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--figure", "5"], 0), (["--figure", "3"], 1), ([], 1), (["--block", "b.0"], 0)],
)
def test_a_fault_is_told_where_it_is_drawn(
    capfd: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    """The printed stem cannot be built; Figure 5 has nothing of it."""
    assert main(["render", "printed/inception_v4", *arguments]) == code

    assert ("cannot concat 69x69x192" in capfd.readouterr().err) == bool(code)


def test_a_fault_at_no_layer_is_told_whatever_is_drawn(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "bad.yaml"
    spec.write_text(
        "network: bad\ninput: {image: [3, 8, 8]}\nparams: {unused: 1}\n"
        "blocks: {b: {layers: [relu]}}\nlayers: [{block: b, name: only}]\n"
    )

    assert main(["render", str(spec), "--block", "only"]) == 0
    assert "unused" in capfd.readouterr().err


def test_both_sizes_of_a_fault_are_red_and_apart() -> None:
    graph, report, _ = draft_graph("printed/inception_v4")
    options = Options(figure=3, faults=find_faults(graph, report.diagnostics))
    svg = render(graph, "svg", options).decode()

    assert svg.count(f'fill="{THEMES["paper"].failed}"') >= 4
    assert "69x69x192</text>" in svg
    assert "35x35x192</text>" in svg


def test_a_built_network_has_no_fault() -> None:
    assert find_faults(load_graph("inception_v4")).nodes == frozenset()
