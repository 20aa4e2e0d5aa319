"""Where numbers come from: every formula comes to its number, and the paper's sums read as such."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.errors import UsageError
from compiler.facts.why import Step, as_data, as_text, why
from compiler.graph import Graph
from compiler.pipeline import draft_graph, load_graph
from compiler.text import evaluate, parse


def steps(step: Step) -> Iterator[Step]:
    """Yield a step and all behind it, each once."""
    seen: dict[int, Step] = {}
    stack = [step]
    while stack:
        one = stack.pop()
        if id(one) not in seen:
            seen[id(one)] = one
            stack += [term.step for term in one.terms]
    yield from seen.values()


def comes_to(step: Step) -> object:
    """Return what a formula in numbers comes to, labels aside; one of names is not read."""
    plain = re.sub(r" \([^()]*[a-z][^()]*\)", "", step.formula).replace(",", "")
    if re.search("[a-z]", plain):
        return step.value
    return evaluate(parse(plain), lambda name: None)


def asked(graph: Graph) -> Iterator[str]:
    """Yield a value of each kind for every node and region of a network."""
    for name in [*graph.nodes, *(r for r in graph.regions if r)]:
        for axis in ("channels", "height", "width")[: len(graph.tensor(name).shape)]:
            yield f"{name}.{axis}"
    for name in graph.regions:
        yield from (f"{name}.{count}".lstrip(".") for count in ("parameters", "macs", "buffers"))


@pytest.mark.parametrize("spec", ["inception_v4", "inception_resnet_v2", "zoo/googlenet"])
def test_every_formula_comes_to_its_number(spec: str) -> None:
    graph = load_graph(spec)
    found = [s for value in list(asked(graph))[::17] for s in steps(why(graph, value))]
    sums = [s for s in found if s.formula and len(s.formula) < 400]
    assert len(sums) > 100
    assert [s for s in sums if comes_to(s) != s.value] == []


@pytest.mark.parametrize(
    ("spec", "value", "line"),
    [
        ("inception_resnet_v2", "b.channels", "1152 = 384 (pool) + 384 (n, Table 1) + 384 (m, "),
        ("inception_resnet_v2", "c.channels", "2144 = 1152 (pool) + 384 (wide) + 288 (short) + "),
        ("inception_v4", "reduction_a.height", "17 = (35 - 3) // 2 + 1"),
        ("inception_v4", "stem.conv_1a.parameters", "928 = 9 * 3 * 32 + 2 * 32"),
        ("inception_v4", "logits.parameters", "1,537,000 = (1536 + 1) * 1000 (classes, Figure 9)"),
        ("inception_v4", "logits.macs", "1,536,000 = 1536 * 1000 (classes, Figure 9)"),
        ("zoo/resnet18", "layer1.parameters", "147,968 = 73,984 (first) + 73,984 (more)"),
    ],
)  # fmt: skip
def test_the_first_line_is_the_sum(spec: str, value: str, line: str) -> None:
    assert as_text(why(load_graph(spec), value)).splitlines()[1].startswith(line)


def test_a_sum_is_followed_to_its_literals_and_citations() -> None:
    text = as_text(why(load_graph("inception_v4"), "reduction_a.channels"))
    assert (
        text
        == """reduction_a.channels
1024 = 384 (pool) + 384 (n, Table 1) + 256 (m, Table 1)
    Filter concat, reduction_a.concat, Figure 7
    specs/blocks/reduction_a.yaml:23:11
  384 (pool) = 96 (pool) + 96 (single) + 96 (short) + 96 (long)
      Filter concat, a.3.concat, Figure 4  specs/blocks/inception_v4.yaml:22:11
    96 (pool): filters: 96, Figure 4  specs/blocks/inception_v4.yaml:12:32
    96 (single): filters: 96, Figure 4  specs/blocks/inception_v4.yaml:14:32
    96 (short): filters: 96, Figure 4  specs/blocks/inception_v4.yaml:17:32
    96 (long): filters: 96, Figure 4  specs/blocks/inception_v4.yaml:21:32
  384 (n, Table 1) = n  Figure 7  specs/blocks/reduction_a.yaml:18:32
    384 (n): n: 384 (filters of the single branch), Table 1
        specs/inception_v4.yaml:26:60
  256 (m, Table 1) = m  Figure 7  specs/blocks/reduction_a.yaml:22:32
    256 (m): m: 256 (filters of the strided end of the long branch), Table 1
        specs/inception_v4.yaml:26:52
"""
    )


def test_the_parameters_of_a_network_are_those_of_its_stages() -> None:
    text = as_text(why(load_graph("inception_v4"), "parameters"), depth=1)
    assert (
        text
        == """parameters
