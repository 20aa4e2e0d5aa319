"""The settings of a page in the browser: what follows others, what is beside; exports, touch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compiler.pipeline import draft_graph, load_graph
from viz.html import render_html
from viz.style.theme import THEMES

Show = Callable[..., Any]
"""Opens a page's text in the browser."""


pytestmark = pytest.mark.browser
FOLLOW = """\
network: follow
params:
  base: {type: channels, default: 16}
  twice: {type: int, default: 2 * base}
  part: {type: number, default: base / 128}
  deep: {type: int, default: 3}
  side: {type: int, default: 32}
input: {image: [3, side, side]}
layers:
  - {conv: 3x3, filters: base}
  - {conv: 3x3, filters: twice}
  - {conv: 3x3, filters: prev.channels, repeat: deep, name: same}
  - {scale: part}
  - {global_avg_pool: true}
  - {linear: 10}
"""


@pytest.fixture
def follow(tmp_path: Path) -> Path:
    path = tmp_path / "follow.yaml"
    path.write_text(FOLLOW, encoding="utf-8")
    return path


def page_of(spec: str | Path, depth: int = 0) -> str:
    graph, report, loaded = draft_graph(spec)
    return render_html(graph, loaded, report.diagnostics, depth=depth)


def parameters(page: Any) -> int:
    return int(page.locator("#parameters").text_content().replace(",", ""))


def test_settings_that_follow_others_show_what_they_are(show: Show, follow: Path) -> None:
    page = show(page_of(follow))
    for key, text in {"base": "8", "deep": "5", "side": "64"}.items():
        page.fill(f"#param-{key}", text)
    shown = {
        key: page.input_value(f"#{key}")
        for key in ("param-twice", "param-part", "repeat-same", "input-image-1", "input-image-2")
    }
    assert list(shown.values()) == ["16", "0.0625", "5", "64", "64"], shown
    assert page.locator("#change-list li").all_text_contents() == [
        "base = 8 (was 16)",
        "deep = 5 (was 3)",
        "side = 64 (was 32)",
    ]


def test_a_default_is_a_change_where_a_setting_follows_another(show: Show, follow: Path) -> None:
    page = show(page_of(follow))
    page.fill("#param-base", "64")
    page.fill("#param-twice", "32")
    page.fill("#param-deep", "7")
    wanted = load_graph(follow, {"base": "64", "twice": "32", "deep": "7"}).parameters()
    assert parameters(page) == wanted
    page.fill("#repeat-same", "3")
    wanted = load_graph(follow, {"base": "64", "twice": "32", "deep": "3"}).parameters()
    assert parameters(page) == wanted
    page.evaluate("location.hash = netdraft.link")
    page.reload()
    assert parameters(page) == wanted
    page.click("#reset-all")
    assert parameters(page) == load_graph(follow).parameters()
    assert page.locator("#changes").is_hidden()


def test_the_first_change_moves_no_control(show: Show) -> None:
    """A second click at the same place would set another value."""
    page = show(page_of("inception_v4"), viewport={"width": 1440, "height": 900})
    before = page.locator("#input-image-0").bounding_box()
    page.fill("#param-classes", "10")
    assert page.locator("#changes").is_visible()
    assert page.locator("#input-image-0").bounding_box() == before


@pytest.mark.parametrize(
    ("classes", "change"),
    [("10", " (\u22123.6 %)"), ("29000", " (+101 %)"), ("400000", " (+1,437 %)")],
)
def test_a_change_is_told_without_powers_of_ten(show: Show, classes: str, change: str) -> None:
    """1,537 parameters for each class, of 42,679,816 with 1000 of them."""
    page = show(page_of("inception_v4"))
    page.fill("#param-classes", classes)
    assert page.locator("#parameters-change").text_content() == change


def test_a_link_keeps_closed_what_was_open_at_first(show: Show) -> None:
    page = show(page_of("zoo/resnet18", depth=1))
    assert page.locator("#boxes rect.frame").count() > 1
    page.click("#close-all")
    page.evaluate("location.hash = netdraft.link")
    page.reload()
    assert page.locator("#boxes rect.frame").count() == 0


