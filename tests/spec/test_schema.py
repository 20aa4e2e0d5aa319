"""The JSON Schema of specs: valid specs fit it, wrong ones do not, at the place of the fault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from compiler.cli.main import main as netdraft
from compiler.ops import ACTIVATION_WORDS
from compiler.spec import LAYERS, shipped_files
from compiler.spec.loader import TOP_KEYS
from compiler.spec.model_schema import docs_of
from compiler.spec.read import BLOCK_KEYS
from compiler.spec.schema import json_schema, print_schema
from compiler.text import parse_yaml, plain
from docs.pages.schema import PAGE

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
SHIPPED = shipped_files()
ODD = sorted((ROOT / "tests" / "every_target" / "networks").glob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "specs" / "README.md", *(ROOT / "docs").glob("*.md")]
HEAD = "network: t\ninput: {image: [3, 8, 8]}\n"
LAYER = f"{HEAD}layers:\n  - relu\n  - "


def as_json(value: Any) -> Any:
    """Return plain data with its fractions as floats."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return float(value) if isinstance(value, Fraction) else value


def faults(text: str) -> list[tuple[str, str]]:
    """Return (path, what is said) of every error of a spec."""
    errors = VALIDATOR.iter_errors(as_json(plain(parse_yaml(text, "spec.yaml"))))
    return sorted((".".join(map(str, e.absolute_path)), e.message) for e in errors)


