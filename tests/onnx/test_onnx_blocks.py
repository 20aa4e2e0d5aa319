"""The structure of ONNX files: a function per block, names, types, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.reference
import onnxruntime
import pytest

from backends.onnx.files import check_onnx
from backends.onnx.model import build_onnx
from compiler.errors import UsageError
from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.oracle.difference import relative_difference
from tests.oracle.numpy_oracle import evaluate
from tests.oracle.small_graphs import State, random_inputs, random_state

BLOCKS = """
network: two
input: {image: [3, 8, 8]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  cell:
    title: Cell
    cite: {figure: 7}
    params: {n: {type: channels}, factor: {type: number, default: 0.5}}
    branches:
      wide: [{conv: 3x3, filters: n}]
      deep: [{conv: 1x1, filters: 4, name: squeeze}, {scale: factor}, {conv: 1x3, filters: n}]
    join: concat
  outer:
    params: {n: {type: channels}}
    layers:
      - {block: cell, name: first, with: {n: n}}
      - {block: cell, name: second, with: {n: n}}
      - {dropout: {keep: 0.9}}
layers:
"""


def compiled(tmp_path: Path, text: str) -> Graph:
    path = tmp_path / "two.yaml"
    path.write_text(text)
    return load_graph(path)


def layers(tmp_path: Path, *lines: str) -> Graph:
    return compiled(tmp_path, BLOCKS + "".join(f"  - {line}\n" for line in lines))


def run(model: onnx.ModelProto, inputs: State) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return list(session.run(None, inputs))


def check_against_oracle(graph: Graph, model: onnx.ModelProto, *nodes: str) -> None:
    check_onnx(model)
    inputs = random_inputs(graph)
    want = evaluate(graph, random_state(graph), inputs)
    for node, got in zip(nodes, run(model, inputs), strict=True):
        assert relative_difference(got, want[node]) < 1e-5


@pytest.fixture(scope="module")
def v4() -> Graph:
    return load_graph("inception_v4", inputs=["3x75x75"])


@pytest.fixture(scope="module")
def v4_model(v4: Graph) -> onnx.ModelProto:
    return build_onnx(v4, random_state(v4))


def test_inception_v4_has_a_function_per_block_and_a_call_per_instance(
    v4_model: onnx.ModelProto,
) -> None:
    blocks = {
        "stem_v4": 1,
        "inception_a": 4,
        "reduction_a": 1,
        "inception_b": 7,
        "reduction_b": 1,
        "inception_c": 3,
    }
    calls = Counter(node.op_type for node in v4_model.graph.node if node.domain)
    assert calls == blocks
    assert [f.name for f in v4_model.functions] == list(blocks)
    assert len(v4_model.graph.node) <= 30
    # 149 convolutions: Figures 3 to 8 counted box by box, 11+4x7+4+7x10+6+3x10
    assert (
        sum(
            calls[f.name] * sum(node.op_type == "Conv" for node in f.node)
            for f in v4_model.functions
        )
        == 149
    )


def test_inception_v4_bears_the_names_of_the_spec(v4: Graph, v4_model: onnx.ModelProto) -> None:
    main = v4_model.graph
    assert [i.name for i in main.input] == ["image"]
    assert [o.name for o in main.output] == ["logits"]
    assert {t.name for t in main.initializer} == set(random_state(v4))
    calls = [node.name for node in main.node if node.domain]
    assert calls[:6] == ["stem", "a.0", "a.1", "a.2", "a.3", "reduction_a"]
    assert main.name == "inception_v4"
    props = {entry.key: entry.value for entry in v4_model.metadata_props}
    assert props == {"netdraft.spec": "inception_v4", "netdraft.digest": v4.digest}


def test_inception_v4_runs_whole_inlined_and_flat_at_any_batch(
    v4: Graph, v4_model: onnx.ModelProto
) -> None:
    check_onnx(v4_model)
    inlined = onnx.inliner.inline_local_functions(v4_model)
    check_onnx(inlined)
    flat = build_onnx(v4, random_state(v4), flat=True)
    assert not inlined.functions
    assert not flat.functions
    assert len(inlined.graph.node) == len(flat.graph.node)
    for batch in (1, 2, 5, 7):
        inputs = random_inputs(v4, batch)
        whole, *others = (run(model, inputs)[0] for model in (v4_model, inlined, flat))
        assert whole.shape == (batch, 1000)
        assert whole.std() > 0
        for other in others:
            np.testing.assert_array_equal(whole, other)


def test_open_height_and_width(v4: Graph) -> None:
    state = random_state(v4)
    model = build_onnx(v4, state, dynamic_grid=True)
    check_onnx(model)
    assert dims(model.graph.input[0]) == ["N", 3, "H", "W"]
    fixed = build_onnx(load_graph("inception_v4", inputs=["3x107x139"]), state)
    x = np.random.default_rng(0).normal(size=(2, 3, 107, 139)).astype(np.float32)
    (got,), (want,) = (run(m, {"image": x}) for m in (model, fixed))
    np.testing.assert_array_equal(got, want)


def dims(value: onnx.ValueInfoProto) -> list[int | str]:
    shape = value.type.tensor_type.shape
    return [d.dim_value if d.HasField("dim_value") else d.dim_param for d in shape.dim]


def test_no_tensor_has_a_constant_batch(v4_model: onnx.ModelProto) -> None:
    main = v4_model.graph
    assert all(dims(v)[0] == "N" for v in (*main.input, *main.value_info, *main.output))
    kinds = {node.op_type for f in v4_model.functions for node in f.node}
    assert not kinds & {"Reshape", "Dropout"}


def made(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    return {name for node in nodes for name in node.output}


def test_every_intermediate_has_a_type(v4_model: onnx.ModelProto) -> None:
    main = v4_model.graph
    typed = {value.name for value in (*main.value_info, *main.output)}
    assert typed == made(main.node)
    for function in v4_model.functions:
        typed = {value.name for value in function.value_info}
        assert typed == made(function.node) | {"in"}


def test_written_types_are_the_inferred_ones(v4: Graph) -> None:
    model = build_onnx(v4, random_state(v4), flat=True)
    written = {v.name: dims(v) for v in model.graph.value_info}
    del model.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    assert {v.name: dims(v) for v in inferred.graph.value_info} == written


def test_instances_that_differ_in_width_share_a_function(tmp_path: Path) -> None:
    graph = layers(
        tmp_path,
        "{block: cell, name: a, with: {n: 5}}",
        "{block: cell, name: b, with: {n: 7}}",
    )
    model = build_onnx(graph, random_state(graph))
    assert [f.name for f in model.functions] == ["cell"]
    (value,) = (v for v in model.functions[0].value_info if v.name == "wide.conv_3x3.conv")
    assert dims(value) == ["N", "", 8, 8]
    check_against_oracle(graph, model, "b.concat")


def given(call: onnx.NodeProto) -> dict[str, object]:
    """Return the attributes of a call, a tensor as its number."""
    values = {a.name: onnx.helper.get_attribute_value(a) for a in call.attribute}
    return {
        name: onnx.numpy_helper.to_array(value).item()
        if isinstance(value, onnx.TensorProto)
        else value
        for name, value in values.items()
    }


def test_numbers_in_which_instances_differ_are_attributes_of_the_function(tmp_path: Path) -> None:
    graph = layers(
        tmp_path,
        "{block: cell, name: a, with: {n: 5}}",
        "{block: cell, name: b, with: {n: 5, factor: 2}}",
    )
    model = build_onnx(graph, random_state(graph))
    assert [(f.name, [*f.attribute]) for f in model.functions] == [
        ("cell", ["deep_scale_factor_value"])
    ]
    assert [given(node) for node in model.graph.node if node.domain] == [
        {"deep_scale_factor_value": 0.5},
        {"deep_scale_factor_value": 2.0},
    ]
    check_against_oracle(graph, model, "b.concat")
    check_onnx(onnx.inliner.inline_local_functions(model))


STRIDED = BLOCKS.replace(
    "layers:\n      - {block: cell, name: first, with: {n: n}}",
    "layers:\n      - {conv: 1x1, filters: n, stride: s, name: down, when: s > 1}\n"
    "      - {block: cell, name: first, with: {n: n, factor: s}}",
).replace(
    "params: {n: {type: channels}}\n    layers",
    "params: {n: {type: channels}, s: {type: int}}\n    layers",
)


def test_attributes_reach_functions_inside_and_other_layers_make_another(tmp_path: Path) -> None:
    lines = "".join(
        f"  - {{block: outer, with: {{n: 4, s: {s}}}, name: o{s}}}\n" for s in (1, 2, 3)
    )
    graph = compiled(tmp_path, STRIDED + lines)
    model = build_onnx(graph, random_state(graph))
    factor = "first_deep_scale_factor_value"
    assert [(f.name, [*f.attribute]) for f in model.functions] == [
        ("cell", ["deep_scale_factor_value"]),
        ("outer", []),
        ("outer_2", ["down_conv_strides", factor]),
    ]
    assert [given(node) for node in model.graph.node if node.domain] == [
        {},
        {"down_conv_strides": [2, 2], factor: 2.0},
        {"down_conv_strides": [3, 3], factor: 3.0},
    ]
    check_against_oracle(graph, model, "o3.second.concat")


def test_a_block_in_a_block_is_a_function_that_calls_one(tmp_path: Path) -> None:
    graph = layers(tmp_path, "{block: outer, name: o, repeat: 2, with: {n: 3}}")
    model = build_onnx(graph, random_state(graph))
    assert [f.name for f in model.functions] == ["cell", "outer"]
    assert [node.name for node in model.functions[1].node] == ["first", "second"]
    assert [node.name for node in model.graph.node] == ["o.0", "o.1", "dropout/output"]
    assert model.functions[0].doc_string == "Cell, Figure 7"
    check_against_oracle(graph, model, "o.1.second.concat")
    check_onnx(onnx.inliner.inline_local_functions(model))


def test_tapped_tensors_are_outputs_and_blocks_stay_whole(tmp_path: Path) -> None:
    graph = layers(tmp_path, "{block: cell, name: a, repeat: 3, with: {n: 5}}")
    taps = ("a.1", "a.0.deep.squeeze", "a.0.wide")
    model = build_onnx(graph, random_state(graph), taps=taps)
    assert [o.name for o in model.graph.output] == ["concat", *taps]
    assert [f.name for f in model.functions] == ["cell"]
    check_against_oracle(
        graph, model, "a.2.concat", "a.1.concat", "a.0.deep.squeeze.act", "a.0.wide.conv_3x3.act"
    )


def test_unknown_tap_is_refused(tmp_path: Path) -> None:
    graph = layers(tmp_path, "{block: cell, name: a, with: {n: 5}}")
    with pytest.raises(UsageError, match="tap `stem` is no node, block or branch of `two`"):
        build_onnx(graph, random_state(graph), taps=("stem",))


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    graph = layers(
        tmp_path,
        "{conv: 3x3, filters: 3, name: one, norm: none}",
        "{conv: 3x3, filters: 3, name: two, norm: none, share: one}",
    )
    model = build_onnx(graph, random_state(graph))
    assert {t.name for t in model.graph.initializer} <= set(random_state(graph))
    assert len({t.name for t in model.graph.initializer}) == len(model.graph.initializer) == 2
    check_against_oracle(graph, model, "two.act")


def test_softmax_at_the_end_is_left_to_the_reader_unless_wanted(v4: Graph) -> None:
    state = random_state(v4)
    model = build_onnx(v4, state, probabilities=True)
    assert [o.name for o in model.graph.output] == ["softmax"]
    (out,) = run(model, random_inputs(v4, 2))
    np.testing.assert_allclose(out.sum(axis=1), [1, 1], rtol=1e-5)


def test_element_type_is_that_of_the_weights(tmp_path: Path) -> None:
    graph = layers(tmp_path, "{block: cell, name: a, with: {n: 5}}")
    state = {name: array.astype(np.float64) for name, array in random_state(graph).items()}
    model = build_onnx(graph, state)
    inputs = {"image": random_inputs(graph)["image"].astype(np.float64)}
    # ONNX Runtime has no float64 convolution on the CPU, ONNX's own evaluator has.
    (got,) = onnx.reference.ReferenceEvaluator(model).run(None, inputs)
    assert relative_difference(got, evaluate(graph, state, inputs)["a.concat"]) < 1e-12


@pytest.mark.parametrize("values", ["n: [2, 3, 5, 8]", "n: [2, 3, 5, 8], factor: [1, 2, 3, 0.5]"])
def test_copies_of_a_for_are_calls_of_one_function(tmp_path: Path, values: str) -> None:
    graph = layers(tmp_path, f"{{block: cell, name: c, for: {{{values}}}}}")
    model = build_onnx(graph, random_state(graph))
    assert [f.name for f in model.functions] == ["cell"]
    assert Counter(n.op_type for n in model.graph.node)["cell"] == 4
    check_against_oracle(graph, model, graph.outputs[0].node)