42,679,816 = 605,728 (stem) + 1,270,528 (a) + 2,306,112 (reduction_a) +
    20,553,792 (b) + 2,747,392 (reduction_b) + 13,659,264 (c) +
    1,537,000 (logits)
    Inception-v4, Figure 9  specs/inception_v4.yaml:2:1
  605,728 (stem) = 928 (conv_1a) + 9280 (conv_2a) + 18,560 (conv_2b) +
      55,488 (mixed_3a) + 189,312 (mixed_4a) + 332,160 (mixed_5a)
      Stem, stem, Figure 3  specs/inception_v4.yaml:24:5
  1,270,528 (a) = 4 * 317,632  4 x Inception-A, a  specs/inception_v4.yaml:25:5
  2,306,112 (reduction_a) = 1,327,872 (single) + 978,240 (long)
      Reduction-A, reduction_a, Table 1  specs/inception_v4.yaml:26:5
  20,553,792 (b) = 7 * 2,936,256
      7 x Inception-B, b  specs/inception_v4.yaml:27:5
  2,747,392 (reduction_b) = 529,152 (short) + 2,218,240 (long)
      Reduction-B, reduction_b, Figure 8  specs/inception_v4.yaml:28:5
  13,659,264 (c) = 3 * 4,553,088
      3 x Inception-C, c  specs/inception_v4.yaml:29:5
  1,537,000 (logits) = (1536 + 1) * 1000 (classes, Figure 9)
      Fully connected (1000), logits, Figure 9  specs/inception_v4.yaml:32:5
"""
    )


def test_a_field_is_a_pixel_and_what_windows_add() -> None:
    step = why(load_graph("inception_v4"), "stem.conv_2b.receptive_field")
    assert step.value == 11  # 3x3 stride 2, then two 3x3 at stride 2: 1 + 2 + 2 * 2 + 2 * 2
    assert step.formula == "1 + 2 + 4 + 4"


def written(tmp_path: Path, text: str) -> Graph:
    file = tmp_path / "net.yaml"
    file.write_text(text, encoding="utf-8")
    return draft_graph(file)[0]


def test_what_is_given_as_a_formula_is_followed_through_the_blocks(tmp_path: Path) -> None:
    graph = written(
        tmp_path,
        """network: n
params: {width: {type: int, default: 8}}
input: {image: [3, 9, 9]}
blocks:
  twice:
    params: {n: {type: channels, doc: filters}}
    layers: [{conv: 1x1, filters: 2 * n, name: y}]
