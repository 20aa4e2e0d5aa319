"""The page in Chromium while a file is edited: what is new, what stays, what is written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.serve.client import Client, wait_for, watching
from tests.serve.conftest import NET

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, client: Client) -> Iterator[Any]:
    complaints: list[str] = []
    page = chromium.new_page(reduced_motion="reduce", permissions=["clipboard-write"])
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if "(Conflict)" not in m.text else None)
    page.goto(client.url)
    page.locator("#live .lamp.on").wait_for()
    yield page
    page.close()
    assert complaints == []


def texts(page: Any) -> str:
    return " | ".join(page.locator("#boxes .item").all_text_contents())


def sed(net: Path, command: str) -> None:
    subprocess.run(["sed", "-i", command, str(net)], check=True)


def becomes(condition: Callable[[], object]) -> None:
    wait_for(condition)


def test_a_save_is_drawn_and_the_view_stays(page: Any, net: Path) -> None:
    page.locator('#boxes .item[data-id="body.0"]').click()
    page.evaluate("netdraft.view.zoom(1.3)")
    before = page.evaluate("[netdraft.view.scale, [...netdraft.opened], netdraft.selected]")
    assert "2 x" in texts(page)
    sed(net, "s/repeat: 2/repeat: 7/")
    becomes(lambda: "7 x" in texts(page))
    after = page.evaluate("[netdraft.view.scale, [...netdraft.opened], netdraft.selected]")
    assert after == before
    assert before[1:] == [["body.0"], "body.0"]


def test_what_cannot_be_read_greys_the_last_figure(page: Any, net: Path) -> None:
    before = texts(page)
    sed(net, "s/layers:/layers: [/")
    page.locator("body.stale").wait_for()
    assert "the `[` that opens here is not closed" in page.locator("#broken pre").inner_text()
    assert texts(page) == before
    page.locator("#broken .place").click()
    becomes(lambda: page.locator("#live-note").text_content() == "copied net.yaml:5:9")
    sed(net, r"s/layers: \[/layers:/")
    page.locator("body:not(.stale)").wait_for()
    assert page.locator("#broken").is_hidden()


def test_a_value_is_tried_written_and_taken_back(page: Any, net: Path) -> None:
    page.locator('#boxes .item[data-id="first"]').click()
    field = page.get_by_label("conv", exact=True)
    field.fill("5x5")
    field.press("Enter")
    becomes(lambda: "5x5 Conv (16)" in texts(page))
    assert net.read_text(encoding="utf-8") == NET
    page.locator("#details .write:visible").click()
    written = NET.replace("conv: kernel", "conv: 5x5")
    becomes(lambda: net.read_text(encoding="utf-8") == written)
    becomes(lambda: page.locator("#details .write:visible").count() == 0)
    page.get_by_role("button", name="Undo").click()
    becomes(lambda: net.read_text(encoding="utf-8") == NET)
    becomes(lambda: "3x3 Conv (16)" in texts(page))
    page.get_by_role("button", name="Redo").click()
    becomes(lambda: "5x5 Conv (16)" in texts(page))


def test_a_wrong_value_says_why_beside_its_field(page: Any, net: Path) -> None:
    page.locator('#boxes .item[data-id="first"]').click()
    before = texts(page)
    field = page.get_by_label("conv", exact=True)
    field.fill("5x5x5")
    field.press("Enter")
    why = page.locator("#details .why", has_text="is not a size")
    becomes(lambda: why.count() == 1)
    assert texts(page) == before


def test_a_name_in_the_file_is_text_and_no_markup(page: Any, net: Path) -> None:
    sed(net, "s/name: first/name: first, doc: '<img src=x onerror=alert(1)>'/")
    sed(net, "s/conv: kernel/conv: '<b>'/")
    page.locator("#broken, #problems").locator("visible=true").first.wait_for()
    assert page.locator("#broken b, #broken img, #problems b, #problems img").count() == 0


def test_what_does_not_fit_is_the_compiler_s(page: Any, net: Path) -> None:
    """Of a network with errors the page's formulas hold no more; what it has set holds."""
    channels = page.get_by_label("channels").first
    channels.fill("4")
    becomes(lambda: "Input (32x32x4)" in texts(page))
    sed(net, "s/name: first}/name: first, groups: 5}/")
    problems = page.locator("#problems")
    place = problems.locator(".place")
    place.wait_for()
    assert "4 input channels cannot be split into 5 groups" in problems.inner_text()
    channels.fill("6")
    channels.press("Tab")
    becomes(lambda: "6 input channels" in page.evaluate("netdraft.program.findings[0].message"))
    assert "6 input channels" in problems.inner_text()
    place.click()
    becomes(lambda: page.locator("#live-note").text_content() == "copied net.yaml:6:5")
    page.get_by_role("button", name="Put back 1 tried value").click()
    becomes(lambda: "3 input channels" in problems.inner_text())


