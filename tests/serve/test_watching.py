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


def width(client: Client) -> object:
    """Return the parameter as the compiler has it now."""
    return client.program()["places"]["param:width"]


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("editor", EDITORS)
def test_an_editor_saves(client: Client, net: Path, editor: str) -> None:
    command = [str(net) if word == "FILE" else word for word in EDITORS[editor]]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no `{command[0]}`")
    before = len(client.news)
    subprocess.run(command, input="s/width: 16/width: 24/\nw\nq\n".replace("s/", ",s/", 1),
                   text=True, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    client.await_news(before)
    assert width(client) == "24"


def test_a_file_that_is_written_by_rename(client: Client, net: Path) -> None:
    for new in ("24", "32"):
        before = len(client.news)
        fresh = net.with_name(".net.yaml.tmp")
        fresh.write_text(NET.replace("width: 16", f"width: {new}"), encoding="utf-8")
        fresh.replace(net)
        client.await_news(before)
        assert width(client) == new


def test_a_file_that_is_written_in_halves(client: Client, net: Path) -> None:
    before = len(client.news)
    writer = (
        "import sys, time\n"
        "path, text = sys.argv[1:]\n"
        "with open(path, 'w') as file:\n"
        "    for at in range(0, len(text), 150):\n"
        "        file.write(text[at:at + 150]); file.flush(); time.sleep(0.02)\n"
    )
    new = NET.replace("width: 16", "width: 24")
    subprocess.run([sys.executable, "-c", writer, str(net), new], check=True)
    client.await_news(before)
    wait_for(lambda: client.program()["places"].get("param:width") == "24")


def test_a_file_that_goes_and_comes_back(client: Client, net: Path) -> None:
    before = len(client.news)
    net.unlink()
    client.await_news(before)
    found = client.program()
    assert found["program"] is None
    problem = {"severity": "error", "text": "the file is not there; it may come back", "at": ""}
    assert found["problems"] == [problem]
    net.write_text(NET.replace("width: 16", "width: 24"), encoding="utf-8")
    client.await_news(before + 1)
    assert width(client) == "24"


def test_a_text_that_cannot_be_read_is_told_as_on_the_command_line(
    client: Client, net: Path
) -> None:
    before = len(client.news)
    edit(net, "layers:", "layers: [")
    client.await_news(before)
    found = client.program()
    assert found["program"] is None
    assert [p["at"] for p in found["problems"]] == ["net.yaml:5:9"]
    check = [sys.executable, "-m", "compiler", "check", str(net)]
    done = subprocess.run(check, capture_output=True, text=True, check=False, cwd=net.parent,
                          env={**os.environ, "PYTHONPATH": os.getcwd()})  # fmt: skip
    assert done.stderr.replace(str(net), "net.yaml") == found["problems"][0]["text"] + "\n"
    page = client.request("GET", "/")[1].decode()
    assert "<title>net</title>" in page  # with the last figure


def test_a_network_with_errors_is_drawn(client: Client, net: Path) -> None:
    before = len(client.news)
    edit(net, "name: first}", "name: first, size: 9x9x9}")
    client.await_news(before)
    found = client.program()
    assert found["program"] is not None
    assert [p["at"] for p in found["problems"]] == ["net.yaml:6:55"]


def test_files_that_it_imports_are_watched(client: Client, net: Path) -> None:
    blocks = net.with_name("blocks.yaml")
    before = len(client.news)
    edit(blocks, "conv: 3x3", "conv: 5x5")
    client.await_news(before)
    values = client.ask("values", name="body.0.one")
    assert [v["text"] for v in values] == ["5x5", "n"]
    blocks.unlink()
    client.await_news(before + 1)
    assert client.program()["problems"][0]["at"] == "net.yaml:2:10"
    blocks.write_text(BLOCKS, encoding="utf-8")
    client.await_news(before + 2)
    assert client.program()["problems"] == []


def test_an_import_in_a_folder_that_was_not_there(client: Client, net: Path) -> None:
    before = len(client.news)
    edit(net, "[blocks.yaml]", "[more/blocks.yaml]")
    client.await_news(before)
    folder = net.with_name("more")
    folder.mkdir()
    (folder / "blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    client.await_news(before + 1)
    assert client.program()["problems"] == []
    edit(folder / "blocks.yaml", "1x1", "3x3")
    client.await_news(before + 2)
    shutil.rmtree(folder)
    client.await_news(before + 3)
    assert client.program()["problems"] != []


def test_what_changes_nothing_is_no_news(client: Client, net: Path) -> None:
    before = client.news[:]
    net.touch()
    net.with_name("other.yaml").write_text("network: [", encoding="utf-8")
    time.sleep(0.3)
    assert client.news == before
