"""Files: encodings, YAML's corners, imports, variants."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest

from compiler.errors import CompileError, UsageError, variable_of
from compiler.pipeline import Compilation, draft_graph, load_graph
from compiler.text import parse_yaml, plain, span_at

NET = "network: x\ninput: {image: [3, 8, 8]}\nlayers: [relu]\n"


def values(text: str) -> object:
    return plain(parse_yaml(text, "f.yaml"))


def write(folder: Path, **files: str) -> Path:
    """Write specs and return the first one's path."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yaml"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", Fraction(1, 1000)),
        ("1.0e-3", Fraction(1, 1000)),
        ("1e+3", 1000),
        ("1.0e+3", 1000),
        ("010", 10),
        ("08", 8),
        ("0o10", 8),
        ("0x3", "0x3"),
        ("1_000", "1_000"),
        ("1:7", "1:7"),
        ("12:30:45", "12:30:45"),
        ("no", "no"),
        ("off", "off"),
        ("NO", "NO"),
        ("true", True),
        ("2016-02-23", "2016-02-23"),
        ("=", "="),
        ("~", None),
        ("", None),
        ("1e999999", "1e999999"),
    ],
)
def test_yaml_1_2_scalars(text: str, value: object) -> None:
    found = values(f"key: {text}\n")
    assert isinstance(found, dict)
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_words_that_yaml_1_1_reads_as_booleans_are_keys() -> None:
    assert values("on: 1\nno: 2\n") == {"on": 1, "no": 2}


def test_explicit_keys_win_over_merged_ones_and_earlier_ones_over_later() -> None:
    text = "b: &b {x: 1, y: 2}\nc: &c {x: 3}\nd: {<<: [*b, *c], y: 9}\ne: {y: 9, <<: *b}\n"
    found = values(text)
    assert found["d"] == {"x": 1, "y": 9}  # type: ignore[index]
    assert found["e"] == {"y": 9, "x": 1}  # type: ignore[index]


def test_merged_keys_stand_where_the_merge_stands_in_the_order_of_the_bases() -> None:
    text = "b: &b {conv: 1}\nc: &c {stride: 2}\nd: {name: 3, <<: [*b, *c], filters: 4}\n"
    merged = values(text)["d"]  # type: ignore[index]
    assert list(merged) == ["name", "conv", "stride", "filters"]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + NET.encode(),
        NET.replace("\n", "\r\n").encode(),
        NET.encode("utf-16"),
        ("# 残差块 ×10\n" + NET).encode(),
    ],
    ids=["bom", "crlf", "utf-16", "non-ascii comment"],
)
def test_encodings(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    assert load_graph(path).name == "x"


def test_not_utf8_is_said_at_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_bytes(b"network: x\ntitle: caf\xe9\n")
    with pytest.raises(CompileError) as caught:
        load_graph("x.yaml")
    found = caught.value.diagnostics[0]
    assert (found.code, str(found.span)) == ("not-utf8", "x.yaml:2:11")
    assert found.message == "the file is not UTF-8: byte 0xe9 at offset 21"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"H\0\0\0\0\0\0\0{" + b" " * 99, "holds weights (safetensors)"),
        (b"PK\x03\x04\0\0", "is an archive, as torch's checkpoints are"),
        (b"\x80\x02\x8a\n", "holds a pickle, as torch's checkpoints do"),
        (b"\x89PNG\r\n", "is a picture or a document"),
    ],
)
def test_a_file_of_another_kind_is_called_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, what: str
) -> None:
    monkeypatch.setenv(variable_of("bytes"), "64")  # what it is goes before that it is large
    (tmp_path / "x.yaml").write_bytes(data)
    with pytest.raises(CompileError) as caught:
        load_graph(tmp_path / "x.yaml")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.line, found.span.column) == ("not-utf8", 1, 1)
    assert found.message == f"the file is no YAML: it {what}"
    assert (
        found.help == "name the YAML file that is meant: a spec, or with `weights` a map of names"
    )


def test_every_value_knows_its_place() -> None:
    root = parse_yaml("a: 1\nb:\n  - {c: [x, yy]}\n", "f.yaml")
    assert str(span_at(root, ("b", 0, "c", 1))) == "f.yaml:3:13"
    assert span_at(root, ("b", 0, "c", 1)).end_column == 15


