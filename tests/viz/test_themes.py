"""Themes by users, pages that are dark, letters that the font lacks, and docs/PICTURES.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import netdraft
from compiler.__main__ import main
from compiler.cli.theme_file import read_theme
from compiler.errors import UsageError
from compiler.pipeline import load_graph
from tests.viz.networks import network
from viz.diagram.arrange import arrange
from viz.formats.words import missing_letters
from viz.gallery import DOCS
from viz.render import Options, render
from viz.style.theme import THEMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MINE = """\
base: dark
font_pt: 12
background: none
outline: '#ABCDEF'
fills: {conv: '#d0e8d0'}
"""


def themed(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_file_says_what_differs_from_a_theme(tmp_path: Path) -> None:
    theme = read_theme(themed(tmp_path, MINE))

    assert (theme.font_pt, theme.background, theme.outline) == (12.0, None, "#abcdef")
    assert theme.fills["conv"] == "#d0e8d0"
    assert theme.fills["pool"] == THEMES["dark"].fills["pool"]
    assert theme.row_gap == THEMES["dark"].row_gap


def test_the_command_draws_with_a_theme_file(tmp_path: Path) -> None:
    out = tmp_path / "v4.svg"
    arguments = ["render", "inception_v4", "--theme", themed(tmp_path, MINE), "-o", str(out)]

    assert main(arguments) == 0
    assert out.read_text().count('stroke="#abcdef"') == 10
    assert 'font-size="12"' in out.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "base: papre\n",
            "1:7: `base: papre` is no theme; it must be one of paper, slide, dark, auto, safe",
        ),
        ("outline: blue\n", "1:10: `blue` is no colour: write it as '#cfe2f3', in quotes"),
        ("font_pt: big\n", "1:10: `font_pt: big` is no length in points from 0.1 to 200"),
        ("font_pt: 0\n", "1:10: `font_pt: 0` is no length in points from 0.1 to 200"),
        ("fills: red\n", "1:8: `fills` has a colour for each kind of box, as {conv: '#cfe2f3'}"),
    ],
)
def test_what_a_theme_cannot_be_is_said_at_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    file = themed(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_theme(file)

    assert str(caught.value) == f"{file}:{message}"


def test_a_misspelt_setting_and_kind_are_guessed(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"1:1: a theme has no `outlin` \(did you mean `outline`\?\)"
    ):
        read_theme(themed(tmp_path, "outlin: '#000000'\n"))
    with pytest.raises(UsageError, match=r"no kind of box `covn` \(did you mean `conv`\?\)"):
        read_theme(themed(tmp_path, "fills: {covn: '#000000'}\n"))


def test_no_file_and_no_theme(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_theme("none.yaml")
    assert str(caught.value) == "no theme file `none.yaml`"
    with pytest.raises(UsageError) as caught:
        read_theme("drak")
    assert str(caught.value) == (
        "unknown theme `drak` (did you mean `dark`?); it must be one of paper, slide, dark, auto, "
        "safe, or a file that ends in .yaml"
    )


def test_auto_is_paper_where_nothing_asks_for_dark() -> None:
    graph = load_graph("inception_v4")
    for format in ("pdf", "png", "tikz", "dot", "json"):
        assert render(graph, format, Options(theme="auto")) == render(graph, format)
    plain = render(graph, "svg").decode()
    auto = render(graph, "svg", Options(theme="auto")).decode()

    assert (
        re.sub(r"<style>.*</style>\n", "", auto, flags=re.DOTALL).replace(' class="netdraft"', "")
        == plain
    )


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "theme"), [("light", "paper"), ("dark", "dark")])
def test_an_svg_follows_the_page(
    chromium: Browser, tmp_path: Path, scheme: Any, theme: str
) -> None:
    file = tmp_path / "auto.svg"
    file.write_bytes(render(load_graph("inception_v4"), "svg", Options(theme="auto")))
    page = chromium.new_page(color_scheme=scheme)
    page.goto(file.as_uri())
    script = """() => {
      const style = (s) => getComputedStyle(document.querySelector(s));
      return [style('rect').fill, style('#box-stem rect').fill, style('path').stroke,
              style('polygon').fill, style('text').fill, style('#box-stem rect').stroke];
    }"""
    found = page.evaluate(script)
    page.close()
    look = THEMES[theme]
    wanted = [look.background, look.fills["stem"], look.line, look.line, look.ink, look.outline]

    assert found == [
        f"rgb({', '.join(str(int((c or '')[i : i + 2], 16)) for i in (1, 3, 5))})" for c in wanted
    ]


LABELLED = """\
network: words
input: {image: [3, 8, 8]}
layers: [{conv: 1x1, filters: 8, label: "\u5377\u7a4d \u03b1 \u0434 \u00e9"}]
"""


def test_letters_that_the_font_lacks() -> None:
    """It has Greek and Cyrillic, and no Chinese."""
    assert missing_letters(arrange(network(LABELLED))) == ("\u5377", "\u7a4d")


def test_the_command_warns_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "words.yaml"
    spec.write_text(LABELLED, encoding="utf-8")

    assert main(["render", str(spec), "-o", str(tmp_path / "words.pdf")]) == 0
    assert capsys.readouterr().err.splitlines()[0] == (
        "warning: the bundled font has no picture of \u5377 \u7a4d: a pdf shows boxes in their "
        "place; svg and html take a font of the viewer's"
    )
    assert main(["render", str(spec), "-o", str(tmp_path / "words.svg")]) == 0
    assert "warning" not in capsys.readouterr().err


PAGE = (DOCS / "PICTURES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", re.findall(r"\| `netdraft (render [^`]+)` \|", PAGE))
def test_every_command_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(command.split()) == 0
    assert (tmp_path / command.split()[-1]).stat().st_size > 1000


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "PICTURES.md", "exec"), {})

    for file in tmp_path.iterdir():
        assert file.read_bytes() == netdraft.render("zoo/resnet18", theme="auto")


def test_the_theme_of_the_page_is_one(tmp_path: Path) -> None:
    text = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert text

    assert read_theme(themed(tmp_path, text[1])).fills["concat"] == "#ffffff"
    kinds = PAGE[PAGE.index("Kinds of boxes: ") + 16 :].replace("\n", " ").strip(" .").split(", ")
    assert set(kinds) == set(THEMES["paper"].fills)


def test_python_takes_the_options_of_the_command() -> None:
    drawn = netdraft.render(
        "inception_v4", depth=1, heat="macs", theme="dark", direction="right", columns=2
    )

    options = Options(depth=1, heat="macs", theme="dark", direction="right", columns=2)
    assert drawn == render(load_graph("inception_v4"), "svg", options)
