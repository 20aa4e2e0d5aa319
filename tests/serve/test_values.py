"""What a page sets is tried by the compiler; what it writes is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serve.client import Client, watching
from tests.serve.conftest import NET


def text(net: Path) -> str:
    return net.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "values", [{"param__kernel": "5x5"}, {"layer__first__conv": "5x5"}, {"repeat__body": "3"}]
)
def test_a_value_is_the_page_s(client: Client, net: Path, values: dict[str, str]) -> None:
    plain = client.program()
    tried = client.program(**values)
    assert tried["refused"] == {}
    assert tried["program"] != plain["program"]
    assert client.program()["program"] == plain["program"]
    assert text(net) == NET


def test_a_value_that_is_none_is_refused(client: Client) -> None:
    found = client.program(param__width="12.5", repeat__body="3")
    assert found["refused"] == {
        "param:width": "--set width=12.5: the value = 12.5 is not a whole number; it is of type "
        "int; round it as you mean it: `floor(...)`, `ceil(...)` or `round(...)`"
    }
    assert found["program"] == client.program(repeat__body="3")["program"]


def test_places_are_as_they_are_written(client: Client) -> None:
    assert client.program()["places"] == {
        "param:width": "16",
        "param:kernel": "3x3",
        "input:image:0": "3",
        "input:image:1": "32",
        "input:image:2": "32",
        "repeat:body": "2",
    }


def test_a_value_is_written_and_taken_back(client: Client, net: Path) -> None:
    before = len(client.news)
    told = client.ask("write", key="param:width", text="24", was="16")
    assert told == {"done": "net.yaml:3:17: `width`: `16` -> `24`"}
    assert text(net) == NET.replace("width: 16", "width: 24")
    client.await_news(before)
    assert client.program()["undo"] == "width: 24 -> 16"
    assert client.ask("undo") == {"done": "net.yaml:3:17: `width`: `24` -> `16`"}
    assert text(net) == NET
    assert client.ask("redo") == {"done": "net.yaml:3:17: `width`: `16` -> `24`"}
    assert client.program()["redo"] == ""
    client.ask("undo")


def test_what_cannot_be_written_is_said(client: Client, net: Path) -> None:
    assert client.ask("write", key="param:width", text="24", was="20") == {
        "why": "net.yaml:3:17: `width` is `16` now, not `20`"
    }
    assert client.ask("write", key="layer:first:filters", text="32 +") == {
        "why": "`filters` of `conv`: in `32 +`: expected a number, a name or `(`, found the end"
    }
    assert text(net) == NET


def test_settings_of_the_command_hold_until_the_page_sets_others(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "network: net\nparams: {width: 16}\ninput: {image: [3, 8, 8]}\n"
        "layers: [{conv: 3x3, filters: width, name: first}]\n",
        encoding="utf-8",
    )
    with watching(tmp_path, "net.yaml", "--set", "width=20", "--input", "4x8x8") as client:
        settings = client.program()["program"]["numbers"]["settings"]
        values = {setting["key"]: setting["value"] for setting in settings}
        assert (values["param:width"], values["input:image:0"]) == (20, 4)
        assert client.program(param__width="24")["refused"] == {}
        assert client.ask("write", key="param:width", text="18") == {
            "done": "net.yaml:2:17: `width`: `16` -> `18`; here --set width=20 of the command "
            "still holds"
        }
        assert client.ask("write", key="input:image:1", text="9") == {
            "done": "net.yaml:3:20: `image height`: `8` -> `9`; here --input 4x8x8 of the command "
            "still holds"
        }
        assert client.end() == 0
