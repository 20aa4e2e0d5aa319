"""Variants: a child of other values, changes by path, blocks that extend blocks, `null`."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler import api
from compiler.errors import CompileError, Diagnostic, Report
from compiler.facts.summarize import summarize
from compiler.graph import Graph
from compiler.graph.print import print_graph
from compiler.ops import BatchNorm
from compiler.pipeline import draft_graph, load_graph
from compiler.spec import load_spec
from compiler.spec.print import print_spec


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yaml"


def errors_of(path: Path) -> list[Diagnostic]:
    try:
        return list(draft_graph(path)[1].errors)
    except CompileError as error:
        return list(error.diagnostics)


def again(path: Path) -> Graph:
    """Return the graph of the spec that `--emit spec` prints."""
    emitted = path.with_name("emitted.yaml")
    emitted.write_text(print_spec(load_spec(path, Report())), encoding="utf-8")
    return load_graph(emitted)


# -- a child of other values is `--set` and `--input` --------------------------------------------

VALUES = [
    ("inception_v4", "params: {classes: 10}", {"classes": "10"}, []),
    ("inception_v4", "input: {image: [3, 75, 75]}", {}, ["3x75x75"]),
    ("inception_v4", "input: {image: [3, h, w]}", {}, ["3xhxw"]),
    (
        "inception_v4",
        "params: {classes: 7}\ninput: {image: [1, 139, 171]}",
        {"classes": "7"},
        ["1x139x171"],
    ),
    ("inception_v4", "params: {classes: 1000}", {"classes": "1000"}, []),
    ("inception_resnet_v2", "params: {classes: 10}", {"classes": "10"}, []),
    ("released/inception_v4_slim", "params: {aux: true}", {"aux": "true"}, []),
    (
        "released/inception_resnet_v2_slim",
        "params: {padding: same, reduction_stride: 1, classes: {default: 3}}",
        {"padding": "same", "reduction_stride": "1", "classes": "3"},
        [],
    ),
    (
        "released/inception_resnet_v1_facenet",
        "params: {classes: 8631, keep: 0.4}\ninput: {image: [3, 128, 128]}",
        {"classes": "8631", "keep": "0.4"},
        ["3x128x128"],
    ),
    ("zoo/googlenet", "params: {kernel: 5x5, classes: 10}", {"kernel": "5x5", "classes": "10"}, []),
    ("zoo/inception_v3", "params: {aux: false}", {"aux": "false"}, []),
]


@pytest.mark.parametrize(("base", "says", "settings", "inputs"), VALUES)
def test_a_child_of_other_values_is_the_base_with_them_set(
    tmp_path: Path, base: str, says: str, settings: dict[str, str], inputs: list[str]
) -> None:
    path = write(tmp_path, child=f"extends: {base}\n{says}\n")
    child, report, _ = draft_graph(path)
    same, other, _ = draft_graph(base, settings, inputs)
    assert print_graph(child) == print_graph(same)
    assert (child.digest, child.claims) == (same.digest, same.claims)
    assert [d.message for d in report.diagnostics] == [d.message for d in other.diagnostics]
    assert summarize(child) == summarize(same)
    assert api.emit_source(child) == api.emit_source(same)
    assert print_graph(again(path)) == print_graph(child)


def test_a_grandchild_is_both_settings_together(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        grandchild="extends: child.yaml\ninput: {image: [3, 107, 107]}\n",
        child="extends: inception_v4\nparams: {classes: 10}\n",
    )
    same = load_graph("inception_v4", {"classes": "10"}, ["3x107x107"])
    assert print_graph(load_graph(path)) == print_graph(same)


def test_what_does_not_fit_is_said_as_of_input(tmp_path: Path) -> None:
    path = write(tmp_path, child="extends: inception_v4\ninput: {image: [3, 32, 32]}\n")
    said = draft_graph("inception_v4", {}, ["3x32x32"])[1].errors
    assert said
    assert [(d.message, d.help, d.span) for d in errors_of(path)] == [
        (d.message, d.help, d.span) for d in said
    ]


def test_a_value_is_of_the_type_of_the_base(tmp_path: Path) -> None:
    base = (
        "network: base\nparams: {pad: V, n: 3}\ninput: {image: [3, 8, 8]}\n"
        "layers: [{conv: 3x3, filters: n, padding: pad}]\n"
    )
    path = write(tmp_path, child="extends: base.yaml\nparams: {pad: 1}\n", base=base)
    assert print_graph(load_graph(path)) == print_graph(
        load_graph(tmp_path / "base.yaml", {"pad": "1"})
    )
    path = write(tmp_path, child="extends: base.yaml\nparams: {n: 2.5}\n")
    (error,) = errors_of(path)
    assert error.message == ("the default of `n` = 2.5 is not a whole number; it is of type int")
    assert (error.span.line, error.span.column) == (2, 13)


def test_a_parameter_that_the_base_has_not_is_named_near_one_that_it_has(tmp_path: Path) -> None:
    path = write(tmp_path, child="extends: inception_v4\nparams: {clases: 10}\n")
    (warning,) = draft_graph(path)[1].diagnostics
    assert warning.message == (
        "nothing in the network uses the parameter `clases` (did you mean `classes`?)"
    )


# -- what a base states of itself -----------------------------------------------------------------


def test_title_and_claims_are_the_bases(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        child="extends: inception_v4\nnetwork: deeper\nchanges: [{set: b, repeat: 9}]\n",
    )
    graph = load_graph(path)
    assert (graph.title, graph.claims) == ("deeper", ())
    assert [r for r in graph.regions if r.startswith("b.") and r.count(".") == 1][-1] == "b.8"


def test_another_name_has_another_title(tmp_path: Path) -> None:
    path = write(tmp_path, child="extends: inception_v4\nnetwork: mine\n")
    assert load_graph(path).title == "mine"
    assert load_graph(path).claims == load_graph("inception_v4").claims


def test_a_size_that_a_variant_states_holds_for_it(tmp_path: Path) -> None:
    child = "extends: inception_v4\ninput: {image: [3, 107, 107]}\nchanges: [{set: c, size: %s}]\n"
    assert load_graph(write(tmp_path, child=child % "2x2x1536"))
    (error,) = errors_of(write(tmp_path, child=child % "3x3x1536"))
    assert error.message == "`c.0.concat` gives 2x2x1536, the size that is stated is 3x3x1536"
    path = write(
        tmp_path,
        grandchild="extends: child.yaml\ninput: {image: [3, 299, 299]}\n",
        child=child % "2x2x1536",
    )
    assert load_graph(path)


def test_words_alone_leave_sizes_in_force(tmp_path: Path) -> None:
    child = "extends: inception_v4\nchanges: [{set: stem, label: Trunk}, {set: c, size: 9x9x9}]\n"
    (error,) = errors_of(write(tmp_path, child=child))
    assert error.code == "wrong-size"
    child = "extends: inception_v4\nchanges: [{set: stem, size: null}]\n"
    assert load_graph(write(tmp_path, child=child)).claims == load_graph("inception_v4").claims


# -- shipped names --------------------------------------------------------------------------------


def test_shipped_names_are_those_of_the_command_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        child="extends: zoo/googlenet\nimport: [blocks/stem_v4]\n"
        "changes: [{after: pool_4, insert: [relu]}]\n",
        inception_v4="extends: inception_v4\nparams: {classes: 5}\n",
    )
    assert "pool_4" in load_graph(path).nodes
    assert load_graph(tmp_path / "inception_v4.yaml").nodes["logits"].shape == (5,)


def test_a_local_file_of_a_shipped_name_wins_as_on_the_command_line(tmp_path: Path) -> None:
    base = "network: base\ninput: {image: [3, 8, 8]}\nlayers: [relu]\n"
    path = write(tmp_path, child="extends: inception_v4\n")
    (tmp_path / "inception_v4").write_text(base, encoding="utf-8")
    assert load_graph(path).name == "base"


def test_a_name_that_is_near_a_shipped_one(tmp_path: Path) -> None:
    error = errors_of(write(tmp_path, child="extends: incepton_v4\nnetwork: c\n"))[-1]
    assert error.message == "there is no file `incepton_v4` (did you mean `inception_v4`?)"


# -- changes by path ------------------------------------------------------------------------------

BASE = """
network: base
input: {image: [3, 32, 32]}
blocks:
  unit:
    title: Unit
    params: {n: {type: channels, default: 8}}
    layers:
      - {conv: 3x3, filters: n}
      - {conv: 3x3, filters: n}
      - {relu: true, name: last}
  stage:
    layers:
      - {block: unit, name: first}
      - residual:
          body: [{block: unit, name: inner}, {conv: 1x1, filters: first.channels, name: up}]
      - branches:
          wide: [{conv: 1x1, filters: 4}]
          deep: [{conv: 3x3, filters: 4}, {conv: 3x3, filters: 4}]
        join: concat
        name: mixed
