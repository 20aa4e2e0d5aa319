"""`for`: copies of a layer over lists of values, and what is refused of it, in whole messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.errors import CompileError
from compiler.graph import Graph, number
from compiler.lower import check_library
from compiler.ops import Activation, Conv2d, GroupNorm, MaxPool2d, PReLU
from compiler.pipeline import Compilation, load_graph

STAGE = """\
network: net
input: {image: [3, 32, 32]}
params: {w: 2, grow: {type: number, default: 1.5}}
blocks:
  stage:
    params:
      n: {type: channels}
      s: {type: int, default: 2}
      k: {type: kernel, default: 3x3}
      f: {type: activation, default: none}
    layers: [{conv: k, filters: n, stride: s, activation: f, name: conv}]
layers:
"""


def load(tmp_path: Path, layers: str) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(f"{STAGE}{layers}\n", encoding="utf-8")
    return load_graph(path)


def convolutions(graph: Graph) -> list[tuple[object, ...]]:
    """Return filters, kernel and stride of every convolution, in order."""
    ops = [node.op for node in graph.nodes.values() if isinstance(node.op, Conv2d)]
    return [(op.out_channels, op.kernel_size, op.stride) for op in ops]


def test_a_block_takes_the_values_of_its_parameters(tmp_path: Path) -> None:
    graph = load(tmp_path, "- {block: stage, name: a, for: {n: [4, 8 * w], s: [1, 2]}}")
    assert convolutions(graph) == [(4, (3, 3), (1, 1)), (16, (3, 3), (2, 2))]
    assert graph.regions["a"].kind == "repeat"
    assert graph.regions["a.1"].arguments == {"n": 16, "s": 2, "k": (3, 3), "f": "none"}
    assert number(graph.parameters()) == 3 * 3 * 3 * 4 + 4 + 3 * 3 * 4 * 16 + 16


def test_values_are_words_and_sizes_too(tmp_path: Path) -> None:
    graph = load(tmp_path, "- {block: stage, for: {n: [4, 5], k: [1x1, [3, 1]], f: [relu, none]}}")
    assert [kernel for _, kernel, _ in convolutions(graph)] == [(1, 1), (3, 1)]
    assert list(graph.nodes) == ["image", "stage.0.conv.conv", "stage.0.conv.act", "stage.1.conv"]


def test_what_with_gives_is_a_formula_over_the_copy(tmp_path: Path) -> None:
    graph = load(
        tmp_path, '- {block: stage, for: {n: [4, 8]}, with: {n: n * w, s: "2 - index", k: 1}}'
    )
    assert convolutions(graph) == [(8, (1, 1), (2, 2)), (16, (1, 1), (1, 1))]


KINDS = """\
network: net
input: {image: [3, 32, 32]}
blocks:
  wide: {params: {n: {type: channels}}, layers: [{conv: 1x1, filters: 2 * n}]}
  thin: {params: {n: {type: channels}}, layers: [{conv: 1x1, filters: n}]}
  stage:
    params:
      unit: {type: block, default: thin}
      f: {type: activation, default: relu}
      p: {type: padding, default: V}
      how: {type: text, default: plain}
      ns: {type: list, default: [4]}
    layers:
      - {block: unit, for: {n: ns}, name: units}
      - {conv: 3x3, filters: 5, padding: p, activation: f, name: last}
      - {conv: 1x1, filters: 6, when: how == 'more', name: more}