def test_typing_goes_on_over_a_save(page: Any, net: Path) -> None:
    field = page.get_by_label("channels").first
    field.click()
    page.keyboard.press("End")
    page.keyboard.type("2")
    sed(net, "s/repeat: 2/repeat: 7/")
    becomes(lambda: "7 x" in texts(page))
    page.keyboard.type("1")
    assert page.get_by_label("channels").first.input_value() == "321"


def test_typing_in_a_layer_s_field_goes_on_over_a_save(page: Any, net: Path) -> None:
    page.locator('#boxes .item[data-id="first"]').click()
    page.get_by_label("filters", exact=True).fill("1")
    sed(net, "s/repeat: 2/repeat: 7/")
    becomes(lambda: "7 x" in texts(page))
    becomes(lambda: page.locator("#details input:focus").count() == 1)
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    becomes(lambda: "3x3 Conv (12)" in texts(page))


def test_a_server_that_is_started_again_is_followed(chromium: Browser, tmp_path: Path) -> None:
    net = tmp_path / "net.yaml"
    text = "network: net\ninput: {image: [3, 8, 8]}\nlayers: [{conv: 3x3, filters: 4}]\n"
    net.write_text(text, encoding="utf-8")
    with watching(tmp_path, "net.yaml") as client:
        page = chromium.new_page()
        page.goto(client.url)
        page.locator("#live .lamp.on").wait_for()
        assert client.end() == 0
        page.locator("#live .lamp:not(.on)").wait_for()
    net.write_text(text.replace("3x3", "5x5"), encoding="utf-8")
    with watching(tmp_path, "net.yaml", "--port", str(client.port)):
        becomes(lambda: "5x5 Conv (4)" in texts(page))
        page.close()


def test_a_refused_value_of_a_parameter_stays_in_its_field(page: Any, net: Path) -> None:
    field = page.get_by_label("kernel", exact=True)
    field.fill("bananas")
    field.press("Tab")
    row = page.locator("#controls .control", has=page.locator("#param-kernel"))
    becomes(lambda: "is not a size such as 3x3" in row.locator(".why").inner_text())
    assert page.locator("#param-kernel").input_value() == "bananas"
    page.set_viewport_size({"width": 390, "height": 844})
    note = page.locator("#live-note").bounding_box()
    assert note["x"] + note["width"] <= 390 - 12
    row.get_by_role("button", name="Reset kernel").click()
    assert page.locator("#param-kernel").input_value() == "3x3"
    assert row.locator(".why").inner_text() == ""


def test_the_field_of_a_layer_stays_while_it_is_filled_in(page: Any, net: Path) -> None:
    page.locator('#boxes .item[data-id="first"]').click()
    field = page.get_by_label("filters", exact=True)
    field.fill("4")
    page.locator('#boxes .item[data-id="body.0"]').hover()
    page.wait_for_timeout(400)  # longer than a pointer has to rest
    page.keyboard.type("8")
    assert field.input_value() == "48"
    field.press("Enter")
    becomes(lambda: "3x3 Conv (48)" in texts(page))