layers:
  - {block: stage, name: one}
  - {block: stage, name: two, repeat: 2}
  - {layers: [{conv: 1x1, filters: 4}, {conv: 1x1, filters: 5}], name: three, repeat: 2}
  - {global_avg_pool: true, name: pool}
"""


def changed(folder: Path, *changes: str) -> Graph:
    lines = "".join(f"  - {change}\n" for change in changes)
    path = write(folder, child=f"extends: base.yaml\nchanges:\n{lines}", base=BASE)
    graph = load_graph(path)
    assert print_graph(again(path)) == print_graph(graph)
    return graph


def channels(graph: Graph, *names: str) -> list[object]:
    return [graph.tensor(name).shape.channels for name in names]


def test_a_change_inside_a_block_is_of_one_instance(tmp_path: Path) -> None:
    graph = changed(tmp_path, "{set: one.first.conv_3x3, filters: 16}")
    names = ("one.first.conv_3x3", "one.first.conv_3x3_2", "one.inner.conv_3x3")
    assert channels(graph, *names, "two.0.first.conv_3x3") == [16, 8, 8, 8]
    assert graph.regions["one"].definition == "stage_at_one"
    assert graph.regions["one.first"].definition == "unit_at_first"
    assert graph.regions["one.inner"].definition == "unit"
    assert graph.definitions["unit_at_first"].title == "Unit (first)"


def test_a_change_inside_a_repeat_is_of_every_copy(tmp_path: Path) -> None:
    graph = changed(
        tmp_path,
        "{set: two.mixed.wide.conv_1x1, filters: 9}",
        "{set: three.conv_1x1_2, filters: 7}",
    )
    names = ("one.mixed.wide.conv_1x1", "two.0.mixed.wide.conv_1x1", "two.1.mixed.wide.conv_1x1")
    assert channels(graph, *names) == [4, 9, 9]
    assert channels(graph, "three.0.conv_1x1", "three.0.conv_1x1_2", "three.1") == [4, 7, 7]


def test_a_change_inside_a_residual(tmp_path: Path) -> None:
    graph = changed(
        tmp_path,
        "{after: one.body, insert: [relu]}",
        "{replace: one.shortcut, by: [{conv: 1x1, filters: 8}]}",
        "{set: one.residual, residual: {scale: 0.5, activation: relu}}",
        "{after: one.add, insert: [sigmoid]}",
    )
    members = [n for n in graph.nodes if n.startswith("one.") and "inner" not in n]
    assert members[3:10] == [
        *("one.up", "one.relu", "one.shortcut.conv_1x1", "one.scale", "one.add", "one.act"),
        "one.sigmoid",
    ]


def test_layers_keep_their_names_whatever_stands_before_them(tmp_path: Path) -> None:
    graph = changed(
        tmp_path,
        "{before: one.first.conv_3x3, insert: [{conv: 3x3, filters: 5}]}",
        "{remove: two.mixed.deep.conv_3x3}",
        "{set: three.conv_1x1, conv: 3x3}",
    )
    assert channels(graph, "one.first.conv_3x3_3", "one.first.conv_3x3") == [5, 8]
    names = list(graph.nodes)
    assert names.index("one.first.conv_3x3_3") < names.index("one.first.conv_3x3")
    assert "two.0.mixed.deep.conv_3x3_2" in names
    assert "two.0.mixed.deep.conv_3x3" not in names
    assert graph.nodes["three.0.conv_1x1"].op.kernel_size == (3, 3)  # type: ignore[attr-defined]


def test_branches_come_and_go(tmp_path: Path) -> None:
    graph = changed(
        tmp_path,
        "{after: one.mixed.wide, insert: {tall: [{conv: 1x1, filters: 3}], same: []}}",
        "{remove: one.mixed.deep}",
        "{before: one.mixed.tall, insert: [relu]}",
        "{after: one.mixed.concat, insert: [relu]}",
        "{replace: two.mixed.wide, by: []}",
    )
    assert graph.nodes["one.mixed.concat"].inputs == (
        *("one.mixed.wide.conv_1x1", "one.mixed.tall.conv_1x1"),
        "one.add",
    )
    assert "one.mixed.tall.relu" in graph.nodes
    assert graph.nodes["one.relu"].inputs == ("one.mixed.concat",)
    assert graph.nodes["two.0.mixed.concat"].inputs == ("two.0.add", "two.0.mixed.deep.conv_3x3_2")


def test_a_grandchild_changes_what_a_child_changed(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        grandchild="extends: child.yaml\nchanges: [{set: one.first.conv_3x3_2, filters: 6}]\n",
        child="extends: base.yaml\nchanges: [{set: one.first.conv_3x3, filters: 5}]\n",
        base=BASE,
    )
    graph = load_graph(path)
    names = ("one.first.conv_3x3", "one.first.conv_3x3_2", "two.1.first.conv_3x3_2")
    assert channels(graph, *names) == [5, 6, 8]
    assert print_graph(again(path)) == print_graph(graph)


MISTAKES = [
    (
        "{set: one.frist.conv_3x3, filters: 1}",
        "3:15: block `stage` has no layer `frist` (did you mean `first`?)",
        "its layers are `first`, `residual`, `mixed`, `body`, `inner`, `up`, `shortcut`, `add`",
    ),
    (
        "{set: one.first.conv_3x3.norm, filters: 1}",
        "3:30: `conv_3x3` is one layer, there is no `norm` inside",
        "its norm and its activation are keys: `{set: conv_3x3, activation: none}`",
    ),
    (
        "{set: two.1.first, with: {n: 1}}",
        "3:15: the copies of `two` are one layer: there is no change of copy 1 alone",
        "`two.first` changes every copy; or `{replace: two, by: [...]}` by several layers",
    ),
    (
        "{set: one.mixed.deep, filters: 1}",
        "3:15: `deep` is a branch: it has no keys",
        "set a layer in it, or `{replace: deep, by: [...]}`",
    ),
    (
        "{remove: one.mixed.concat}",
        "3:18: `concat` is made by `branches`, and is no layer that could be changed",
        "set a key of `mixed`, or put layers behind: `{after: concat, insert: [...]}`",
    ),
    (
        "{remove: one.body}",
        "3:18: a residual has a body",
        "replace it, or remove the `residual`",
    ),
    (
        "{set: pool, global_avg_pool: null}",
        "3:17: `global_avg_pool` is what the layer is: it cannot be taken away",
        "`{remove: LAYER}` takes a layer out, `{replace: LAYER, by: [...]}` puts others in",
    ),
    (
        "{set: pool, label: null}",
        "3:17: `pool` has no `label` that could be taken away",
        "`null` takes an inherited key away; give it a value, or take the line out",
    ),
    (
        "{after: one.first, insert: {a: [relu]}}",
        "3:32: `after` needs `insert`, a list of layers",
        "a mapping adds branches, beside a branch",
    ),
    (
        "{after: one.mixed.wide, insert: {deep: [relu]}}",
        "3:38: there is a `deep` already",
        "",
    ),
    ("{set: pool}", "3:5: `set` names no key to set", None),
]


@pytest.mark.parametrize(("change", "message", "help"), MISTAKES)
def test_a_change_that_cannot_be_made(
    tmp_path: Path, change: str, message: str, help: str | None
) -> None:
    path = write(tmp_path, child=f"extends: base.yaml\nchanges:\n  - {change}\n", base=BASE)
    (error,) = errors_of(path)
    assert f"{error.span.line}:{error.span.column}: {error.message}" == message
    assert error.code == "bad-change"
    assert error.help == help or help is None
    assert Path(error.span.file).name == "child.yaml"


# -- blocks that extend blocks --------------------------------------------------------------------


def test_a_block_extends_a_block(tmp_path: Path) -> None:
    child = """