def test_a_figure_that_moves_under_the_pointer_leaves_the_details(show: Show) -> None:
    page = show(page_of("zoo/resnet18"))
    told = page.locator("#details h2")
    page.locator('#boxes .item[data-id="stem"]').click()
    tops = page.locator("#boxes .box .shape").evaluate_all(
        "es => es.map((e) => e.getBoundingClientRect().top)"
    )
    page.evaluate(f"netdraft.view.pan(0, {tops[0] - tops[1]})")
    page.wait_for_timeout(400)  # longer than the pointer has to rest
    assert told.inner_text().startswith("7x7 Conv (64")
    x, y = page.locator('#boxes .item[data-id="pool"] .shape').evaluate(
        "(e) => { const { x, y, width, height } = e.getBoundingClientRect();"
        " return [x + width / 2 + 1, y + height / 2 + 1]; }"
    )
    page.mouse.move(x, y)
    page.get_by_role("heading", name="3x3 MaxPool").wait_for()


def test_what_is_not_known_of_open_sizes_is_not_told(show: Show) -> None:
    page = show(page_of("teaching/feature_pyramid"))
    page.keyboard.press("p")
    told = page.locator("#caption").inner_text()
    assert "parameters \u00b7 1 / " in told, told
    assert "?" not in told


def test_the_tools_are_of_one_height_for_fingers(show: Show) -> None:
    page = show(page_of("zoo/resnet18"), viewport={"width": 390, "height": 844})
    tools = page.locator(".tools > button, .tools > select, #export summary").evaluate_all(
        "es => es.map(e => e.getBoundingClientRect().height)"
    )
    assert len(tools) == 9
    assert min(tools) >= 40


@pytest.mark.parametrize("kind", ["svg", "tikz"])
def test_a_heat_map_is_exported_in_plain_colours(show: Show, tmp_path: Path, kind: str) -> None:
    """A browser computes `color-mix` as `color(srgb 1 0.98 0.95)`, which few programs read."""
    page = show(page_of("zoo/resnet18"))
    page.select_option("#heat", "parameters")
    page.evaluate("document.getElementById('export').open = true")
    with page.expect_download() as download:
        page.click(f"#save-{kind}")
    path = tmp_path / f"heat.{kind}"
    download.value.save_as(path)
    text = path.read_text(encoding="utf-8")
    assert "color(" not in text
    hot = THEMES["paper"].hot  # layer4, the largest
    red, green, blue = (int(hot[i : i + 2], 16) for i in (1, 3, 5))
    wanted = {
        "svg": f'fill="rgb({red}, {green}, {blue})"',
        "tikz": f"fill={{rgb,255:red,{red};green,{green};blue,{blue}}}",
    }
    assert wanted[kind] in text


def test_a_presentation_is_stepped_and_ended_by_touch(show: Show) -> None:
    page = show(
        page_of("zoo/resnet18"),
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    caption = page.locator("#caption")
    page.locator("#present").tap()
    stage = page.locator("#stage").bounding_box()
    assert (stage["y"], stage["height"]) == (0, 844)
    for button, number in (("Next", 2), ("Next", 3), ("Back", 2)):
        page.get_by_role("button", name=button, exact=True).tap()
        assert f"{number} / 12" in caption.inner_text()
    page.get_by_role("button", name="End", exact=True).tap()
    assert caption.is_hidden()
    assert page.locator("aside").is_visible()
    assert page.locator("#steps").is_hidden()


def test_the_menu_of_formats_is_closed_by_a_click_beside_it(show: Show) -> None:
    page = show(page_of("zoo/resnet18"))
    page.locator("#export summary").click()
    with page.expect_download():
        page.click("#save-svg")
    assert page.locator("#save-png").is_visible()
    page.locator("#figure").click(position={"x": 5, "y": 300})
    assert page.locator("#save-png").is_hidden()