def test_a_large_file_without_aliases_loads() -> None:
    line = "- {b: [1, 2, 3, 4]}  # " + "a long remark " * 18 + "\n"
    text = "a:\n" + line * 20_000
    assert len(text) > 5_000_000
    assert len(values(text)["a"]) == 20_000  # type: ignore[index]


def test_imports_that_go_in_a_circle_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        net=NET + "import: [a.yaml]\n",
        a="import: [b.yaml]\nblocks: {p: {layers: [relu]}}\n",
        b="import: [a.yaml]\nblocks: {q: {layers: [relu]}}\n",
    )
    with pytest.raises(CompileError) as caught:
        load_graph("net.yaml")
    found = caught.value.diagnostics[0]
    assert found.code == "import-cycle"
    assert found.message == "the files import each other: a.yaml -> b.yaml -> a.yaml"
    assert str(found.span) == "b.yaml:1:10"


def test_an_import_outside_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, secret="blocks: {p: {layers: [relu]}}\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    path = write(inner, net=NET + "import: [../secret.yaml]\n")
    _, report, _ = draft_graph(path)
    assert [d.message for d in report.diagnostics] == [
        "`../secret.yaml` lies outside the spec's folder tree"
    ]


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    write(tmp_path, secret="blocks: {p: {layers: [relu]}}\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    path = write(inner, net=NET + "import: [link.yaml]\n")
    _, report, _ = draft_graph(path)
    assert [d.code for d in report.diagnostics] == ["bad-import"]


def test_shipped_blocks_can_be_imported_from_anywhere(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        net="network: x\ninput: {image: [384, 35, 35]}\nimport: [blocks/reduction_a.yaml]\n"
        "layers: [{block: reduction_a, with: {k: 192, l: 224, m: 256, n: 384}}]\n",
    )
    graph = load_graph(path)
    assert graph.nodes[graph.outputs[0].node].shape == (1024, 17, 17)


def test_two_files_that_define_one_block_are_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        net=NET + "import: [a.yaml, b.yaml]\n",
        a="blocks: {p: {layers: [relu]}}\n",
        b="blocks: {p: {layers: [softmax]}}\n",
    )
    _, report, _ = draft_graph(path)
    assert [d.message for d in report.diagnostics] == ["block `p` is defined twice"]


VARIANT = """
extends: base.yaml
network: variant
params: {n: 5}
blocks: {b: {layers: [{conv: 3x3, filters: n, name: c}], params: {n: {type: channels}}}}
changes:
  - {set: one, with: {n: 7}}
  - {after: one, insert: [{conv: 1x1, filters: n, name: two}]}
  - {before: one, insert: [relu]}
  - {replace: last, by: [{conv: 1x1, filters: 9, name: end}]}
  - {remove: drop}
"""
BASE = """
network: base
params: {n: {type: int, default: 3, doc: a width}}
input: {image: [3, 8, 8]}
blocks: {b: {layers: [{conv: 1x1, filters: n, name: c}], params: {n: {type: channels}}}}
layers:
  - {block: b, name: one, with: {n: 4}}
  - {dropout: {keep: 0.5}, name: drop}
  - {conv: 1x1, filters: 6, name: last}
"""


def test_a_variant_says_only_what_differs(tmp_path: Path) -> None:
    path = write(tmp_path, variant=VARIANT, base=BASE)
    graph = load_graph(path)
    assert graph.name == "variant"
    assert graph.regions[""].members == ("image", "relu", "one", "two", "end")
    assert graph.nodes["one.c"].shape == (7, 8, 8)
    assert graph.nodes["one.c"].op.kernel_size == (3, 3)  # type: ignore[attr-defined]
    assert graph.nodes["two"].shape == (5, 8, 8)


def test_unknown_spec_names_suggest_a_near_one() -> None:
    with pytest.raises(
        UsageError, match=r"there is no spec incepton_v4 \(did you mean `inception_v4`\?\)"
    ):
        load_graph("incepton_v4")


def said_of(path: Path) -> list[tuple[str, str, str]]:
    """Return place, message and help of what is found."""
    found = Compilation(path)
    with suppress(CompileError):
        assert found.draft
    diagnostics = found.diagnostics
    return [(str(d.span).rpartition("/")[2], d.message, d.help) for d in diagnostics]


