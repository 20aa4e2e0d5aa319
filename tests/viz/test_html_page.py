"""The page in a browser: drawing, keys, search, details, live controls, print, hostile names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiler.facts.labels import label_of
from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from viz.diagram.fold import names_in
from viz.html import render_html

Show = Callable[..., Any]
"""Opens a page's text in the browser."""


pytestmark = pytest.mark.browser
V4 = "inception_v4"
TOTAL_V4 = "42,679,816"
"""FACTS section 5: the released network with batch-norm scale."""


def page_of(spec: str | Path) -> str:
    graph, report, loaded = draft_graph(spec)
    return render_html(graph, loaded, report.diagnostics)


def labels_of(page: Any) -> list[str]:
    labels: list[str] = page.locator("#boxes .item").evaluate_all(
        "es => es.map(e => [...e.querySelectorAll('text.label, text.caption-label')]"
        ".map(t => t.textContent).join(' '))"
    )
    return labels


def is_later_copy(graph: Graph, name: str) -> bool:
    """True for a node that is in a copy of a repeat, the first one aside."""
    while name in graph.parents:
        parent = graph.parents[name]
        if graph.regions[parent].kind == "repeat" and name != graph.regions[parent].members[0]:
            return True
        name = parent
    return False


def box(page: Any, label: str) -> Any:
    return page.locator(f'#boxes .item[aria-label^="{label},"]')


def test_overview_is_figure_9(show: Show) -> None:
    page = show(page_of(V4))
    assert labels_of(page) == [
        "Input (299x299x3)",
        "Stem",
        "4 x Inception-A",
        "Reduction-A",
        "7 x Inception-B",
        "Reduction-B",
        "3 x Inception-C",
        "Average Pooling",
        "Dropout (keep 0.8)",
        "Softmax",
    ]
    sizes = page.locator("#boxes text.size").all_text_contents()
    assert sizes[1:4] == ["Output: 35x35x384", "Output: 35x35x384", "Output: 17x17x1024"]
    assert page.locator("#parameters").text_content() == TOTAL_V4
    assert page.locator("#macs").text_content() == "12.25 G"


def test_data_flows_upwards_in_order(show: Show) -> None:
    page = show(page_of(V4))
    tops = page.locator("#boxes .item .shape").evaluate_all(
        "es => es.map(e => e.getBoundingClientRect().top)"
    )
    assert tops == sorted(tops, reverse=True)


def test_every_block_opens_by_keyboard(show: Show) -> None:
    page = show(page_of(V4))
    page.locator("#boxes .item[tabindex='0']").focus()
    page.keyboard.press("Home")
    opened = []
    for _ in range(9):
        page.keyboard.press("ArrowUp")
        item = page.locator("#boxes .item:focus")
        if item.get_attribute("aria-expanded") == "false":
            page.keyboard.press("Enter")
            item = page.locator("#boxes .item:focus")
            assert item.get_attribute("aria-expanded") == "true"
            opened.append(item.get_attribute("data-id"))
            page.keyboard.press("Escape")
            assert page.locator("#boxes .item:focus").get_attribute("aria-expanded") == "false"
    assert opened == ["stem", "a.0", "reduction_a", "b.0", "reduction_b", "c.0"]


def test_opened_inception_c_is_figure_6(show: Show) -> None:
    page = show(page_of(V4))
    box(page, "3 x Inception-C").locator(".shape").click()
    inside = [label for label in labels_of(page) if "Conv" in label]
    assert sorted(inside) == [
        *["1x1 Conv (256)"] * 2,
        *["1x1 Conv (384)"] * 2,
        *["1x3 Conv (256)"] * 2,
        "1x3 Conv (448)",
        *["3x1 Conv (256)"] * 2,
        "3x1 Conv (512)",
    ]


def test_opening_keeps_the_block_where_it_is(show: Show) -> None:
    page = show(page_of(V4))
    stem = box(page, "Stem")
    before = stem.locator(".shape").bounding_box()
    page.evaluate("netdraft.view.reveal = () => {}")
    stem.locator(".shape").click()
    after = page.locator("#boxes rect.frame").bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] + after["height"] == pytest.approx(before["y"] + before["height"], abs=1)