extends: base.yaml
blocks:
  unit:
    extends: unit
    params: {n: 4, m: {type: channels, default: 3}}
    changes: [{after: last, insert: [{conv: 1x1, filters: m, name: more}]}]
  wider: {extends: unit, title: Wider, params: {m: 6}}
changes: [{set: two.first, block: wider}]
"""
    path = write(tmp_path, child=child, base=BASE)
    graph = load_graph(path)
    assert channels(graph, "one.first.conv_3x3", "one.first", "two.0.first") == [4, 3, 6]
    assert graph.regions["two.0.first"].info.title == "Wider"
    assert graph.regions["one.first"].info.title == "Unit"
    assert print_graph(again(path)) == print_graph(graph)


def test_a_block_of_branches_takes_layers_behind_the_join(tmp_path: Path) -> None:
    child = """
extends: inception_v4
network: gated
blocks:
  gate:
    layers:
      - {global_avg_pool: true, keep_grid: true}
      - {conv: 1x1, filters: in.channels, linear: true}
      - sigmoid
      - {multiply: [in, sigmoid], name: scaled}
  inception_a: {extends: inception_a, changes: [{after: concat, insert: [{block: gate}]}]}
  inception_b: {extends: inception_b, changes: [{after: concat, insert: [{block: gate}]}]}
  inception_c: {extends: inception_c, changes: [{after: concat, insert: [{block: gate}]}]}