def snippets() -> list[str]:
    """Return the specs that the pages show."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    found = [block for text in texts for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    found = [block.replace("[...]", "[]") for block in found]
    return [block for block in found if re.match(r"(#.*\n)*(network|blocks|extends):", block)]


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", [*SHIPPED, *ODD], ids=lambda p: str(p.relative_to(ROOT)))
def test_valid_specs_fit(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: str(p.relative_to(ROOT)))
def test_shipped_specs_name_it_in_their_first_line(path: Path) -> None:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve() == PAGE


def test_odd_specs_are_among_them() -> None:
    assert len(ODD) >= 30


def test_the_specs_of_the_pages_fit() -> None:
    assert len(snippets()) >= 3
    assert [(text, found) for text in snippets() if (found := faults(text))] == []


def test_the_shipped_specs_fit_for_other_readers_of_yaml() -> None:
    files = map(str, SHIPPED)
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(PAGE), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_network_that_does_not_fit_is_refused_by_other_readers_too(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(HEAD + "layers:\n  - {conv: 3x3, filterz: 8}\n", encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(PAGE), str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "$.layers[0]: Additional properties are not allowed ('filterz' was" in done.stdout


NOT_ALLOWED = "Additional properties are not allowed ({} unexpected)"
LAYER_FAULTS = [
    ("{conv: 3x3, filterz: 8}", "", NOT_ALLOWED.format("'filterz' was")),
    ("{conv: 3x3, filters: 0}", ".filters", "0 is less than the minimum of 1"),
    ("{conv: 3x3, filters: 1.5}", ".filters", "1.5 is not of type 'integer', 'string'"),
    ("{conv: 3x3, filters: '8'}", ".filters", None),
    ("{conv: 3x3, filters: a b.}", ".filters", None),
    ("{conv: 3by3}", ".conv", None),
    ("{conv: [3]}", ".conv", "[3] is too short"),
    ("{conv: [3, 0]}", ".conv.1", "0 is less than the minimum of 1"),
    ("{conv: 3, padding: [[0, 1], [1]]}", ".padding.1", "[1] is too short"),
    ("{conv: 3, padding: -1}", ".padding", "-1 is less than the minimum of 0"),
    ("{conv: 3, bias: no}", ".bias", None),
    ("{conv: 3, name: 3x3}", ".name", None),
    ("{conv: 3, size: 35x35}", ".size", None),
    ("{conv: 3, cite: {figur: 3}}", ".cite", NOT_ALLOWED.format("'figur' was")),
    ("{conv: 3, repeat: -1}", ".repeat", "-1 is less than the minimum of 0"),
    ("{conv: 3, stride: }", ".stride", "None is not of type 'integer', 'string', 'array'"),
    ("{batch_norm: true, scale: 3}", ".scale", "3 is not of type 'boolean', 'string'"),
    ("{scale: true}", ".scale", "True is not of type 'number', 'string'"),
    ("{linear: 10, filters: 3}", "", NOT_ALLOWED.format("'filters' was")),
    ("{dropout: 0.5}", ".dropout", "0.5 is not of type 'object'"),
    ("{dropout: {keep: 2}}", ".dropout.keep", "2 is greater than the maximum of 1"),
    ("{relu: false}", ".relu", "True was expected"),
    ("{relu: true, alpha: 1}", "", NOT_ALLOWED.format("'alpha' was")),
    ("{max_pol: 3x3}", "", NOT_ALLOWED.format("'max_pol' was")),
    ("{}", "", "{} should be non-empty"),
    ("3", "", "3 is not of type 'object', 'string'"),
    ("{branches: {a: [relu]}}", "", "'join' is a required property"),
    ("{branches: {a: relu}, join: add}", ".branches.a", "'relu' is not of type 'array', 'object'"),
    (
        "{branches: {a: [relu]}, join: sum}",
        ".join",
        "'sum' is not one of ['concat', 'add', 'subtract', 'multiply', 'maximum']",
    ),
    (
        "{branches: {a: [{conv: 3, strid: 2}]}, join: add}",
        ".branches.a.0",
        NOT_ALLOWED.format("'strid' was"),
    ),
    (
        "{branches: {a: {when: x}, b: []}, join: add}",
        ".branches.a",
        "'layers' is a required property",
    ),
    ("{residual: {boddy: []}}", ".residual", "'body' is a required property"),
    ("{block: b, with: {k: {a: 1, b: 2}}}", ".with.k", None),
    ("{concat: a}", ".concat", "'a' is not of type 'array'"),
]


@pytest.mark.parametrize(("layer", "path", "message"), LAYER_FAULTS)
def test_a_wrong_layer_is_marked_where_it_is_wrong(
    layer: str, path: str, message: str | None
) -> None:
    found = faults(f"{LAYER}{layer}\n")
    assert (f"layers.1{path}", message) in [(p, message and m) for p, m in found]
    assert len({p for p, _ in found}) == 1, found


def test_one_fault_is_one_error() -> None:
    text = f"{HEAD}layers: [{{conv: 3x3, filterz: 8}}, {{max_pool: 3, padding: -2}}, rellu]\n"
    assert [path for path, _ in faults(text)] == ["layers.0", "layers.1.padding", "layers.2"]


FILE_FAULTS = [
    ("network: t\n", "", "'layers' is a required property"),
    ("title: t\n", "", "'network' is a required property"),
    (f"{HEAD}layers: []\nparms: {{}}\n", "", NOT_ALLOWED.format("'parms' was")),
    (f"{HEAD}layers: []\ntitle:\n", "title", "None is not of type 'string'"),
    (f"{HEAD}layers: []\noutputs: [{{from: a}}]\n", "outputs.0", "'name' is a required property"),
    (
        f"{HEAD}layers: []\ndefaults: {{conv: {{repeat: 3}}}}\n",
        "defaults.conv",
        NOT_ALLOWED.format("'repeat' was"),
    ),
    (
        f"{HEAD}layers: []\ndefaults: {{relu: {{}}}}\n",
        "defaults",
        NOT_ALLOWED.format("'relu' was"),
    ),
    (
        f"{HEAD}layers: []\nparams: {{k: {{type: kernel, default: 0}}}}\n",
        "params.k.default",
        "0 is less than the minimum of 1",
    ),
    (
        f"{HEAD}layers: []\nparams: {{k: {{default: 0}}}}\n",
        "params.k",
        "'type' is a required property",
    ),
    (
        "network: t\ninput: {image: [3, 8]}\nlayers: []\n",
        "input.image",
        "[3, 8] is too short",
    ),
    (
        "network: t\ninput: {image: [3, 0, 8]}\nlayers: []\n",
        "input.image.1",
        "0 is less than the minimum of 1",
    ),
    ("blocks: {a: {title: x}}\n", "blocks.a", "'layers' is a required property"),
    ("blocks: {a: {branches: {b: []}}}\n", "blocks.a", "'join' is a required property"),
    ("blocks: {a: {layer: []}}\n", "blocks.a", NOT_ALLOWED.format("'layer' was")),
    ("errata: {E1: {where: here}}\n", "errata.E1", "'why' is a required property"),
    ("extends: t\nchanges: [{sett: a}]\n", "changes.0", NOT_ALLOWED.format("'sett' was")),
    (
        "extends: t\nchanges: [{set: a, filterz: 3}]\n",
        "changes.0",
        NOT_ALLOWED.format("'filterz' was"),
    ),
    ("extends: t\nchanges: [{after: a}]\n", "changes.0", "'insert' is a required property"),
    (
        "extends: t\nchanges: [{after: a, insert: [{conv: 3, strid: 2}]}]\n",
        "changes.0.insert.0",
        NOT_ALLOWED.format("'strid' was"),
    ),
    ("extends: t\nlayers:\n", "layers", "None is not of type 'array'"),
]


@pytest.mark.parametrize(("text", "path", "message"), FILE_FAULTS)
def test_a_wrong_file_is_marked_where_it_is_wrong(text: str, path: str, message: str) -> None:
    assert (path, message) in faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "extends: inception_v4\n",
        "extends: t\ntitle:\ndefaults: {conv: {norm: null}, batch_norm: null}\nparams: {a: null}\n",
        "extends: t\nparams: {classes: 10, depth: {default: 3}}\ninput: {image: null, x: [3]}\n",
        "extends: t\nblocks: {a: {extends: a, changes: [{remove: pool}], title: null}}\n",
        "extends: t\nchanges: [{set: a, cite: null, with: {k: null}, residual: {scale: 1}}]\n",
        "extends: t\nchanges: [{before: a, insert: {b: [relu], c: []}}, {replace: a, by: []}]\n",
        "errata: {E1: {where: a, printed: b, built: c, why: d}}\n",
        f"{HEAD}errata: [E1, {{E2: {{where: a, printed: b, built: c, why: d}}}}]\nlayers: []\n",
        "network: t\ninput: {a: [3, 32*H, W], b: [c]}\nparams: {c: 8}\nlayers: [softmax]\n",
        f"{LAYER}{{conv: k, activation: act, norm: n, padding: p, bias: b, groups: g}}\n",
        f"{LAYER}{{conv: [1, 7], padding: 0x3, stride: 2 * s, filters: 'max(8, n // 2)'}}\n",
        f"{LAYER}{{block: b, from: {{x: a, y: b or c}}, with: {{k: [[0, 1], [1, 0]]}}}}\n",
        f"{LAYER}{{conv: 3, linear: true}}\n  - {{batch_norm: true, scale: false}}\n",
        f"{LAYER}{{name: a, filters: 8, conv: 3x3}}\n  - {{scale: false, batch_norm: true}}\n",
        f"{LAYER}{{branches: {{a: [], b: {{when: p, layers: [relu]}}}}, join: add}}\n",
        f"{LAYER}{{residual: {{body: [relu], shortcut: {{when: p > 1, layers: []}}}}}}\n",
        f"{LAYER}{{block: b, for: {{f: [{{leaky_relu: 0.2}}, relu], k: [3x3, [1, 3]]}}}}\n",
        "extends: t\nchanges: [{insert: {b: {when: p, layers: []}}, before: a}]\n",
        "extends: t\nchanges: [{cite: null, set: a}]\n",
    ],
)
def test_every_spelling_fits(text: str) -> None:
    assert faults(text) == []


def test_every_op_has_a_definition_with_its_keys_described() -> None:
    definitions = SCHEMA["definitions"]
    assert set(LAYERS) <= set(definitions)
    for op, model in LAYERS.items():
        properties = definitions[op]["properties"]
        keys = {model.spelled.get(f, f) for f in model.model_fields if f not in model.hidden}
        assert {op, *keys, "name", "from", "repeat"} <= set(properties), op
        words = docs_of(model)
        for field in (f for f in model.model_fields if f in words and f not in model.hidden):
            assert words[field] in properties[model.spelled.get(field, field)]["description"]


def test_keys_of_files_and_blocks_are_those_that_the_loader_knows() -> None:
    assert list(SCHEMA["properties"]) == TOP_KEYS
    block = SCHEMA["definitions"]["block_spec"]["properties"]
    assert set(block) == {*BLOCK_KEYS, "extends", "changes"}


def test_words_of_a_closed_set_are_listed() -> None:
    activation = SCHEMA["definitions"]["activation"]["anyOf"]
    assert activation[0] == {"enum": list(ACTIVATION_WORDS)}


def test_the_command_prints_and_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert netdraft(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
    path = tmp_path / "schema.json"
    assert netdraft(["schema", "--output", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == print_schema()
    assert capsys.readouterr().out == f"{path}\n"