layers:
"""


def kinds(tmp_path: Path, layers: str) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(f"{KINDS}  - {layers}\n", encoding="utf-8")
    return load_graph(path)


def test_a_value_is_read_as_the_parameter_that_takes_it(tmp_path: Path) -> None:
    graph = kinds(
        tmp_path,
        "{block: stage, for: {unit: [wide, thin], f: [{leaky_relu: 0.1}, elu], how: [more, plain], "
        "p: [half, [[0, 1], [0, 1]]], ns: [[4, 6], [7, 8]]}}",
    )
    filters = [
        op.out_channels for node in graph.nodes.values() if isinstance(op := node.op, Conv2d)
    ]
    assert filters == [8, 12, 5, 6, 7, 8, 5]
    acts = [graph.nodes[f"stage.{index}.last.act"].op for index in (0, 1)]
    assert acts == [Activation("leaky_relu", 0.1), Activation("elu")]
    assert str(graph.nodes["stage.1.last.conv"].shape) == "(N, 5, 31, 31)"  # 32 + 1 - 3 + 1


def test_values_with_an_argument(tmp_path: Path) -> None:
    loop = "for: {f: [{leaky_relu: 0.2}, relu, {prelu: one}], m: [none, {group_norm: 2}, none]}"
    graph = kinds(tmp_path, f"{{conv: 1, filters: 4, activation: f, norm: m, {loop}, name: a}}")
    acts = [graph.nodes[f"a.{index}.act"].op for index in range(3)]
    assert acts == [Activation("leaky_relu", 0.2), Activation("relu"), PReLU("one")]
    assert graph.nodes["a.1.norm"].op == GroupNorm(2)
    assert "a.0.norm" not in graph.nodes


def test_a_list_whose_entries_have_an_argument(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "network: net\ninput: {image: [4, 8, 8]}\nparams: {slope: {type: number, default: 0.2}, "
        "fs: {type: list, default: [{leaky_relu: slope}, relu]}}\n"
        "layers: [{conv: 1, filters: 4, activation: f, for: {f: fs}, name: a}]\n",
        encoding="utf-8",
    )
    graph = load_graph(path)
    assert [graph.nodes[f"a.{index}.act"].op for index in (0, 1)] == [
        Activation("leaky_relu", 0.2),
        Activation("relu"),
    ]


def test_a_list_of_two_numbers_is_a_list(tmp_path: Path) -> None:
    graph = kinds(
        tmp_path,
        "{layers: [{conv: 1, filters: n + len(row), for: {n: row}}], "
        "for: {row: [[1, 2], [3, 4, 5]]}}",
    )
    assert [filters for filters, *_ in convolutions(graph)] == [3, 4, 6, 7, 8]


def test_a_block_that_is_handed_over_takes_the_values(tmp_path: Path) -> None:
    path = tmp_path / "blocks.yaml"
    path.write_text(
        "blocks:\n  stage:\n    params: {unit: {type: block}}\n"
        "    layers: [{block: unit, for: {n: [4, 8]}}]\n",
        encoding="utf-8",
    )
    compilation = Compilation(path)
    assert check_library(compilation.spec, compilation.report) == 1
    assert compilation.diagnostics == ()


def test_layers_inside_read_the_variables(tmp_path: Path) -> None:
    graph = load(
        tmp_path,
        "- layers:\n"
        "    - {conv: 3x3, filters: v, repeat: 2, name: conv}\n"
        "    - {max_pool: 2x2, stride: 2, when: pool}\n"
        "    - {conv: 1x1, filters: u * v, for: {u: [1, 2]}, name: wide}\n"
        "  for: {v: [4, 8], pool: [true, false]}\n"
        "  name: a",
    )
    assert [filters for filters, *_ in convolutions(graph)] == [4, 4, 4, 8, 8, 8, 8, 16]
    assert sum(isinstance(node.op, MaxPool2d) for node in graph.nodes.values()) == 1
    assert graph.nodes[graph.outputs[0].node].name == "a.1.wide.1"


def test_a_variable_of_a_loop_around_is_worth_nothing_inside_a_block(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="unknown name `n`"):
        load(tmp_path, "- {layers: [{block: stage, with: {n: n}}, {conv: 1, filters: m}]}")


def test_a_block_in_a_loop_of_one_copy_is_one(tmp_path: Path) -> None:
    graph = load(tmp_path, "- {block: stage, name: a, for: {n: [4]}}")
    assert list(graph.nodes) == ["image", "a.0.conv"]


WRONG = {
    "an unknown variable": (
        "- {block: stage, for: {n: [4, 8], t: [1, 2]}}",
        (
            "nothing reads `t`, which the loop goes over, and block `stage` has no such parameter",
            "its parameters are `n`, `s`, `k`, `f`",
            "13:35",
        ),
    ),
    "an unread variable": (
        "- {conv: 3x3, filters: 4, for: {t: [1, 2]}}",
        ("nothing reads `t`, which the loop goes over", "take it out", "13:33"),
    ),
    "lists of two lengths": (
        "- {block: stage, for: {n: [4, 8, 9], s: [1, 2]}}",
        (
            "a loop takes a value of each list for a copy, and here are 3 of `n`, 2 of `s`",
            "make the lists equally long",
            "13:23",
        ),
    ),
    "no list": (
        "- {conv: 3x3, filters: v, for: {v: 3}}",
        (
            "`for` of `conv`: expected a list of values, found `3`",
            "write `[64, 128, 256]`, or a parameter that is a list",
            "13:36",
        ),
    ),
    "a parameter that is no list": (
        "- {conv: 3x3, filters: v, for: {v: w}}",
        (
            "`v` of `for` = w = 2 is not a list",
            "write `[64, 128, 256]`, or a parameter that is a list",
            "13:36",
        ),
    ),
    "no variable": (
        "- {conv: 3x3, filters: 4, for: {}}",
        ("`for` has no variable", "write `for: {n: [64, 128]}`", "13:32"),
    ),
    "a repeat beside it": (
        "- {conv: 3x3, filters: v, repeat: 2, for: {v: [1, 2]}}",
        (
            "a layer has `repeat` or `for`, this one has both",
            "`for` counts them: take `repeat` out",
            "13:35",
        ),
    ),
    "the name of a parameter": (
        "- {conv: 3x3, filters: w, for: {w: [1, 2]}}",
        ("`w` is a parameter here already", "call one of them otherwise", "13:33"),
    ),
    "the name of a loop around": (
        "- {layers: [{conv: 1, filters: v, for: {v: [1]}}], for: {v: [1]}}",
        ("`v` is a loop's around this one already", "call one of them otherwise", "13:41"),
    ),
    "a word of the language": (
        "- {conv: 3x3, filters: max, for: {max: [1]}}",
        (
            "the name of a variable: `max` is taken: it is a word of the language",
            "call it `max_1` or another name",
            "13:35",
        ),
    ),
    "a value of another kind": (
        "- {block: stage, for: {n: [4, 0]}}",
        ("`n` of `for` = 0 is less than 1; it is of type channels", "", "13:31"),
    ),
    "an unknown name in a value": (
        "- {block: stage, for: {n: [4, x]}}",
        (
            "`n` of `for`: unknown name `x`",
            "the parameters here are `w`, `grow`",
            "13:31",
        ),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_at_its_place(case: str, tmp_path: Path) -> None:
    layers, (message, help, place) = WRONG[case]
    with pytest.raises(CompileError) as caught:
        load(tmp_path, layers)
    found = caught.value.diagnostics[0]
    said = found.message, found.help, f"{found.span.line}:{found.span.column}"
    assert said == (message, help, place)


def test_a_loop_of_too_many_copies_is_refused_before_any_is_made(tmp_path: Path) -> None:
    layers = f"- {{layers: [{{conv: 1, filters: v, repeat: 100000}}], for: {{v: {[1] * 100}}}}}"
    with pytest.raises(CompileError, match="`for` with 100 copies makes 10,000,000 operations"):
        load(tmp_path, layers)
