"""Values one at a time: which can be changed, and that nothing else of the file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.edit.session import Session
from compiler.edit.span_edits import apply_edits
from compiler.edit.values import layer_values, network_values, value_edit
from compiler.errors import UsageError

NET = """network: net
import: [blocks.yaml]
params:
  width: 16                # wide
  classes: {type: int, default: 10, doc: how many}
input: {image: [3, 32, W]}
layers:
  - {conv: 3x3, filters: width, stride: 2, name: first}   # the first
  - block: pair
    name: body
    repeat: 3
    with: {n: &n 8}
  - {residual: {body: [{conv: 1x1, filters: *n}], scale: 0.5}, name: res}
  - {dropout: {keep: 0.8}}
  - {global_avg_pool: true, size: "8"}
  - linear: classes
"""
BLOCKS = """blocks:
  pair:
    params: {n: {type: channels}}
    layers: [{conv: [1, 3], filters: 2 * n, padding: same}, {conv: 1x1, filters: n}]
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(NET, encoding="utf-8")
    (tmp_path / "blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    return Session("net.yaml", {}, ())


def refusal(session: Session, key: str, text: str) -> str:
    before = {p: p.read_bytes() for p in Path().glob("*.yaml")}
    with pytest.raises(UsageError) as caught:
        session.write(key, text)
    assert {p: p.read_bytes() for p in Path().glob("*.yaml")} == before
    return str(caught.value)


def test_a_network_has_parameters_sizes_and_counts(session: Session) -> None:
    assert session.places() == {
        "param:width": "16",
        "param:classes": "10",
        "input:image:0": "3",
        "input:image:1": "32",
        "input:image:2": "W",
        "repeat:body": "3",
    }


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("first", {"conv": "3x3", "filters": "width", "stride": "2"}),
        ("body", {"block": "pair", "repeat": "3", "with n": "8"}),
        ("body.2.conv_1x3", {"conv": "[1, 3]", "filters": "2 * n", "padding": "same"}),
        ("res", {"residual scale": "0.5"}),
        ("dropout", {"dropout keep": "0.8"}),
        ("global_avg_pool", {"size": "8"}),
        ("linear", {"linear": "classes"}),
        ("no_such_layer", {}),
    ],
)
def test_a_layer_has_the_values_of_its_own_fields(
    session: Session, name: str, values: dict[str, str]
) -> None:
    assert {value.what: value.text for value in session.values(name)} == values


def test_copies_are_one_value(session: Session) -> None:
    keys = {v.key for n in ("body.0", "body.1", "body.2") for v in session.values(f"{n}.conv_1x1")}
    assert keys == {"layer:body.0.conv_1x1:conv", "layer:body.0.conv_1x1:filters"}


@pytest.mark.parametrize(
    ("key", "text", "old", "new"),
    [
        ("param:width", "24", "width: 16 ", "width: 24 "),
        ("param:classes", "100", "default: 10,", "default: 100,"),
        ("input:image:1", "64", "[3, 32, W]", "[3, 64, W]"),
        ("input:image:2", "2*W", "[3, 32, W]", "[3, 32, 2*W]"),
        ("repeat:body", "5", "repeat: 3", "repeat: 5"),
        ("layer:first:filters", "max(8, width)", "filters: width,", "filters: 'max(8, width)',"),
        ("layer:first:stride", "[1, 2]", "stride: 2", "stride: [1, 2]"),
        ("layer:body:with.n", "12", "&n 8", "&n 12"),
        ("layer:res:residual.scale", "0.1", "scale: 0.5", "scale: 0.1"),
        ("layer:global_avg_pool:size", "12", '"8"', '"12"'),
        ("layer:body.1.conv_1x3:conv", "3x1", "[1, 3]", "3x1"),
    ],
)
def test_a_value_is_written_and_nothing_else(
    session: Session, key: str, text: str, old: str, new: str
) -> None:
    session.write(key, text)
    assert Path("net.yaml").read_text(encoding="utf-8") == NET.replace(old, new)
    assert Path("blocks.yaml").read_text(encoding="utf-8") == BLOCKS.replace(old, new)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("param:classes", "12.5", "the default of `classes` = 12.5 is not a whole number; it is of "
         "type int; round it as you mean it: `floor(...)`, `ceil(...)` or `round(...)`"),
        ("param:width", "", "write a value of 1 to 200 characters on one line"),
        ("param:width", "1\n2", "write a value of 1 to 200 characters on one line"),
        ("param:width", "16, other: 3", "the default of `width`: in `16, other: 3`: unexpected "
         "character `:`"),
        ("layer:first:filters", "32 +", "`filters` of `conv`: in `32 +`: expected a number, a name "
         "or `(`, found the end"),
        ("layer:first:filters", "32, bias: true", "`filters` of `conv`: in `32, bias: true`: "
         "unexpected character `:`"),
        ("layer:first:filters", "32}  # {", "`filters` of `conv`: in `32)  # (`: unexpected "
         "character `)`"),
        ("layer:first:conv", "5x5x5", "`conv`: `5x5x5` is not a size; write one number, `3x3` "
         "(height x width) or `[height, width]`"),
        ("layer:first:stride", "[{a: 1}]", "`stride` of `conv`: in `[(a: 1)]`: unexpected "
         "character `(`"),
        ("param:depth", "3", "the spec writes no `depth` that could be changed"),
        ("layer:first:groups", "3", "the spec writes no `groups` of `first` that could be changed"),
        ("param:width", " 16 ", "net.yaml:4:10: `width` is `16` already"),
        ("filters", "3", "the spec writes no `filters` that could be changed"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_field_is_refused(
    session: Session, key: str, text: str, message: str
) -> None:
    assert refusal(session, key, text) == message


def test_a_value_with_which_nothing_fits_is_written_all_the_same(session: Session) -> None:
    session.write("layer:global_avg_pool:size", "9")
    found = session.refresh().diagnostics
    assert [d.code for d in found if d.severity == "error"] == ["wrong-size"]


def test_a_value_that_is_another_one_by_now_stays(session: Session) -> None:
    Path("net.yaml").write_text(NET.replace("width: 16 ", "width: 20 "), encoding="utf-8")
    with pytest.raises(UsageError, match=r"^net.yaml:4:10: `width` is `20` now, not `16`$"):
        session.write("param:width", "24", was="16")


def test_line_ends_and_marks_of_the_file_stay(session: Session) -> None:
    data = b"\xef\xbb\xbf" + NET.replace("\n", "\r\n").encode()
    Path("net.yaml").write_bytes(data)
    session.write("param:width", "24")
    assert Path("net.yaml").read_bytes() == data.replace(b"width: 16 ", b"width: 24 ")


@pytest.mark.parametrize("name", ["inception_v4", "released/inception_resnet_v2_slim"])
def test_every_value_of_a_shipped_spec_can_be_written(name: str) -> None:
    session = Session(name, {}, ())
    graph, texts = session.base.graph, session.base.texts
    assert graph is not None
    found = [*network_values(graph, texts), *layer_values(graph, texts, "reduction_a")]
    found += layer_values(graph, texts, "stem.conv_1a")
    assert len(found) > 10
    for value in found:
        new = str(int(value.text) + 1) if value.text.isdigit() else value.text
        text = texts[value.span.file]
        before, after = text.split("\n"), apply_edits(text, [value_edit(text, value, new)])
        changed = [(a, b) for a, b in zip(before, after.split("\n"), strict=True) if a != b]
        assert len(changed) == (new != value.text), value