@pytest.mark.parametrize(
    "spec",
    ["inception_v4", "inception_resnet_v1", "released/inception_resnet_v2_slim", "zoo/googlenet"],
)
def test_labels_are_the_compiler_s(show: Show, spec: str) -> None:
    graph, _, loaded = draft_graph(spec)
    page = show(render_html(graph, loaded))
    drawn = page.evaluate(
        "() => { netdraft.setAll(true); const { items } = netdraft.program;"
        " return netdraft.composed.boxes.filter(({ id }) => items[id].times === undefined)"
        ".map(({ id }) => [id, netdraft.titleOf(id)]); }"
    )
    compared = [(label, label_of(graph, name)) for name, label in drawn if name in graph.parents]
    assert len(compared) > 20
    for label, wanted in compared:
        assert label == wanted


@pytest.mark.parametrize("spec", ["inception_v4", "inception_resnet_v1", "zoo/inception_v3"])
def test_open_figure_has_no_overlaps_and_nothing_is_clipped(show: Show, spec: str) -> None:
    page = show(page_of(spec))
    bad = page.evaluate(
        """() => {
          netdraft.setAll(true);
          const { boxes } = netdraft.composed;
          const apart = (a, b) => a.x + a.width <= b.x || b.x + b.width <= a.x
            || a.y + a.height <= b.y || b.y + b.height <= a.y;
          const out = [];
          boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
            if (!apart(a, b)) out.push(`${a.id} over ${b.id}`);
          }));
          for (const item of document.querySelectorAll('#boxes .box')) {
            const edge = item.querySelector('.shape').getBBox();
            for (const text of item.querySelectorAll('text.label')) {
              const t = text.getBBox();
              if (t.x < edge.x - 1 || t.x + t.width > edge.x + edge.width + 1) {
                out.push(text.textContent);
              }
            }
          }
          return out;
        }"""
    )
    assert bad == []


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("spec", ["inception_v4", "released/inception_resnet_v2_slim"])
def test_every_operation_is_in_exactly_one_box(show: Show, spec: str, is_open: bool) -> None:
    graph, _, loaded = draft_graph(spec)
    page = show(render_html(graph, loaded))
    page.evaluate(f"netdraft.setAll({json.dumps(is_open)})")
    counted = page.evaluate(
        "netdraft.composed.boxes.flatMap(({ id }) => netdraft.program.items[id].counts ?? [])"
    )
    members = [node for name in counted for node in names_in(graph, name)]
    assert len(members) == len(set(members))
    inside = [name for name in graph.nodes if not is_later_copy(graph, name)]
    assert set(inside) <= set(members)


def test_search_finds_inside_closed_blocks(show: Show) -> None:
    page = show(page_of(V4))
    page.keyboard.press("/")
    page.keyboard.type("3x1 512")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    item = page.locator("#boxes .item:focus")
    assert item.get_attribute("data-id") == "c.0.long.conv_3x1"
    assert "3x1 Conv (512), output 8x8x512" in (item.get_attribute("aria-label") or "")
    page.fill("#search", "Figure 5")
    assert page.locator("#found button span").first.text_content() == "7 x Inception-B"
    page.fill("#search", "no such thing")
    assert page.locator("#nothing").is_visible()


def test_inside_a_frame_of_copies_one_is_counted(show: Show) -> None:
    page = show(page_of(V4))
    page.click("#open-all")
    page.evaluate("netdraft.goTo('a.0.single.conv_1x1')")
    text = page.locator("#details").inner_text()
    assert "37,056 (0.1 %)" in text
    assert "4 copies, one is counted" in text
    page.evaluate("netdraft.goTo('a.0')")
    text = page.locator("#details").inner_text()
    assert "1,270,528 (4 x 317,632) (3.0 %)" in text
    assert "4, counted together" in text


def test_a_size_that_was_never_computed_is_unknown(show: Show) -> None:
    page = show(page_of(V4))
    page.fill("#input-image-1", "74")
    page.fill("#input-image-2", "74")
    sizes = page.locator("#boxes text.size").all_text_contents()
    assert sizes[4:] == [
        "Output: 2x2x1024",
        "Output: ?x?x1536",
        "Output: ?x?x1536",
        "Output: 1536",
        "Output: 1536",
        "Output: 1000",
    ]


