"""References, names, repeats, circles, depth."""

from __future__ import annotations

import time

import pytest

from compiler.facts.summarize import summarize
from compiler.graph.print import print_graph
from tests.cases.conftest import Draft

A = "{conv: 3x3, filters: 3, name: a}"


def test_an_inserted_layer_moves_no_edge(draft: Draft) -> None:
    last = "{concat: [a, b]}"
    b = "{conv: 3x3, filters: 3, name: b}"
    before, after = draft.layers("3x8x8", A, b, last), draft.layers("3x8x8", A, "relu", b, last)
    assert before.graph is not None
    assert after.graph is not None
    assert before.graph.nodes["concat"].inputs == after.graph.nodes["concat"].inputs == ("a", "b")
    assert draft.layers("3x8x8", A, "{relu: true, from: 6}").errors == ["bad-value"]


@pytest.mark.parametrize(
    ("layer", "code", "words"),
    [
        ("{relu: true, from: aa}", "unknown-layer", "did you mean `a`?"),
        ("{relu: true, from: -9}", "bad-value", "layers are named, not counted"),
        ("{relu: true, name: q, from: q}", "cycle", "q -> q"),
        ("{relu: true, from: ~}", "bad-value", "`from` of `relu` is empty"),
        ("{concat: []}", "operand-count", "`concat` names no layers"),
        ("{concat: [a, 3]}", "bad-value", "expected a text, found `3`"),
        ("{concat: a}", "bad-value", "expected a list"),
        ("{relu: true, from: a.b}", "unknown-layer", "there is no layer `a.b`"),
    ],
)
def test_references(draft: Draft, layer: str, code: str, words: str) -> None:
    found = draft.layers("3x8x8", A, layer)
    assert found.errors == [code]
    assert words in found.said


def test_a_layer_may_read_a_later_one(draft: Draft) -> None:
    later = "{relu: true, name: later, from: x}"
    assert (
        draft.layers(
            "3x8x8", "{conv: 1x1, filters: 5, from: later, name: a}", later, "{concat: [a, later]}"
        ).out
        == "8x8x8"
    )
    inside = "{branches: {p: [{relu: true, from: later}], q: []}, join: concat, name: br}"
    assert draft.layers("3x8x8", inside, later, "{concat: [br, later]}").out == "9x8x8"
    circle = draft.layers("3x8x8", inside, "{relu: true, name: later}")
    assert circle.errors == ["cycle"]
    assert "`later` is not computed yet" in circle.said


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("{inceptionA: 3}", "there is no op `inceptionA`"),
        ("os.system", "there is no op `os.system`"),
        ("{__class__: 1}", "there is no op `__class__`"),
        ("{ReLU: true}", "did you mean `relu`?"),
        ("{block: nosuch}", "there is no block `nosuch`"),
        ("{op: conv}", "the op is a key itself"),
        ("{filters: 32}", "`filters` is a key of `conv`"),
    ],
)
def test_unknown_ops(draft: Draft, layer: str, words: str) -> None:
    found = draft.layers("3x8x8", layer, "{linear: 3}")
    assert words in found.said
    assert len(found.errors) == 1  # what follows an unknown layer is no error of its own


def test_every_circle_with_its_members_alone(draft: Draft) -> None:
    found = draft.layers(
        "3x8x8",
        A,
        "{add: [a, c], name: b}",
        "{conv: 3x3, filters: 3, name: c, from: b}",
        "{conv: 3x3, filters: 3, name: d, from: c}",
        "{conv: 3x3, filters: 3, name: e, from: f}",
        "{conv: 3x3, filters: oops, name: f, from: e}",
        "{conv: 3x3, filters: oops, name: g}",
    )
    assert found.errors == ["cycle", "cycle", "unknown-parameter"]
    assert "in a circle: b -> c -> b" in found.said
    assert "in a circle: e -> f -> e" in found.said


@pytest.mark.parametrize(
    ("layer", "inputs", "out"),
    [
        ("{add: [x, x]}", ("x", "x"), "64x8x8"),
        ("{concat: [x, x]}", ("x", "x"), "128x8x8"),
        ("{concat: [x, y, x]}", ("x", "y", "x"), "131x8x8"),
    ],
)
def test_one_tensor_twice(draft: Draft, layer: str, inputs: tuple[str, ...], out: str) -> None:
    found = draft.layers("64x8x8", "{conv: 1x1, filters: 3, name: y}", layer)
    assert found.out == out
    assert found.graph is not None
    assert found.graph.nodes[found.graph.outputs[0].node].inputs == inputs


def test_three_thousand_layers(draft: Draft) -> None:
    started = time.perf_counter()
    found = draft.layers("8x8x8", "{conv: 1x1, filters: 8, repeat: 3000, name: c}")
    assert found.out == "8x8x8"
    assert found.graph is not None
    assert summarize(found.graph).parameters == 3000 * 72
    assert print_graph(found.graph, shapes=True).count("Conv2d") == 3000
    assert time.perf_counter() - started < 10


