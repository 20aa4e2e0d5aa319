"""A spec that others edit too: what it comes to, values tried, and values taken back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from compiler.edit.session import Session
from compiler.errors import UsageError

NET = """network: net
params: {width: 16, classes: 10}
input: {image: [3, 32, 32]}
layers:
  - {conv: 3x3, filters: width, stride: 2, name: first}
  - {conv: 1x1, filters: 8, repeat: 3, name: more}   # some
  - {global_avg_pool: true}
  - {linear: classes}
"""
FILE = Path("net.yaml")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    FILE.write_text(NET, encoding="utf-8")
    return Session("net.yaml", {}, ())


def text() -> str:
    return FILE.read_text(encoding="utf-8")


def parameters(session: Session, values: dict[str, str]) -> object:
    found = session.attempt(values)
    assert found.graph is not None
    assert not found.refused
    return found.graph.parameters("")


# -- values tried ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "edited"),
    [
        ({"param:width": "24"}, NET.replace("width: 16", "width: 24")),
        ({"layer:first:conv": "5x5"}, NET.replace("3x3", "5x5")),
        ({"repeat:more": "5"}, NET.replace("repeat: 3", "repeat: 5")),
        ({"input:image:0": "1"}, NET.replace("[3,", "[1,")),
        (
            {"layer:more:filters": "width", "param:width": "4", "repeat:more": "2"},
            NET.replace("filters: 8", "filters: width")
            .replace("width: 16", "width: 4")
            .replace("repeat: 3", "repeat: 2"),
        ),
    ],
)
def test_a_value_tried_is_what_it_would_be_in_the_file(
    session: Session, values: dict[str, str], edited: str
) -> None:
    tried = parameters(session, values)
    assert text() == NET
    FILE.write_text(edited, encoding="utf-8")
    graph = session.refresh().graph
    assert graph is not None
    assert tried == graph.parameters("")


def test_of_values_tried_together_only_wrong_ones_are_left_out(session: Session) -> None:
    found = session.attempt(
        {"param:width": "24", "param:depth": "3", "input:image:1": "0", "layer:first:conv": "3x"}
    )
    assert found.graph is not None
    assert found.graph.arguments["width"] == 24
    assert found.refused == {
        "param:depth": "net has no parameter `depth`; it has `width`, `classes`",
        "input:image:1": "--input image=3x0x32: a size is at least 1 and 1,000,000 at most",
        "layer:first:conv": "`conv`: `3x` is not a size; write one number, `3x3` (height x width) "
        "or `[height, width]`",
    }


def test_the_command_s_own_settings_stay_beneath(session: Session) -> None:
    session.settings = {"width": "20"}
    found = session.attempt({"param:classes": "5"})
    assert found.graph is not None
    assert found.graph.arguments == {"width": 20, "classes": 5}


# -- states of the file ---------------------------------------------------------------------------


def test_a_file_that_goes_does_not_become_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inception_v4").write_text(NET, encoding="utf-8")
    session = Session("inception_v4", {}, ())
    Path("inception_v4").unlink()
    found = session.refresh()
    assert (found.graph, found.failure) == (None, "the file is not there; it may come back")
    assert session.files == {tmp_path / "inception_v4"}


def test_files_are_those_read_and_those_missed(session: Session, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    FILE.write_text("import: [lib/a.yaml, gone/b.yaml]\n" + NET, encoding="utf-8")
    Path("lib/a.yaml").write_text("blocks: {}\n", encoding="utf-8")
    assert session.refresh().has_errors
    names = ("net.yaml", "lib/a.yaml", "gone/b.yaml")
    assert session.files == {tmp_path / name for name in names}


def test_a_library_is_no_network(session: Session) -> None:
    FILE.write_text("blocks: {a: {layers: [relu]}}\n", encoding="utf-8")
    assert session.refresh().failure == "the file is a library of blocks, not a network"


def test_settings_that_no_longer_hold_are_a_sentence(session: Session) -> None:
    session.settings = {"width": "20"}
    FILE.write_text(NET.replace("width", "wide"), encoding="utf-8")
    found = session.refresh()
    assert found.graph is None
    assert found.failure == (
        "net has no parameter `width` (did you mean `wide`?); it has `wide`, `classes`"
    )


def test_while_there_is_no_network_nothing_is_said_of_values(session: Session) -> None:
    FILE.write_text("network: [", encoding="utf-8")
    session.refresh()
    assert session.attempt({"param:width": "24", "layer:first:conv": "5x5"}) == session.base


def test_what_is_no_network_takes_no_value(session: Session) -> None:
    FILE.write_text("network: [", encoding="utf-8")
    message = "the files are no network as they are now; mend them first"
    with pytest.raises(UsageError, match=f"^{message}$"):
        session.write("param:width", "24", was="16")
    assert text() == "network: ["


# -- undo and redo --------------------------------------------------------------------------------


def test_edits_are_taken_back_and_made_again(session: Session) -> None:
    session.write("param:width", "24")
    session.write("layer:first:stride", "1")
    both = text()
    assert str(session.undo()) == "net.yaml:5:41: `stride`: `1` -> `2`"
    assert str(session.undo()) == "net.yaml:2:17: `width`: `24` -> `16`"
    assert text() == NET
    session.redo()
    session.redo()
    assert text() == both
    with pytest.raises(UsageError, match=r"^there is nothing to redo$"):
        session.redo()


def test_a_new_edit_ends_what_could_be_made_again(session: Session) -> None:
    session.write("param:width", "24")
    session.undo()
    session.write("param:classes", "5")
    assert session.history.standing == ("classes: 5 -> 10", "")


def test_undo_follows_its_line(session: Session) -> None:
    session.write("param:width", "24")
    moved = "# a line\n# and another\n" + text().replace("filters: 8", "filters: 12")
    FILE.write_text(moved, encoding="utf-8")
    session.undo()
    assert text() == moved.replace("width: 24", "width: 16")


def test_undo_leaves_a_line_that_was_changed_meanwhile(session: Session) -> None:
    session.write("param:width", "24")
    changed = text().replace("classes: 10", "classes: 11")
    FILE.write_text(changed, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        session.undo()
    assert str(caught.value) == (
        "net.yaml: the line with `width: 24` was changed meanwhile; it is left as it is"
    )
    assert text() == changed
    FILE.write_text(NET.replace("width: 16", "width: 24"), encoding="utf-8")
    session.undo()  # the line is as it was written here
    assert text() == NET


def test_undo_works_where_the_edit_left_no_such_layer(session: Session) -> None:
    session.write("repeat:more", "0")
    session.refresh()
    session.undo()
    assert text() == NET


def test_an_installed_spec_is_not_written(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compiler.edit.session.is_shipped", lambda _: True)
    message = "net.yaml is installed with netdraft; copy it to change it"
    with pytest.raises(UsageError, match=f"^{message}$"):
        session.write("param:width", "24")


def test_a_variant_s_values_are_written_where_they_stand(session: Session) -> None:
    variant = "extends: net.yaml\nnetwork: other\nparams: {width: 20}\n"
    variant += "changes:\n  - {set: first, stride: 1}\n"
    Path("other.yaml").write_text(variant, encoding="utf-8")
    other = Session("other.yaml", {}, ())
    other.write("param:width", "22")
    other.write("layer:first:stride", "4")
    other.write("layer:first:conv", "5x5")
    edited = variant.replace("20", "22").replace("stride: 1", "stride: 4")
    assert Path("other.yaml").read_text(encoding="utf-8") == edited
    assert text() == NET.replace("3x3", "5x5")


def test_a_link_stays_a_link(session: Session, tmp_path: Path) -> None:
    shutil.move("net.yaml", "real.yaml")
    FILE.symlink_to("real.yaml")
    session.refresh()
    session.write("param:width", "24")
    assert FILE.is_symlink()
    assert Path("real.yaml").read_text(encoding="utf-8") == NET.replace("16", "24")