def test_details_tell_numbers_citation_errata_and_line(show: Show) -> None:
    page = show(page_of(V4))
    box(page, "Reduction-A").locator(".shape").hover()
    page.locator("#details h2", has_text="Reduction-A").wait_for()
    text = page.locator("#details").inner_text()
    for words in ("17x17x1024", "2,306,112", "k = 192", "Table 1; Figure 7", "inception_v4.yaml:"):
        assert words in text
    page.locator("#boxes .item .shape").last.click()
    page.locator("#details summary").filter(has_text="E10").click()
    assert "Printed" in page.locator("#details").inner_text()


def test_smaller_input_names_the_layer_and_the_smallest_size(show: Show) -> None:
    page = show(page_of(V4))
    page.fill("#input-image-1-both", "75")
    assert page.locator("#problems").is_hidden()
    page.fill("#input-image-1-both", "74")
    _, report, _ = draft_graph(V4, {}, ["3x74x74"])
    problems = page.locator("#problems")
    assert problems.locator(".message").all_text_contents() == [e.message for e in report.errors]
    assert problems.get_attribute("role") == "alert"
    assert page.locator("#parameters").text_content() == "\u2014"
    problems.get_by_role("button").first.click()
    assert page.locator("#boxes .item:focus").get_attribute("class").split()[-2] == "failed" or (
        "does not fit" in (page.locator("#boxes .item:focus").get_attribute("aria-label") or "")
    )
    page.click("#reset-all")
    assert page.locator("#parameters").text_content() == TOTAL_V4


def test_refused_value_says_why_and_the_default_holds(show: Show) -> None:
    page = show(page_of(V4))
    for text, why in {
        "12.5": "`12.5` is no whole number",
        "1e3": "`1e3` is no whole number",
        "": "an empty field is no whole number",
    }.items():
        page.fill("#param-classes", "10")
        page.fill("#param-classes", text)
        row = page.locator(".control", has=page.locator("#param-classes"))
        assert row.locator(".why").inner_text() == why
        assert page.locator("#parameters").text_content() == TOTAL_V4
        assert page.locator("#changes").is_hidden()
    page.fill("#param-classes", "1000")
    assert page.locator("#changes").is_hidden()  # the default is no change


def test_slider_ends_come_back(show: Show) -> None:
    page = show(page_of(V4))
    slider = page.locator(".control", has=page.locator("#param-classes")).locator("[type=range]")
    page.fill("#param-classes", "9000")
    assert slider.get_attribute("max") == "9000"
    page.fill("#param-classes", "10")
    assert slider.get_attribute("max") == "2000"


def test_figure_cannot_be_pushed_out_of_sight(show: Show) -> None:
    page = show(page_of(V4))
    page.evaluate("netdraft.view.pan(1e6, -1e6)")
    seen = page.evaluate(
        "(() => { const a = document.getElementById('boxes').getBoundingClientRect();"
        " const b = document.getElementById('figure').getBoundingClientRect();"
        " return [b.right - a.left, a.bottom - b.top]; })()"
    )
    assert min(seen) > 30


def test_link_keeps_the_state(show: Show) -> None:
    page = show(page_of(V4))
    page.fill("#param-classes", "10")
    page.select_option("#heat", "macs")
    page.evaluate("netdraft.goTo('reduction_a.pool.max_pool_3x3')")
    link = page.evaluate("netdraft.link")
    page.evaluate("location.hash = netdraft.link")
    page.reload()
    assert page.evaluate("netdraft.link") == link
    assert page.locator("#out-size").text_content() == "10"
    assert page.locator("#boxes rect.frame").count() == 1
    assert page.locator("#legend").is_visible()


def test_changes_stand_beside_the_numbers(show: Show) -> None:
    page = show(page_of(V4))
    page.fill("#param-classes", "10")
    assert page.locator("#parameters-change").text_content() == " (\u22123.6 %)"
    assert page.locator("#parameters").text_content() == "41,158,186"


def test_heat_map_has_a_legend(show: Show) -> None:
    page = show(page_of(V4))
    page.select_option("#heat", "parameters")
    most = load_graph(V4).parameters("b")
    assert isinstance(most, int)
    assert page.locator("#legend").inner_text().strip() == f"0 to {most / 1e6:.2f} M parameters"
    fills = page.locator("#boxes .box .shape").evaluate_all(
        "es => es.map(e => getComputedStyle(e).fill)"
    )
    assert len(set(fills)) > 5