layers: [{block: twice, with: {n: width // 2}}]
""",
    )
    step = why(graph, "twice.channels")
    chain = [step]
    while chain[-1].terms:
        chain.append(chain[-1].terms[0].step)
    assert [(s.value, s.formula) for s in chain] == [(8, "2*n"), (4, "width//2"), (8, "")]
    assert [(s.span.line, s.span.column) for s in chain] == [(7, 35), (8, 35), (2, 17)]


def test_defaults_and_unwritten_values_say_so(tmp_path: Path) -> None:
    graph = written(
        tmp_path,
        """network: n
input: {image: [3, 9, 9]}
defaults: {conv: {filters: 7}}
layers: [{conv: 3x3, name: y}]
""",
    )
    assert why(graph, "y.channels").said == "filters: 7, of the defaults"
    assert str(why(graph, "y.channels").span).endswith("net.yaml:3:28")
    assert why(graph, "y.stride").said == "stride is not written"


def test_open_sizes_stay_formulas() -> None:
    graph = load_graph("inception_v4", inputs=["3xHxW"])
    assert as_text(why(graph, "stem.conv_1a.height")).splitlines()[1:] == [
        "(H+1)//2-1 = (H - 3) // 2 + 1",
        "    3x3 Conv (32 stride 2 V), stem.conv_1a, Figure 3",
        "    specs/blocks/stem_v4.yaml:11:9",
        "  H: the input  specs/inception_v4.yaml:15:16",
    ]


def test_a_wrong_spec_is_followed_as_far_as_it_fits() -> None:
    graph = draft_graph("printed/inception_resnet_v2")[0]
    assert why(graph, "b.channels").formula == "384 (pool) + 384 (n, Table 1) + 384 (m, Table 1)"
    assert why(graph, "b.0.up.channels").said == "filters: 1154"


def test_a_parameter_goes_before_a_layer_of_its_name() -> None:
    step = why(load_graph("inception_resnet_v2"), "b.4.scale")
    assert step.said == "scale: 0.10, the default (residual scaling (section 3.3))"
    assert step.cite == "tf-slim inception_resnet_v2.py: block17, scale=0.10"


def test_what_was_shown_is_not_shown_again(tmp_path: Path) -> None:
    layers = "".join(f"  - {{concat: [x{i}, x{i}], name: x{i + 1}}}\n" for i in range(12))
    first = (
        "network: n\ninput: {image: [3, 9, 9]}\nlayers:\n  - {conv: 1x1, filters: 2, name: x0}\n"
    )
    step = why(written(tmp_path, first + layers), "x12.channels")
    assert step.value == 2 * 2**12
    assert len(as_text(step).splitlines()) < 80
    assert len(json.dumps(as_data(step))) < 20_000


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("reduction_a", "`reduction_a` is a layer; ask for one of `channels`, `height`, `width`, "
         "`parameters`, `macs`, `buffers`, `receptive_field`, `k`, `l`, `m`, `n`"),
        ("reductiona.channels", "`inception_v4` has no layer `reductiona` (did you mean "
         "`reduction_a`?), as `reductiona.channels` would have it"),
        ("logits.height", "`logits` has no `height`; it has `channels`, `parameters`, `macs`, "
         "`buffers`, `receptive_field`, `out_features`, `bias`, `linear`"),
        ("width.", "`inception_v4` has no layer `width`, as `width.` would have it"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_said_with_what_there_is(value: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        why(load_graph("inception_v4"), value)
    assert str(error.value) == message


NAMES = """network: names
params: {width: 2, unit: {type: block, default: plain}, widths: {type: list, default: [8, 16]}}
let: {base: 8 * width, all: 2 * base}
input: {image: [3, 32, 32]}
defaults: {block: {with: {w: width}}}
blocks:
  plain:
    params: {n: {type: channels}, w: {type: number, default: 1}}
    let: {hidden: n * w}
    layers: [{conv: 3x3, filters: hidden}]
layers:
  - {block: unit, for: {n: [base, 40]}, name: stage}
  - {conv: 1x1, filters: 4 * k, for: {k: widths}, name: one}
  - {conv: 1x1, filters: 4 if index == 0 else 8, repeat: 2, name: two}
"""


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("all", """32 = 2 * base  a.yaml:3:29
  16 (base) = 8 * width  a.yaml:3:13
    2 (width): width: 2  a.yaml:2:17"""),
        ("stage.0.conv_3x3.filters", """32 = hidden  a.yaml:10:35
  32 (hidden) = n * w  a.yaml:9:19
    16 (n) = base  a.yaml:12:29
      16 (base) = 8 * width  a.yaml:3:13
        2 (width): width: 2  a.yaml:2:17
    2 (w) = width  a.yaml:5:30
      2 (width): width: 2  a.yaml:2:17"""),
        ("stage.1.n", "40: n: 40  a.yaml:12:35"),
        ("one.1.filters", """64 = 4*k  a.yaml:13:26
  16 (k) = widths[1]  a.yaml:13:42
    [8, 16] (widths): widths: [8, 16]  a.yaml:2:65"""),
        ("two.1.channels", """8 = 4 if index == 0 else 8  a.yaml:14:26
  1 (index): copy 1 of two, counted from 0  a.yaml:14:5"""),
    ],
)  # fmt: skip
def test_names_and_loops_are_followed_to_their_literals(
    value: str, lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(NAMES)
    assert as_text(why(load_graph("a.yaml"), value)) == f"{value}\n{lines}\n"


FOLDED = """\
norm.channels
1024 = 992 (layer.14) + 32 (growth)
    Filter concat, layer.15.concat  specs/zoo/densenet121.yaml:30:9
  992 (layer.14) = 960 (layer.13) + 32 (growth)
      Filter concat, layer.14.concat  specs/zoo/densenet121.yaml:30:9
    12 more of this form
    576 (layer.1) = 544 (layer.0) + 32 (growth)
        Filter concat, layer.1.concat  specs/zoo/densenet121.yaml:30:9
      544 (layer.0) = 512 (stage) + 32 (growth)
          Filter concat, layer.0.concat  specs/zoo/densenet121.yaml:30:9
        512 (stage) = prev.channels//2  specs/zoo/densenet121.yaml:41:30
"""


def test_a_long_row_of_sums_is_folded() -> None:
    text = as_text(why(load_graph("zoo/densenet121"), "norm.channels"))
    assert text.startswith(FOLDED)
    assert len(text.splitlines()) == 50  # 517 with all of them


def test_copies_that_differ_in_numbers_alone_are_folded() -> None:
    text = as_text(why(load_graph("zoo/densenet121"), "parameters"))
    lines = [line.strip() for line in text.splitlines()]
    folded = [line for line in lines if line.endswith("more of this form")]
    assert folded == [f"{count} more of this form" for count in (5, 11, 23, 15)]
    assert len(lines) < 100


def test_a_depth_that_is_asked_for_is_shown_whole() -> None:
    text = as_text(why(load_graph("zoo/densenet121"), "norm.channels"), depth=9)
    assert [int(n) for n in re.findall(r"^ *(\d+) \(layer", text, re.MULTILINE)] == [
        1024 - 32 * k for k in range(1, 10)
    ]