"""
    path = write(tmp_path, child=child)
    graph, base = load_graph(path), load_graph("inception_v4")
    assert set(base.nodes) < set(graph.nodes)
    gates = 4 * (384**2 + 384) + 7 * (1024**2 + 1024) + 3 * (1536**2 + 1536)
    assert summarize(graph).parameters == 42_679_816 + gates
    assert print_graph(again(path)) == print_graph(graph)
    assert b"gate" in api.render(graph, "svg", block="inception_a")


EXTENDING = [
    (
        "a: {extends: b}\n  b: {extends: a}",
        "block-cycle",
        "4:16: blocks extend each other: a -> b -> a",
    ),
    ("a: {extends: a}", "block-cycle", "3:16: block `a` extends itself"),
    (
        "a: {extends: uint}",
        "unknown-block",
        "3:16: there is no block `uint` (did you mean `unit`?)",
    ),
    ("a: {changes: []}", "bad-change", "3:7: block `a` has `changes` and extends nothing"),
    ("a: {extends: 3}", "bad-change", "3:16: `extends` of block `a` takes the name of a block"),
    ("a: {extends: unit, layers: null}", "bad-change", "3:22: block `a` needs its body"),
    ("a: {extends: unit, changes: {}}", "bad-change", "3:31: `changes` of block `a` is no list"),
]


@pytest.mark.parametrize(("block", "code", "message"), EXTENDING)
def test_a_block_that_cannot_extend(tmp_path: Path, block: str, code: str, message: str) -> None:
    path = write(tmp_path, child=f"extends: base.yaml\nblocks:\n  {block}\n", base=BASE)
    (error,) = errors_of(path)
    assert (error.code, f"{error.span.line}:{error.span.column}: {error.message}") == (
        code,
        message,
    )


def test_a_network_with_changes_of_nothing(tmp_path: Path) -> None:
    (error,) = errors_of(write(tmp_path, base=BASE + "changes: [{remove: one}]\n"))
    assert error.message == "a network has `changes` and extends nothing"
    assert error.help == "name the network that it changes: `extends: FILE`, or a shipped name"


def test_extending_across_imports_in_a_library(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        net="network: n\nimport: [b.yaml]\ninput: {image: [3, 8, 8]}\nlayers: [{block: b}]\n",
        b="import: [a.yaml]\nblocks: {b: {extends: a, changes: [{remove: relu}]}}\n",
        a="blocks: {a: {layers: [{conv: 1x1, filters: 2}, relu, sigmoid]}}\n",
    )
    assert list(load_graph(path).nodes) == ["image", "b.conv_1x1", "b.sigmoid"]


# -- null ----------------------------------------------------------------------------------------


def test_null_takes_keys_away(tmp_path: Path) -> None:
    base = """