def test_blocks_200_deep(draft: Draft) -> None:
    blocks = "".join(f"  b{i}: {{layers: [{{block: b{i + 1}}}]}}\n" for i in range(200))
    head = f"blocks:\n{blocks}  b200: {{layers: [relu]}}\n"
    found = draft.layers("3x8x8", "{block: b0}", head=head)
    assert set(found.errors) <= {"too-deep"}


def test_copies_have_names_and_parameters_of_their_own(draft: Draft) -> None:
    head = "blocks: {res: {residual: {body: [{conv: 3x3, filters: in.channels, bias: false}]}}}\n"
    graph = draft.layers(
        "4x8x8", "{block: res, repeat: 3}", "{block: res, name: again}", head=head
    ).graph
    assert graph is not None
    assert [n for n in graph.nodes if n.endswith("conv_3x3")] == [
        *(f"res.{i}.conv_3x3" for i in range(3)),
        "again.conv_3x3",
    ]
    assert summarize(graph).parameters == 4 * 144
    taken = draft.layers("3x8x8", "{conv: 3x3, filters: 8}", "{relu: true, name: conv_3x3}")
    assert taken.errors == ["duplicate-name"]
    assert len(taken.findings[0].remarks) == 1


def test_a_layer_cannot_take_the_name_of_an_input(draft: Draft) -> None:
    assert draft.layers("3x8x8", "{relu: true, name: x}").errors == ["duplicate-name"]


@pytest.mark.parametrize(
    ("repeat", "code"),
    [
        ("-1", "bad-value"),
        ('"3"', "bad-value"),
        ("true", "bad-value"),
        ("~", "bad-value"),
        ("2.5", "bad-value"),
        ("two", "unknown-parameter"),
        ("1/0", "bad-expression"),
        ("10000000", "too-large"),
    ],
)
def test_counts_of_repeats_that_are_none(draft: Draft, repeat: str, code: str) -> None:
    assert draft.layers("3x8x8", f"{{relu: true, repeat: {repeat}}}").errors == [code]


def test_counts_of_repeats(draft: Draft) -> None:
    def out(repeat: str) -> str:
        layer = f"{{conv: 3x3, filters: 128, repeat: {repeat}}}"
        return draft.layers("64x8x8", layer, head="params: {n: 0}\n").out

    assert [out(n) for n in ("0", "n", "1", "2", "2.0")] == ["64x8x8"] * 2 + ["128x8x8"] * 3


def test_shared_parameters_count_once(draft: Draft) -> None:
    first = "{conv: 3x3, filters: 1, name: a}"
    graph = draft.layers("1x8x8", first, "{conv: 3x3, filters: 1, name: b, share: a}").graph
    assert graph is not None
    assert summarize(graph).parameters == 10
    for layer, words in {
        "{conv: 3x3, filters: 2, share: a}": "`filters` is 2, not 1",
        "{relu: true, share: a}": "has no parameters",
        "{conv: 3x3, filters: 1, share: nosuch}": "there is no layer `nosuch`",
        "{conv: 3x3, filters: 1, name: d, share: d}": "does not stand before",
    }.items():
        found = draft.layers("1x8x8", first, layer)
        assert len(found.errors) == 1
        assert words in found.said


@pytest.mark.parametrize(
    "name",
    [
        '"norm.1"',
        '"a/b"',
        "1x1",
        "3a",
        "conv 2",
        "é",
        '""',
        "a-b",
        "~",
        "true",
        "12",
        '"x): pass"',
        '"../../x"',
        "class",
        "forward",
        "train",
        "type",
        "modules",
        "parameters",
        "children",
        "training",
        "self",
        "torch",
        "nn",
        "T_destination",
        "__init__",
    ],
)
def test_names_that_are_none(draft: Draft, name: str) -> None:
    found = draft.layers("3x8x8", f"{{relu: true, name: {name}}}")
    assert len(found.errors) == 1
    assert found.errors[0] in ("bad-name", "bad-value")


def test_outputs_and_dead_ends(draft: Draft) -> None:
    b = "{conv: 1x1, filters: 3, name: b, from: x}"
    dead = draft.layers("3x8x8", A, b)
    assert [d.code for d in dead.findings] == ["unused-layer"]
    assert "`a`" in dead.findings[0].message
    assert draft.layers("3x8x8", A, b, head="outputs: [b, b, a]\n").errors == ["duplicate-name"]
    wrong = draft.layers("3x8x8", A, head="outputs: [a, nosuch, 3, ~, [a]]\n")
    assert wrong.errors == ["unknown-layer", "bad-value", "bad-value", "bad-value"]