def test_presentation_steps_through_the_blocks(show: Show) -> None:
    page = show(page_of(V4), viewport={"width": 1024, "height": 768})
    page.keyboard.press("p")
    assert page.locator("aside").is_hidden()
    told = []
    for _ in range(4):
        told.append(page.locator("#caption").inner_text().split(",")[0])
        page.keyboard.press("ArrowRight")
    assert told == ["Inception-v4: 42", "Input (299x299x3)", "Stem", "4 x Inception-A"]
    assert page.locator("#boxes rect.frame").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("aside").is_visible()
    assert page.locator("#boxes rect.frame").count() == 0


def test_definitions_are_views_of_their_own(show: Show) -> None:
    page = show(page_of(V4))
    titles = page.locator("#view option").all_text_contents()
    assert titles[0] == "Inception-v4"
    assert "Reduction-A" in " ".join(titles)
    page.select_option("#view", label=next(t for t in titles if "Reduction-A" in t))
    assert "3x3 Conv (n stride 2 V)" in labels_of(page)


@pytest.mark.parametrize(("kind", "begin"), [("svg", b"<svg xmlns"), ("png", b"\x89PNG"),
                                             ("tikz", b"\\begin{tikzpicture}")])  # fmt: skip
def test_present_view_is_exported(show: Show, tmp_path: Path, kind: str, begin: bytes) -> None:
    page = show(page_of(V4))
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.click(f"#save-{kind}")
    file = tmp_path / "view"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"inception_v4.{kind}"
    assert file.read_bytes().startswith(begin)


def test_broken_spec_is_drawn_with_its_fault(show: Show) -> None:
    page = show(page_of("printed/inception_v4"))
    assert page.locator("#problems .message").all_text_contents() == [
        "`stem.mixed_5a.concat` cannot concat 69x69x192 with 35x35x192"
    ]
    assert box(page, "Stem").get_attribute("class").count("failed") == 1


def test_both_sizes_are_told_where_they_do_not_fit(show: Show) -> None:
    """Clear of the lines, the red one at the operand that is to blame."""
    page = show(page_of("printed/inception_v4"))
    page.evaluate("netdraft.setAll(true)")
    words = page.locator("#boxes .arrow text.flow")
    assert sorted(words.all_text_contents()) == ["35x35x192", "69x69x192"]
    struck = page.evaluate(
        """() => {
          const texts = [...document.querySelectorAll('#boxes .arrow text.flow')];
          const lines = [...document.querySelectorAll('#boxes .arrow path')];
          const hits = (line, { x, y, width, height }) => {
            for (let t = 0; t <= 1000; t += 1) {
              const p = line.getPointAtLength((t / 1000) * line.getTotalLength());
              if (p.x > x && p.x < x + width && p.y > y + 2 && p.y < y + height - 3) return true;
            }
            return false;
          };
          return texts.filter((t) => lines.some((l) => hits(l, t.getBBox()))).length;
        }"""
    )
    assert struck == 0


def test_short_branches_stand_in_the_middle_of_figure_7(show: Show) -> None:
    """Its y are 227 (k), 190 (pool, n and l) and 154 (m)."""
    page = show(page_of(V4))
    page.evaluate("netdraft.setAll(true)")
    places = page.evaluate(
        "Object.fromEntries(netdraft.composed.boxes.filter(i => i.id.startsWith('reduction_a.'))"
        ".map(i => [netdraft.titleOf(i.id), i.y]))"
    )
    middle = places["3x3 Conv (224)"]
    assert places["1x1 Conv (192)"] > middle > places["3x3 Conv (256 stride 2 V)"]
    assert places["3x3 MaxPool (stride 2 V)"] == places["3x3 Conv (384 stride 2 V)"] == middle


@pytest.mark.parametrize("is_open", [False, True])
def test_an_auxiliary_head_stands_beside_the_main_line(show: Show, is_open: bool) -> None:
    page = show(page_of("zoo/inception_v3"))
    page.evaluate(f"netdraft.setAll({json.dumps(is_open)})")
    middles = page.evaluate(
        "Object.fromEntries(netdraft.composed.boxes.map(i => [i.id, i.x + i.width / 2]))"
    )
    trunk = {round(middles[name]) for name in ("image", ":logits")}
    assert len(trunk) == 1
    assert round(middles[":aux"]) > trunk.pop()


