"""Files that change, in every way that editors change them: what the page is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serve.client import Client, wait_for
from tests.serve.conftest import BLOCKS, NET

EDITORS = {
    "sed -i": ["sed", "-i", "s/width: 16/width: 24/", "FILE"],
    "ed": ["ed", "-s", "FILE"],
    "vim": ["vim", "-u", "NONE", "-es", "-c", "%s/width: 16/width: 24/", "-c", "wq", "FILE"],
    "vim, in place": [
        "vim", "-u", "NONE", "-es", "-c", "set backupcopy=yes", "-c", "%s/width: 16/width: 24/",
        "-c", "wq", "FILE",
    ],
    "perl -i": ["perl", "-pi", "-e", "s/width: 16/width: 24/", "FILE"],
}  # fmt: skip


def is_wide(client: Client, width: str) -> None:
    """Wait until the page has this value of the parameter."""
    wait_for(lambda: client.program()["places"].get("param:width") == width)


def has_problem(client: Client, *places: str) -> list[dict[str, str]]:
    """Wait until the page is told of problems at some places, and of no others; return them."""
    wait_for(lambda: [p["at"] for p in client.program()["problems"]] == list(places))
    problems: list[dict[str, str]] = client.program()["problems"]
    return problems


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("editor", EDITORS)
def test_an_editor_saves(client: Client, net: Path, editor: str) -> None:
    command = [str(net) if word == "FILE" else word for word in EDITORS[editor]]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no `{command[0]}`")
    subprocess.run(command, input="s/width: 16/width: 24/\nw\nq\n".replace("s/", ",s/", 1),
                   text=True, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    is_wide(client, "24")


def test_a_file_that_is_written_by_rename(client: Client, net: Path) -> None:
    for new in ("24", "32"):
        fresh = net.with_name(".net.yaml.tmp")
        fresh.write_text(NET.replace("width: 16", f"width: {new}"), encoding="utf-8")
        fresh.replace(net)
        is_wide(client, new)


def test_a_file_that_is_written_in_halves(client: Client, net: Path) -> None:
    writer = (
        "import sys, time\n"
        "path, text = sys.argv[1:]\n"
        "with open(path, 'w') as file:\n"
        "    for at in range(0, len(text), 150):\n"
        "        file.write(text[at:at + 150]); file.flush(); time.sleep(0.02)\n"
    )
    new = NET.replace("width: 16", "width: 24")
    subprocess.run([sys.executable, "-c", writer, str(net), new], check=True)
    is_wide(client, "24")


def test_a_file_that_goes_and_comes_back(client: Client, net: Path) -> None:
    net.unlink()
    (problem,) = has_problem(client, "")
    assert problem["text"] == "the file is not there; it may come back"
    assert client.program()["program"] is None
    net.write_text(NET.replace("width: 16", "width: 24"), encoding="utf-8")
    is_wide(client, "24")


def test_a_text_that_cannot_be_read_is_told_as_on_the_command_line(
    client: Client, net: Path
) -> None:
    edit(net, "layers:", "layers: [")
    (problem,) = has_problem(client, "net.yaml:5:9")
    assert client.program()["program"] is None
    check = [sys.executable, "-m", "compiler", "check", str(net)]
    done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=net.parent,
                          env={**os.environ, "PYTHONPATH": os.getcwd()})  # fmt: skip
    assert done.stderr.replace(str(net), "net.yaml") == problem["text"] + "\n"
    page = client.request("GET", "/")[1].decode()
    assert "<title>net</title>" in page  # with the last figure


def test_a_network_with_errors_is_drawn(client: Client, net: Path) -> None:
    edit(net, "name: first}", "name: first, size: 9x9x9}")
    has_problem(client, "net.yaml:6:55")
    assert client.program()["program"] is not None


def test_files_that_it_imports_are_watched(client: Client, net: Path) -> None:
    blocks = net.with_name("blocks.yaml")
    edit(blocks, "conv: 3x3", "conv: 5x5")
    wait_for(lambda: [v["text"] for v in client.ask("values", name="body.0.one")] == ["5x5", "n"])
    blocks.unlink()
    assert "there is no file" in has_problem(client, "net.yaml:2:10")[0]["text"]
    blocks.write_text(BLOCKS, encoding="utf-8")
    has_problem(client)


def test_an_import_in_a_folder_that_was_not_there(client: Client, net: Path) -> None:
    edit(net, "[blocks.yaml]", "[more/blocks.yaml]")
    has_problem(client, "net.yaml:2:10")
    folder = net.with_name("more")
    folder.mkdir()
    (folder / "blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    has_problem(client)
    edit(folder / "blocks.yaml", "1x1", "3x3")
    wait_for(lambda: client.ask("values", name="body.0.conv_3x3"))
    shutil.rmtree(folder)
    has_problem(client, "net.yaml:2:10")


def test_what_changes_nothing_is_no_news(client: Client, net: Path) -> None:
    before = client.news[:]
    net.touch()
    net.with_name("other.yaml").write_text("network: [", encoding="utf-8")
    time.sleep(0.3)
    assert client.news == before