def test_a_block_that_a_network_does_not_use_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "network: x\ninput: {image: [3, 8, 8]}\nparams: {n: 4}\n"
        "defaults: {conv: {filters: n}}\nblocks:\n"
        "  fine: {params: {k: {type: kernel}}, layers: [{conv: k}, {conv: 1x1}]}\n"
        "  wrong: {layers: [{conv: 3x3, filters: m}, {add: [in, gone]}]}\n"
        "layers: [{conv: 3x3}]\n"
    )
    assert [found[:2] for found in said_of(path)] == [
        ("x.yaml:7:41", "`filters` of `conv`: unknown name `m`"),
        ("x.yaml:7:56", "there is no layer `gone` to read here"),
    ]


def test_the_layers_of_an_imported_network_are_read(tmp_path: Path) -> None:
    (tmp_path / "y.yaml").write_text(
        "network: y\ninput: {image: [3, 8, 8]}\nblocks: {b: {layers: [relu]}}\n"
        "layers: [{conf: 3}]\n"
    )
    path = tmp_path / "x.yaml"
    path.write_text(
        "network: x\ninput: {image: [3, 8, 8]}\nimport: [y.yaml]\nlayers: [{block: b}]\n"
    )
    assert [found[:2] for found in said_of(path)] == [
        ("y.yaml:4:11", "there is no op `conf` (did you mean `conv`?)")
    ]


BODY = "write its body: `{layers: [...]}`, `branches` (with `join`) or `residual`"
OTHER_KINDS = {
    "params: [a]": (
        "`params` is a list of 1, not a mapping",
        "name each with its default, `params: {classes: 10}`, or `{type: ..., doc: ...}`",
    ),
    "blocks: [a]": (
        "`blocks` is a list of 1, not a mapping",
        "name each: `blocks: {NAME: {layers: [...]}}`",
    ),
    "blocks: {b: 3}": ("block `b` is `3`, not a mapping", BODY),
    "import: {a: 1}": (
        "`import` takes a file name, found a mapping",
        "write `import: [blocks/mine.yaml]`",
    ),
    "extends: [x]": (
        "`extends` takes a file name, found a list of 1",
        "write `extends: inception_v4`, a shipped name, or `extends: mine.yaml`",
    ),
    "claims: 3": (
        "`claims` is `3`, not a list",
        "write each as an item: `- {of: parameters, value: 1000, source: ...}`",
    ),
    "outputs: 3": (
        "`outputs` of a network: expected a list, found `3`",
        "write `outputs: [NAME, ...]`",
    ),
    "drawing: {sizes: all}": (
        "`sizes` of `drawing`: expected `none`, `trunk` or `output`, found the text `all`",
        "",
    ),
    "cite: {figure: x}": ("`figure` of `cite`: expected a whole number, found the text `x`", ""),
    "cite: 3": ("`cite` of a network: expected a mapping, found `3`", "write `cite: {figure: 7}`"),
}


@pytest.mark.parametrize("line", OTHER_KINDS)
def test_a_value_of_another_kind(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"network: x\ninput: {{image: [3, 8, 8]}}\nlayers: [relu]\n{line}\n")
    ((_, message, help),) = said_of(path)
    assert (message, help) == OTHER_KINDS[line]


def test_changes_that_are_no_list(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("extends: zoo/resnet18\nnetwork: x\nchanges: {a: 1}\n")
    assert said_of(path) == [
        (
            "x.yaml:3:10",
            "`changes` is a mapping, not a list",
            "write each as an item: `- {set: LAYER, filters: 64}`",
        )
    ]


@pytest.mark.parametrize(
    ("value", "whose"),
    [
        ("conv: 0x3", "the height of `conv`"),
        ("conv: 3x3, stride: [1, 0]", "the width of `stride` of `conv`"),
    ],
)
def test_a_part_of_a_size_is_named(tmp_path: Path, value: str, whose: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"network: x\ninput: {{image: [3, 8, 8]}}\nlayers: [{{{value}, filters: 4}}]\n")
    ((_, message, _),) = said_of(path)
    assert message == f"{whose} = 0 is less than 1"


def test_a_parameter_is_no_letter_of_an_open_size(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "network: x\ninput: {image: [3, 8, 8]}\nparams: {k: 3}\nlayers: [{conv: k, filters: 4}]\n"
    )
    with pytest.raises(UsageError) as caught:
        load_graph(path, {}, ["3xkxW"])
    assert str(caught.value) == (
        "--input 3xkxW: `k` is a parameter of the network, no letter for an open size; "
        "write another letter"
    )
