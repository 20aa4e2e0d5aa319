"""What opening a block adds to the page's picture comes to the picture that `render` would draw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from compiler.spec import shipped_specs
from tests.viz.corpus import WRITTEN
from tests.viz.networks import network
from viz.diagram.arrange import arrange
from viz.diagram.box_builder import View
from viz.diagram.faults import NO_FAULTS, find_faults
from viz.html.drawing import write_drawings
from viz.layout.lay_out import lay_out
from viz.layout.placed import Layout, Point
from viz.render import Options, picture
from viz.style.font import font

Json = dict[str, Any]
Show = Callable[..., Any]
SCRIPT = Path("viz/html/page/drawing.js")
REPEATED = """\
network: repeated
input: {image: [3, 64, 64]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  unit:
    title: Unit
    branches:
      a: [{conv: 3x3, filters: 16, padding: same}, {block: pair, name: deep}]
      b: [{conv: 3x3, filters: 16, padding: same}]
    join: concat
  pair:
    title: Pair
    layers: [{conv: 1x1, filters: 16}, {conv: 1x1, filters: 16}]
  outer:
    title: Outer
    layers:
      - {block: pair, name: first}
      - {layers: [{block: unit, name: u}, {conv: 1x1, filters: 32}], repeat: 3, name: again}
      - {block: pair, name: last}
layers:
  - {layers: [{block: unit, name: u}, {conv: 1x1, filters: 32}], repeat: 4, name: r}
  - {block: outer, name: o}
"""
WIDTHS = """\
network: widths
input: {image: [3, 64, 64]}
params: {base: {type: channels, default: 8}, depth: {type: int, default: 3}}
blocks:
  unit:
    title: Unit
    params: {n: {type: channels}}
    layers: [{conv: 3x3, filters: n, stride: 2}, {conv: 1x1, filters: 16}]
layers:
  - {block: unit, with: {n: base}, name: a}
  - {block: unit, with: {n: 2 * base}, name: b}
  - {conv: 3x3, filters: 16, padding: same, repeat: depth, name: c}
  - {dropout: {drop: 0.2}, name: d}
"""
"""Two instances that a number tells apart, and a repeat."""
HERE = {
    # Network -> (blocks that open in place, blocks that are open only with all of their depth).
    "inception_v4": (6, 0),
    "inception_resnet_v1": (6, 0),
    "inception_resnet_v2": (6, 0),
    "released/inception_resnet_v1_facenet": (7, 0),
    "released/inception_resnet_v2_slim": (8, 0),
    "released/inception_v4_slim": (6, 0),
    "zoo/convnext_tiny": (7, 0),
    "zoo/densenet121": (61, 0),
    "zoo/efficientnet_b0": (31, 0),
    "zoo/googlenet": (9, 0),
    "zoo/inception_v3": (9, 3),
    "zoo/legacy_xception": (7, 9),
    "zoo/mobilenet_v2": (19, 0),
    "zoo/mobilenet_v3_large": (18, 0),
    "zoo/resnet18": (12, 0),
    "zoo/resnet50": (12, 0),
    "zoo/resnext50_32x4d": (12, 0),
    "zoo/shufflenet_v2_x1_0": (9, 6),
    "zoo/squeezenet1_1": (8, 0),
    "zoo/unet": (13, 0),
    "zoo/vgg16_bn": (5, 0),
}
COMPOSED = (
    *("unet", "fpn", "siamese", "multi", "repeated", "inception_v4"),
    *("inception_resnet_v2", "zoo/efficientnet_b0", "zoo/inception_v3", "zoo/mobilenet_v3_large"),
    *("zoo/resnet50", "zoo/shufflenet_v2_x1_0", "zoo/unet"),
)


class Everything:
    """Every attribute may change."""

    def __contains__(self, attribute: object) -> bool:
        return True


@cache
def graph_of(name: str) -> Graph:
    texts = {**WRITTEN, "repeated": REPEATED, "widths": WIDTHS}
    return network(texts[name]) if name in texts else load_graph(name)


@cache
def drawings_of(name: str) -> Json:
    return write_drawings(graph_of(name), Everything(), NO_FAULTS)


def laid_out(name: str, view: View) -> Layout:
    return lay_out(arrange(graph_of(name), view))


def here_of(drawings: Json) -> list[str]:
    """Return the blocks that open in place."""

    def inside(content: Json, block: str) -> Iterator[str]:
        for box in content["boxes"]:
            if "opens" in box:
                name = block + box["id"] if box["id"].startswith(".") else box["id"]
                yield name
                yield from inside(drawings["insides"][box["opens"]["inside"]], name)

    return list(inside(drawings["views"][0]["content"], ""))


def at_depths(drawings: Json) -> list[str]:
    return [name for depth in drawings["depths"] for name in depth["ids"]]


@pytest.fixture
def compose(show: Show) -> Callable[..., list[Json]]:
    """Compose pictures in the browser, of drawings and the sets of open blocks."""
    page = show(f"<svg><g id='root'></g></svg><script>{SCRIPT.read_text()}</script>")

    def composed(drawings: Json, states: list[list[str]], view: int = 0) -> list[Json]:
        script = """([json, states, view]) => {
          const drawing = new Drawing(json);
          return states.map((ids) => {
            const picture = drawing.compose(view, new Set(ids));
            return { ...picture, opened: [...picture.opened] };
          });
        }"""
        found: list[Json] = page.evaluate(script, [drawings, states, view])
        return found

    composed.page = page  # type: ignore[attr-defined]
    return composed


def states_of(name: str) -> list[list[str]]:
    """Return sets of open blocks: none, all, those of each depth, and random ones."""
    drawings, dice = drawings_of(name), Random(name)
    here = here_of(drawings)
    some = [dice.sample(here, dice.randint(0, len(here))) for _ in range(4)]
    levels = [at_depths({"depths": drawings["depths"][:n]}) for n in range(5)]
    return [[], here, *some, *levels]


def bends(points: list[Point]) -> list[Point]:
    """Return the points of a way without those within a straight piece."""
    out = points[:1]
    for before, point in pairwise(points):
        if max(abs(point[0] - before[0]), abs(point[1] - before[1])) > 0.02:
            if len(out) > 1 and _is_between(out[-2], out[-1], point):
                out.pop()
            out.append(point)
    return out


def _is_between(start: Point, middle: Point, end: Point) -> bool:
    (ax, ay), (bx, by), (cx, cy) = start, middle, end
    length = ((cx - ax) ** 2 + (cy - ay) ** 2) ** 0.5
    return bool(abs((cx - ax) * (ay - by) - (ax - bx) * (cy - ay)) < 0.06 * length)


def places(layout: Layout) -> dict[str, list[Point]]:
    """Return where everything in a layout is: boxes, frames, arrows."""
    out = {f"box {b.box.id}": _corners(b.area) for b in layout.boxes}
    out |= {f"frame {f.group.id}": _corners(f.area) for f in layout.frames}
    out |= {f"{a.arrow.tail} -> {a.arrow.head}": bends(list(a.points)) for a in layout.arrows}
    return out | {"picture": [(layout.width, layout.height)]}


def _corners(area: Any) -> list[Point]:
    return [(area.x, area.y), (area.x + area.width, area.y + area.height)]


def composed_places(picture: Json) -> dict[str, list[Point]]:
    out = {}
    for item in picture["items"]:
        (x, y, width, height) = (item[key] for key in ("x", "y", "width", "height"))
        out[f"{item['type']} {item['id']}"] = [(x, y), (x + width, y + height)]
    for arrow in picture["arrows"]:
        points = [(x, y) for x, y in arrow["points"]]
        out[f"{arrow['tail']} -> {arrow['head']}"] = bends(points)
    return out | {"picture": [(picture["width"], picture["height"])]}


def differing(found: Mapping[str, list[Point]], real: Mapping[str, list[Point]]) -> list[str]:
    """Return what is in one picture alone, or at another place by more than 0.1 points."""
    out = sorted(found.keys() ^ real.keys())
    for name in found.keys() & real.keys():
        numbers = [[value for point in where[name] for value in point] for where in (found, real)]
        far = [abs(a - b) for a, b in zip(*numbers, strict=False)]
        if len(numbers[0]) != len(numbers[1]) or max(far) > 0.1:
            out.append(f"{name}: {found[name]}, not {real[name]}")
    return out


@pytest.mark.browser
@pytest.mark.parametrize("name", COMPOSED)
def test_open_blocks_add_up_to_the_picture_of_all(
    name: str, compose: Callable[..., list[Json]]
) -> None:
    pictures = compose(drawings_of(name), states_of(name))

    for found in pictures:
        real = laid_out(name, View(opened=frozenset(found["opened"])))
        assert differing(composed_places(found), places(real)) == []
        assert len(found["arrows"]) == len(real.arrows)
        assert [box["id"] for box in found["boxes"]] == [b.box.id for b in real.boxes]


@pytest.mark.browser
@pytest.mark.parametrize("name", [*COMPOSED, "zoo/legacy_xception"])
def test_all_blocks_of_a_depth_are_the_picture_of_that_depth(
    name: str, compose: Callable[..., list[Json]]
) -> None:
    drawings = drawings_of(name)
    depths = range(1, len(drawings["depths"]) + 1)
    states = [at_depths({"depths": drawings["depths"][:n]}) for n in depths]

    for depth, ids, found in zip(depths, states, compose(drawings, states), strict=True):
        assert differing(composed_places(found), places(laid_out(name, View(depth=depth)))) == []
        assert set(found["opened"]) == set(ids)


@pytest.mark.browser
def test_what_is_asked_for_in_vain_is_left_closed(compose: Callable[..., list[Json]]) -> None:
    """A block in a column opens with all of its depth alone; one in a closed block not at all."""
    drawings = drawings_of("zoo/inception_v3")
    all_but_one = [name for name in at_depths(drawings) if name != "mixed_5b"]
    (found,) = compose(drawings, [all_but_one])
    (closed,) = compose(drawings_of("unet"), [["up1.double_conv"]])

    assert set(at_depths(drawings)) - set(found["opened"]) == {
        "mixed_5b",
        "mixed_7a",
        "mixed_7b",
        "aux",
    }
    assert closed["opened"] == closed["frames"] == []


@pytest.mark.parametrize("name", HERE)
def test_most_blocks_open_in_place(name: str) -> None:
    drawings = drawings_of(name)
    here = here_of(drawings)

    assert (len(here), len(set(at_depths(drawings)) - set(here))) == HERE[name]
    # The whole of a depth is there where opening its blocks one by one does not come to that.
    assert any("content" in depth for depth in drawings["depths"]) == bool(HERE[name][1])


@pytest.mark.parametrize("name", ["inception_v4", *(n for n in HERE if n.startswith("zoo/"))])
def test_drawings_are_small(name: str) -> None:
    text = json.dumps(drawings_of(name), separators=(",", ":"))
    assert len(text) < 80_000


def test_what_is_the_same_inside_is_there_once() -> None:
    """DenseNet-121 has 58 dense layers in 4 dense blocks: one is as the next."""
    drawings = drawings_of("zoo/densenet121")
    assert len(here_of(drawings)) == 61
    assert len(drawings["insides"]) < 61


@pytest.mark.parametrize("name", ["inception_v4", "unet", "zoo/efficientnet_b0"])
def test_opening_a_block_changes_no_other_box(name: str) -> None:
    closed = {b.box.id: b for b in laid_out(name, View()).boxes}
    for block in [i for i, placed in closed.items() if placed.box.region]:
        boxes = laid_out(name, View(opened=frozenset([block]))).boxes
        sizes = {b.box.id: (b.area.width, b.area.height) for b in boxes if b.box.id in closed}
        assert sizes == {i: (closed[i].area.width, closed[i].area.height) for i in sizes}


def test_every_block_is_a_figure_of_its_own() -> None:
    views = drawings_of("inception_v4")["views"]
    assert [(v["title"], v.get("figure"), v.get("block")) for v in views] == [
        ("Inception-v4", None, None),
        ("Stem", 3, "stem_v4"),
        ("Inception-A", 4, "inception_a"),
        ("Inception-B", 5, "inception_b"),
        ("Inception-C", 6, "inception_c"),
        ("Reduction-B", 8, "reduction_b"),
        ("Reduction-A", 7, "reduction_a"),
    ]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "figures"),
    [("inception_v4", range(3, 9)), ("inception_resnet_v1", (7, *range(10, 15)))],
)
def test_a_figure_is_the_one_that_render_draws(
    name: str, figures: Any, compose: Callable[..., list[Json]]
) -> None:
    drawings = drawings_of(name)
    views = {view.get("figure"): i for i, view in enumerate(drawings["views"])}
    assert set(views) == {None, *figures}
    for number in figures:
        (found,) = compose(drawings, [[]], views[number])
        real = lay_out(picture(graph_of(name), Options(figure=number)))
        assert differing(composed_places(found), places(real)) == []


def labels(content: Json) -> list[Any]:
    return [box["lines"] for box in content["boxes"]]


def test_numbers_that_may_change_are_slots() -> None:
    live = {("a.conv_3x3", "out_channels"), ("b.conv_3x3", "stride"), ("d", "drop")}
    drawings = write_drawings(graph_of("widths"), live, NO_FAULTS)

    image, a, b, c, d = labels(drawings["views"][0]["content"])
    assert image == [["Input (", {"s": "image", "t": "64x64x3"}, ")"]]
    assert a == [["Unit (", {"g": ["a", "n"], "t": "8"}, ")"]]
    assert b == [["Unit (", {"g": ["b", "n"], "t": "16"}, ")"]]
    assert c == [[{"c": "c.0", "t": "3"}, " x 3x3 Conv (16)"]]
    # What it keeps is 1 less the number that is dropped; a stride is a pair.
    assert d == [["Dropout (keep ", {"a": ["d", "drop"], "t": "0.8", "less": 1}, ")"]]


def test_names_in_an_open_block_are_from_its_path() -> None:
    live = {("a.conv_3x3", "out_channels"), ("b.conv_3x3", "out_channels")}
    drawings = write_drawings(graph_of("widths"), live, NO_FAULTS)
    a, b = drawings["insides"]

    slot = {"a": [".conv_3x3", "out_channels"], "t": "8"}
    assert labels(a)[0] == [["3x3 Conv (", slot, " stride 2)"]]
    assert labels(b)[0] == [["3x3 Conv (", {**slot, "t": "16"}, " stride 2)"]]


def test_a_label_of_two_lines_keeps_its_slots() -> None:
    drawings = drawings_of("inception_v4")
    (block,) = (b for b in drawings["views"][0]["content"]["boxes"] if b["id"] == "a.0")
    inside = drawings["insides"][block["opens"]["inside"]]
    assert [
        ["3x3 Conv"],
        ["(", {"a": [".short.conv_3x3.conv", "out_channels"], "t": "96"}, ")"],
    ] in (labels(inside))


def test_slots_put_back_are_the_labels_of_render() -> None:
    """At every depth of every network: the texts that are drawn are those of the formats."""
    for name in ("inception_v4", "inception_resnet_v2", "zoo/unet", "zoo/efficientnet_b0"):
        drawings = drawings_of(name)
        layout = laid_out(name, View())
        content = drawings["views"][0]["content"]
        texts = [
            [text.text for text in placed.texts if text.role == "label"]
            for placed in sorted(layout.boxes, key=lambda placed: placed.box.id)
        ]
        found = sorted(content["boxes"], key=lambda box: box["id"])
        assert [["".join(map(read, line)) for line in box["lines"]] for box in found] == texts


def read(part: Any) -> str:
    return part if isinstance(part, str) else str(part["t"])


def draw(page: Any, drawings: Json, opened: list[str], size: str | None = None) -> None:
    """Draw a network; `size` is that of its input if it has changed."""
    page.evaluate(
        """([json, ids, size]) => {
          const drawing = new Drawing(json);
          const picture = drawing.compose(0, new Set(ids));
          const textOf = (part) => (part.s === "image" ? size ?? part.t : part.t);
          const classOf = (item) => (item.id === "image" ? ["hot"] : []);
          drawing.drawInto(document.getElementById("root"), picture, {
            textOf, classOf, describe: (item) => `${item.id} in words`,
          });
        }""",
        [drawings, opened, size],
    )


@pytest.mark.browser
def test_items_can_be_found_and_described(compose: Any) -> None:
    draw(compose.page, drawings_of("inception_v4"), ["a.0"])

    (stem,) = compose.page.locator('.item[data-id="stem"]').all()
    (frame,) = compose.page.locator('.item[data-id="a.0"]').all()
    attributes = ("class", "role", "tabindex", "aria-label", "aria-expanded")
    assert [stem.get_attribute(name) for name in attributes] == [
        *("item box kind-stem openable", "button", "-1", "stem in words", "false")
    ]
    assert [frame.get_attribute(name) for name in attributes] == [
        *("item caption kind-inception", "button", "-1", "a.0 in words", "true")
    ]
    assert frame.locator("text").all_text_contents() == ["4 x Inception-A", "Output: 35x35x384"]
    classes = compose.page.locator('.item[data-id="image"]').get_attribute("class")
    assert classes == "item box kind-input hot"


@pytest.mark.browser
@pytest.mark.parametrize(("name", "block"), [("inception_v4", "a.0"), ("zoo/unet", "up_2")])
def test_texts_are_where_the_formats_have_them(name: str, block: str, compose: Any) -> None:
    draw(compose.page, drawings_of(name), [block])
    found = compose.page.locator("svg text").evaluate_all(
        "es => es.map((e) => [e.textContent, ...['x', 'y', 'textLength', 'font-size']"
        ".map((name) => Number(e.getAttribute(name)))])"
    )
    layout = laid_out(name, View(opened=frozenset([block])))
    texts = [text for placed in layout.boxes for text in placed.texts]
    texts += [text for placed in layout.frames for text in placed.texts]
    real = sorted([t.text, t.x, t.y, t.width, t.size] for t in texts)

    for (text, *numbers), (wanted, *where) in zip(sorted(found), real, strict=True):
        assert text == wanted
        assert numbers == pytest.approx(where, abs=0.1)


@pytest.mark.browser
def test_a_text_that_became_longer_than_its_box_is_narrowed(compose: Any) -> None:
    line = compose.page.locator('.item[data-id="image"] text.label')
    draw(compose.page, drawings_of("inception_v4"), [], "9x9x3")
    assert line.text_content() == "Input (9x9x3)"
    assert float(line.get_attribute("textLength")) == pytest.approx(
        font().width("Input (9x9x3)", 9), abs=0.1
    )

    draw(compose.page, drawings_of("inception_v4"), [], "299000x299000x30000")
    width = float(compose.page.locator('.item[data-id="image"] .shape').get_attribute("width"))
    assert float(line.get_attribute("textLength")) == pytest.approx(width - 4)


@pytest.mark.browser
def test_what_fails_is_marked(compose: Any) -> None:
    """Figure 3 as printed cannot be computed (FACTS, E1): with both sizes at the concat."""
    graph, report, _ = draft_graph(shipped_specs() / "printed" / "inception_v4.yaml")
    drawings = write_drawings(graph, set(), find_faults(graph, report.diagnostics))

    draw(compose.page, drawings, ["stem"])
    failed = compose.page.locator(".item.failed").evaluate_all("es => es.map((e) => e.dataset.id)")
    assert failed == ["stem", "stem.mixed_5a.conv.conv_3x3", "stem.mixed_5a.concat"]
    assert compose.page.locator(".arrow.failed").count() == 2
    words = compose.page.locator(".arrow.failed text.flow").all_text_contents()
    assert words == ["69x69x192", "35x35x192"]