def test_counts_of_copies_are_live(show: Show) -> None:
    page = show(page_of(V4))
    page.fill("#repeat-a", "2")
    page.fill("#repeat-b", "9")
    assert labels_of(page)[2:5] == ["2 x Inception-A", "Reduction-A", "9 x Inception-B"]
    assert "Inception-A (a) = 2 (was 4)" in page.locator("#change-list").inner_text()


def test_accessible_names_roles_and_one_tab_stop(show: Show) -> None:
    page = show(page_of(V4))
    assert page.locator("#boxes .item[tabindex='0']").count() == 1
    unnamed = page.locator("button, input, select, [role]").evaluate_all(
        "es => es.filter(e => e.getAttribute('aria-hidden') !== 'true'"
        " && !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length"
        " || ['alert', 'status', 'search'].includes(e.getAttribute('role')))).map(e => e.outerHTML)"
    )
    assert unnamed == []
    page.locator("#boxes .item[tabindex='0']").focus()
    page.keyboard.press("ArrowUp")
    ring = page.locator("#boxes .item:focus .ring")
    assert ring.evaluate("e => getComputedStyle(e).strokeWidth") == "3px"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_reader_s_scheme(show: Show, scheme: str) -> None:
    page = show(page_of(V4), color_scheme=scheme)
    fill = page.locator("#boxes .kind-stem .shape").evaluate("e => getComputedStyle(e).fill")
    assert fill == {"light": "rgb(234, 209, 220)", "dark": "rgb(76, 42, 60)"}[scheme]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_page_fits_the_window(show: Show, width: int, height: int) -> None:
    page = show(page_of(V4), viewport={"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figure = page.locator("#figure").bounding_box()
    assert figure is not None
    assert figure["height"] > 300


def test_print_shows_the_whole_figure_on_white(show: Show) -> None:
    page = show(page_of(V4), color_scheme="dark")
    page.get_by_role("button", name="Zoom in").click(click_count=3)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    box = [float(n) for n in (page.locator("#figure").get_attribute("viewBox") or "").split()]
    assert box[:2] == [0, 0]
    assert box[2:] == pytest.approx(
        page.evaluate("[netdraft.view.size.width, netdraft.view.size.height]"), abs=0.01
    )
    assert page.locator("#controls").is_hidden()
    assert page.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(28, 36, 48)"
    assert len(page.pdf()) > 10_000


NASTY = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"quoted\" & 'single' : \\ back",
    "line\nbreak\r\nand\ttab",
    "\u202eright to left\u202c \u0000\u0007",
    "${alert(1)} {{7*7}}",
    "long " + "word" * 2500,
    "x" * 10_000,
)


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_hostile_words_are_text(show: Show, tmp_path: Path, name: str) -> None:
    words = json.dumps(name)
    spec = tmp_path / "hostile.yaml"
    spec.write_text(
        f"network: hostile\ntitle: {words}\ndoc: {words}\ninput: {{x: [3, 16, 16]}}\n"
        f"params: {{width: {{type: channels, default: 8, doc: {words}}}}}\n"
        f"blocks:\n  b:\n    title: {words}\n    doc: {words}\n    cite: {{section: {words}}}\n"
        f"    layers: [{{conv: 3x3, filters: width, label: {words}}}]\n"
        "    params: {width: {type: channels}}\n"
        f"layers:\n  - {{block: b, with: {{width: width}}, title: {words}, doc: {words}}}\n"
    )
    page = show(page_of(spec))
    page.evaluate("netdraft.setAll(true)")
    page.fill("#search", "b")
    assert page.locator("script, img").count() == 2
    assert page.evaluate("document.querySelectorAll('[onerror]').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.locator("body").inner_text()
    assert not set(shown) & set("\u202e\u202c\u0000\u0007")


def test_page_answers_quickly_with_everything_open(show: Show) -> None:
    page = show(page_of(V4))
    page.evaluate("netdraft.setAll(true)")
    milliseconds = page.evaluate(
        "() => { const t = performance.now(); netdraft.recompute(); return performance.now() - t; }"
    )
    assert milliseconds < 1000