network: base
title: Base
params: {n: 3, m: 4}
input: {image: [3, 8, 8], extra: [3, 8, 8]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks: {b: {params: {k: {type: channels, default: 7}}, layers: [{conv: 1x1, filters: k}]}}
layers:
  - {conv: 3x3, filters: n, stride: 2, name: c}
  - {block: b, with: {k: 2}}
"""
    child = """
extends: base.yaml
title: null
params: {m: null}
input: {extra: null}
defaults: {conv: {activation: null}}
changes:
  - {set: c, stride: null}
  - {set: b, with: {k: null}}
"""
    path = write(tmp_path, child=child, base=base)
    graph, report, spec = draft_graph(path)
    assert not report.diagnostics
    assert (graph.title, graph.inputs, list(graph.arguments)) == ("base", ("image",), ["n"])
    assert graph.tensor("c").shape == (3, 8, 8)
    assert channels(graph, "b") == [7]
    assert "c.act" not in graph.nodes
    notes = [line.strip() for line in print_spec(spec).splitlines() if "takes" in line]
    assert [n.partition("child.yaml:")[2] for n in notes] == [
        "4 takes `m` away",
        "5 takes `extra` away",
        "6 takes `activation` away",
        "8 takes `stride` away",
        "9 takes `k` away",
    ]


@pytest.mark.parametrize("key", ["network", "input", "layers"])
def test_null_where_a_network_needs_the_key(tmp_path: Path, key: str) -> None:
    (error,) = errors_of(write(tmp_path, child=f"extends: inception_v4\n{key}: null\n"))
    assert error.message == f"a network needs `{key}`: it cannot be taken away"
    assert error.help == "give it a value, or take the line out: it is inherited then"


# -- where it comes from --------------------------------------------------------------------------


def test_an_emitted_spec_says_where_each_change_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    child = """\
extends: base.yaml
network: child
input: {image: [3, 64, 64]}
changes:
  - {set: one.first.conv_3x3, filters: 16}
  - {remove: two}
  - {replace: three, by: [relu, {conv: 1x1, filters: 2}]}
"""
    write(tmp_path, child=child, base=BASE)
    text = print_spec(load_spec("child.yaml", Report()))
    assert [line for line in text.splitlines() if "# " in line] == [
        "network: child  # child.yaml:2",
        "  # child.yaml:3",
        "- block: stage_at_one  # child.yaml:5",
        "- relu  # child.yaml:6 takes `two` out; child.yaml:7, in place of `three`",
        "# child.yaml:7, in place of `three`",
        "  # `stage`, changed at `one`",
        "    - block: unit_at_first  # child.yaml:5",
        "  # `unit`, changed at `first`",
        "      filters: 16  # child.yaml:5",
    ]


def test_a_branch_that_leaves_a_block_is_said_in_the_emitted_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    child = """\
extends: inception_v4
network: child
blocks:
  inception_a: {extends: inception_a, changes: [{remove: pool}]}
changes:
  - {remove: b.single}
"""
    write(tmp_path, child=child)
    text = print_spec(load_spec("child.yaml", Report()))
    assert [line.strip() for line in text.splitlines() if "takes" in line] == [
        "# child.yaml:4 takes `pool` out",
        "# child.yaml:6 takes `single` out",
    ]


# -- what is missing where a change took it away --------------------------------------------------

TAKEN = """\
network: taken
input: {x: [3, 16, 16]}
params: {n: {type: channels, default: 4}}
blocks:
  pair:
    params: {k: {type: channels}}
    layers:
      - {conv: 3x3, filters: k, name: first}
      - {concat: [first, in], name: both}
layers:
  - {block: pair, with: {k: 4}}
  - {conv: 1x1, filters: n, name: c}
  - {add: [c, c], name: last}
outputs: [last]
"""
REMOVALS = [
    ("params: {n: null}", "`filters` of `conv`: unknown name `n`", "takes `n` away"),
    ("changes: [{set: c, filters: null}]", "`conv` needs `filters`", "takes `filters` away"),
    ("changes: [{set: pair, with: {k: null}}]", "block `pair` needs `k`", "takes `k` away"),
    ("changes: [{remove: last}]", "there is no layer `last` to read here", "takes `last` out"),
    (
        "changes: [{remove: pair.first}]",
        "there is no layer `first` to read here",
        "takes `first` out",
    ),
    (
        "blocks: {pair: {extends: pair, changes: [{remove: first}]}}",
        "there is no layer `first` to read here",
        "takes `first` out",
    ),
]


@pytest.mark.parametrize(("change", "message", "note"), REMOVALS, ids=[r[0] for r in REMOVALS])
def test_what_a_variant_took_away_is_noted_where_its_base_misses_it(
    tmp_path: Path, change: str, message: str, note: str
) -> None:
    path = write(tmp_path, child=f"extends: taken.yaml\nnetwork: child\n{change}\n", taken=TAKEN)
    found = next(d for d in errors_of(path) if d.message == message)
    assert (found.span.file, found.span.line) == (str(path), 3)
    assert found.notes == (f"{path}:3 {note}",)
    assert found.remarks[0].span.file.endswith("taken.yaml")
    assert found.remarks[0].text == "this needs it"
    inherited = "the outputs are inherited: say those of the variant, `outputs: [NAME, ...]`; "
    assert found.help.startswith(inherited) == ("`last`" in message)


def test_what_a_variant_never_said_was_not_taken_away(tmp_path: Path) -> None:
    child = """\
extends: taken.yaml
network: child
changes:
  - {set: pair, with: {k: null}}
  - {after: last, insert: [{block: pair, name: more}]}
"""
    path = write(tmp_path, child=child, taken=TAKEN)
    notes = {d.span.line: d.notes for d in errors_of(path)}
    assert notes == {4: (f"{path}:4 takes `k` away",), 5: ()}


def test_a_parameter_that_a_variant_leaves_without_use_is_taken_out_there(tmp_path: Path) -> None:
    child = "extends: taken.yaml\nnetwork: child\nchanges: [{set: c, filters: 7}]\n"
    path = write(tmp_path, child=child, taken=TAKEN)
    (found,) = draft_graph(path)[1].diagnostics
    assert found.message == "nothing in the network uses the parameter `n`"
    assert found.help == (
        "the variant changes what reads it; "
        "take it out with `params: {n: null}`, or use it in an expression"
    )
    assert (found.span.file.rpartition("/")[2], found.span.line) == ("child.yaml", 3)
    assert [(r.text, r.span.file.rpartition("/")[2]) for r in found.remarks] == [
        ("it is about this", "taken.yaml"),
        ("its base reads it here", "taken.yaml"),
    ]
    path.write_text(child + "params: {n: null}\n")
    assert not draft_graph(path)[1].diagnostics


def test_keys_of_layers_and_changes_stand_in_any_order(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(
        "network: base\ninput: {image: [3, 8, 8]}\nblocks:\n"
        "  b: {layers: [{name: deep, filters: 4, conv: 3x3}]}\n"
        "layers:\n  - {name: one, block: b}\n  - {scale: false, batch_norm: true}\n"
    )
    child = tmp_path / "child.yaml"
    child.write_text(
        "extends: base.yaml\nnetwork: child\nchanges:\n"
        "  - {filters: 5, set: one.deep}\n"
        "  - {insert: [{name: last, relu: true}], after: batch_norm}\n"
    )
    graph = load_graph(child)
    assert list(graph.nodes) == ["image", "one.deep", "batch_norm", "last"]
    assert [str(graph.nodes[n].shape) for n in ("one.deep", "last")] == ["(N, 5, 8, 8)"] * 2
    assert graph.nodes["batch_norm"].op == BatchNorm(scale=False)
