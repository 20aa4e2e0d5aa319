"""Monaco in Chromium with the language server behind it: what a person sees who edits a spec."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

from tests.editor.monaco import MODULES, NODES, ROOT, SOURCE, bundle, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

LONG_MS = 30_000
SPEC = "specs/inception_v4.yaml"
BLOCKS = "specs/blocks/inception_v4.yaml"
pytestmark = [
    pytest.mark.editor,
    pytest.mark.skipif(not (NODES and MODULES.is_dir()), reason="Monaco is not here: make editor"),
    pytest.mark.skipif(not find_spec("websockets"), reason="websockets is not here: netdraft[lsp]"),
]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("monaco"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with specs that may be written."""
    out = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "specs", out / "specs")
    return out


@pytest.fixture(scope="module")
def address(bundled: Path, folder: Path) -> Iterator[str]:
    with serving(bundled, folder, SPEC) as (url, _):
        yield url


class Editor:
    """The page, and the keys that a person presses."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.press = page.keyboard.press
        self.type = page.keyboard.type

    def line(self, words: str) -> Locator:
        """Return the line that has some words."""
        return self.page.locator(".view-line").filter(has_text=words)

    def hint(self, words: str, size: str) -> Locator:
        """Return a size that is no text of the file."""
        added = self.line(words).locator("[class*=dyn-rule]")
        return added.filter(has_text=re.compile(f"^{size}$"))

    def go(self, before: str, after: str) -> None:
        """Put the cursor between two pieces of a line of the spec, as `Go to Line` does."""
        lines = (ROOT / SPEC).read_text(encoding="utf-8").splitlines()
        line = next(number for number, text in enumerate(lines) if before + after in text)
        column = lines[line].index(before + after) + len(before)
        self.press("Control+g")
        entry = self.page.locator(".quick-input-widget input")
        entry.fill(f":{line + 1}:{column + 1}")
        self.page.get_by_text(f"Press 'Enter' to go to line {line + 1}").wait_for()
        entry.press("Enter")
        entry.wait_for(state="hidden")

    def see(self, words: str, where: str = "body") -> None:
        """Wait until some words are shown."""
        self.page.locator(where).filter(has_text=words).first.wait_for(timeout=LONG_MS)

    def problems(self, words: str) -> None:
        self.see(words, "#problems")


@contextmanager
def opened(chromium: Browser, address: str, complaints: list[str]) -> Iterator[Editor]:
    page = chromium.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page.set_default_timeout(LONG_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: _note(asked.url, address, complaints))
    page.goto(address)
    out = Editor(page)
    out.hint("block: reduction_a", "17x17x1024").wait_for()
    yield out
    page.close()


@pytest.fixture
def editor(chromium: Browser, address: str) -> Iterator[Editor]:
    """Open the page; in the end the browser has complained of nothing."""
    complaints: list[str] = []
    with opened(chromium, address, complaints) as out:
        yield out
    assert complaints == []


def _note(url: str, address: str, complaints: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        complaints.append(f"request: {url[:200]}")


# -- what is shown -------------------------------------------------------------------------------


def test_sizes_stand_at_line_ends(editor: Editor) -> None:
    """As Figure 9 has them beside its boxes."""
    for name, size in (("stem", "35x35x384"), ("c", "8x8x1536"), ("pool", "1536")):
        editor.hint(f"name: {name},", size).wait_for()
    editor.problems("0 errors, 0 warnings")


def test_a_layer_is_said_under_the_pointer(editor: Editor) -> None:
    editor.line("block: reduction_a").get_by_text("reduction_a").hover()
    editor.see("35x35x384 → 17x17x1024", ".monaco-hover")
    editor.see("2,306,112 parameters, 1,097,164,800 MACs", ".monaco-hover")
    editor.see("Figure 7", ".monaco-hover")


def test_a_misspelt_key_is_found_and_mended(editor: Editor) -> None:
    editor.go("name: a, repeat: 4, ", "size")
    editor.type("laebl: A, ")
    editor.problems(
        f"1 error, 0 warnings; {SPEC}:25: `block` has no key `laebl` (did you mean `label`?)"
    )
    editor.page.locator(".squiggly-error").wait_for()
    editor.press("Escape")
    for _ in "bl: A, ":
        editor.press("ArrowLeft")
    editor.press("Control+.")
    fix = editor.page.locator(".action-widget .title")
    fix.wait_for()
    assert fix.inner_text() == "Write `label`"
    assert fix.evaluate("e => e.scrollWidth <= e.clientWidth"), "its words are cut"
    editor.press("Enter")
    editor.line("repeat: 4, label: A, size").wait_for()
    editor.problems("0 errors, 0 warnings")


def test_ops_are_offered(editor: Editor) -> None:
    editor.go("", "  - {softmax")
    editor.press("End")
    editor.type("\n- {max")
    offered = editor.page.locator(".suggest-widget .monaco-list-row")
    offered.first.wait_for()
    assert offered.all_inner_texts() == ["max_pool", "maximum", "global_max_pool", "channel_max"]
    editor.press("Enter")
    editor.line("- {max_pool:").wait_for()
    editor.type("3x3, stride: 2}")  # the bracket that Monaco may have closed already
    editor.line("- {max_pool: 3x3, stride: 2}").wait_for()
    editor.see("error", "#problems")  # a classifier has no grid to pool


def test_a_block_leads_to_its_file_and_back(editor: Editor) -> None:
    editor.go("block: ", "inception_a")
    editor.press("F12")
    tab = editor.page.get_by_role("button", name=BLOCKS)
    tab.wait_for()
    assert tab.get_attribute("aria-current") == "true"
    editor.line("title: Inception-A").wait_for()
    editor.hint("avg_pool: 3x3", "35x35x384").first.wait_for()  # of the network that is open
    editor.page.get_by_role("button", name=SPEC).click()
    editor.line("block: reduction_a").wait_for()


def test_what_is_no_name_is_not_renamed(editor: Editor) -> None:
    editor.go("name: a, ", "repeat")
    editor.press("F2")
    editor.see("The element can't be renamed.")


def test_a_name_that_is_taken_is_refused(editor: Editor) -> None:
    rename(editor, ("name: ", "a,"), "b")
    words = "`b` would not do: specs/inception_v4.yaml:27:32: two layers are called `b`"
    editor.see(words, "#message")
    editor.type("x")  # and it goes when one goes on
    editor.page.locator("#message", has_text=words).wait_for(state="detached")


def test_a_new_name_is_written_into_every_file(editor: Editor, folder: Path) -> None:
    rename(editor, ("block: ", "inception_a"), "module_a")
    editor.line("block: module_a, name: a").wait_for()
    editor.problems("0 errors, 0 warnings")
    assert "module_a" not in (folder / SPEC).read_text(encoding="utf-8")
    editor.press("Control+s")
    editor.page.locator("#files .unsaved").wait_for(state="detached")
    for file, words in ((SPEC, "block: {}, name: a"), (BLOCKS, "  {}:\n")):
        before = (ROOT / file).read_text(encoding="utf-8")
        after = before.replace(words.format("inception_a"), words.format("module_a"))
        assert (folder / file).read_text(encoding="utf-8") == after != before


def rename(editor: Editor, place: tuple[str, str], name: str) -> None:
    editor.go(*place)
    editor.press("F2")
    entry = editor.page.locator(".rename-box input")
    entry.fill(name)
    entry.press("Enter")


def test_a_server_that_ends_is_said(chromium: Browser, bundled: Path, folder: Path) -> None:
    with (
        serving(bundled, folder, SPEC) as (address, process),
        opened(chromium, address, []) as editor,
    ):
        process.terminate()
        editor.see("the language server has ended: start it, and reload", "#message")


# -- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: node serve.mjs [--port N] [--root FOLDER] SPEC [-- COMMAND ...]"),
        (["--foo", SPEC], "Unknown option '--foo'"),
        (["specs/gone.yaml"], "there is no spec specs/gone.yaml"),
        (["--root", "gone", SPEC], "there is no folder gone"),
        (
            ["--root", "specs/blocks", SPEC],
            f"{SPEC} is no YAML file below {{folder}}/specs/blocks; say another folder with --root",
        ),
        ([SPEC, "--", "no-such-program"], "no-such-program does not start (spawn no-such-program"),
    ],
)
def test_what_cannot_be_served(
    arguments: list[str], message: str, bundled: Path, folder: Path
) -> None:
    command = [str(NODES[0]), str(bundled / "serve.mjs"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)
    assert done.stderr.startswith(message.format(folder=folder.resolve()))
    assert done.returncode in (1, 2)


def test_a_page_that_is_not_bundled_is_said(folder: Path) -> None:
    command = [str(NODES[0]), str(SOURCE / "serve.mjs"), SPEC]
    if (SOURCE / "dist").exists():
        pytest.skip("somebody has bundled it here")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)
    assert done.stderr == "the page is not there yet: npm ci && npm run build\n"


# -- who is answered -----------------------------------------------------------------------------


@pytest.fixture
def ask(address: str, folder: Path) -> Callable[..., tuple[int, str]]:
    """Ask the server of the page for a file of the folder, or to write it."""

    def answered(path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        place = urlsplit(address)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
        body = b"network: other\n" if method == "PUT" else None
        connection.request(method, f"/files?path={quote(str(folder / path))}", body, headers)
        response = connection.getresponse()
        out = response.status, response.read().decode()
        connection.close()
        return out

    return answered


def test_the_page_gets_specs_of_its_folder(
    ask: Callable[..., tuple[int, str]], folder: Path
) -> None:
    assert ask(BLOCKS)[1] == (folder / BLOCKS).read_text(encoding="utf-8")


def test_nothing_else_is_given(
    ask: Callable[..., tuple[int, str]], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.yaml").write_text("network: other\n", encoding="utf-8")
    (folder / "notes.txt").write_text("a secret\n", encoding="utf-8")
    (folder / "link.yaml").symlink_to(tmp_path / "other.yaml")
    places = ("notes.txt", "link.yaml", "gone.yaml", str(tmp_path / "other.yaml"), "../other.yaml")
    for place in places:
        assert ask(place) == (404, "there is no such spec\n"), place


def test_a_page_elsewhere_reads_and_writes_nothing(
    ask: Callable[..., tuple[int, str]], address: str, folder: Path
) -> None:
    refused = (403, "only the page of this server is answered\n")
    before = (folder / SPEC).read_text(encoding="utf-8")
    for origin in ({}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}):
        assert ask(SPEC, "PUT", **origin) == refused
    assert ask(SPEC, Origin="http://elsewhere.example") == refused
    assert ask(SPEC, Host="rebound.example") == refused
    assert ask(SPEC, "DELETE", Origin=address.rstrip("/")) == (405, "GET or PUT\n")
    assert (folder / SPEC).read_text(encoding="utf-8") == before
