"""What a module computes in training and in evaluation."""

from __future__ import annotations

import pytest
import torch

from backends.torch.module import build_module
from compiler.facts.summarize import summarize
from compiler.graph import Graph
from compiler.pipeline import load_graph
from tests.cases.conftest import Draft

pytestmark = pytest.mark.usefixtures("one_thread")


def graph_of(draft: Draft, size: str, *layers: str, head: str = "") -> Graph:
    found = draft.layers(size, *layers, head=head)
    assert found.graph is not None
    assert found.errors == [], found.text
    return found.graph


AUX = (
    "{conv: 1x1, filters: 4, name: trunk}",
    "{layers: [global_avg_pool, {linear: 3}], name: aux1}",
    "{layers: [global_avg_pool, {linear: 3}], name: aux2, from: trunk}",
    "{layers: [global_avg_pool, {linear: 3}], name: logits, from: trunk}",
)


def test_outputs_have_names_in_training_and_logits_alone_in_evaluation(draft: Draft) -> None:
    """See pytorch/vision#1273 and #6121: a tuple in an order that nobody expects."""
    head = (
        "outputs:\n  - logits\n  - {name: first, from: aux1, training_only: true}\n"
        "  - {name: second, from: aux2, training_only: true}\n"
    )
    module = build_module(graph_of(draft, "8x6x6", *AUX, head=head))
    trained = module.train()(torch.zeros(2, 8, 6, 6))
    assert trained._fields == ("logits", "first", "second")
    assert [t.shape for t in trained] == [(2, 3)] * 3
    logits = module.eval()(torch.zeros(2, 8, 6, 6))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (2, 3)


def test_an_option_that_drops_the_auxiliary_head_drops_all_of_it() -> None:
    """See Project-MONAI/model-zoo#92."""
    without = load_graph("zoo/inception_v3", {"aux": "false"})
    assert summarize(without).parameters == 23834568
    assert summarize(load_graph("zoo/inception_v3", {"aux": "true"})).parameters == 27161264
    assert not any("aux" in name for name in without.nodes)


def test_one_image_in_training_and_a_map_of_one_pixel(draft: Draft) -> None:
    """See fastai/fastai#1352: batch norm needs more than one value per channel."""
    layers = ("{avg_pool: 6x6, padding: V}", "{conv: 1x1, filters: 4, norm: batch_norm}")
    module = build_module(graph_of(draft, "8x6x6", *layers))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        module.train()(torch.zeros(1, 8, 6, 6))
    assert module.train()(torch.zeros(2, 8, 6, 6)).shape == (2, 4, 1, 1)
    assert module.eval()(torch.zeros(1, 8, 6, 6)).shape == (1, 4, 1, 1)


def test_the_scale_is_on_the_residual_body(draft: Draft) -> None:
    """See fchollet/deep-learning-models#99: 2 + 0.1 * 10 is 3, and not 10.2."""
    body = "{conv: 1x1, filters: 1, bias: false, name: f}"
    graph = graph_of(draft, "1x2x2", f"{{residual: {{body: [{body}], scale: 0.1}}, name: r}}")
    module = build_module(graph).eval()
    module.load_state_dict({"r.f.weight": torch.full((1, 1, 1, 1), 5.0)})
    with torch.no_grad():
        out = module(torch.full((1, 1, 2, 2), 2.0))
    torch.testing.assert_close(out, torch.full((1, 1, 2, 2), 3.0))


def test_scales_and_projections_of_the_released_network() -> None:
    """See davidsandberg/facenet#117: the last 1x1 has a bias, no norm and no activation."""
    graph = load_graph("released/inception_resnet_v2_slim")
    scales = [n.op.attributes()["factor"] for n in graph.nodes.values() if n.op.kind == "Scale"]
    assert [scales.count(factor) for factor in (0.17, 0.1, 0.2)] == [10, 20, 9]
    assert graph.parameters("b.0") == 1126784  # with norm, without bias: 1127872


def test_values_do_not_depend_on_the_memory_layout(draft: Draft) -> None:
    """See pytorch/pytorch#89477."""
    branches = "{branches: {a: [{conv: 3x3, filters: 4}], b: [{max_pool: 3x3}]}, join: concat}"
    module = build_module(graph_of(draft, "8x9x9", branches, "{conv: 1x1, filters: 2}")).eval()
    x = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = module(x)
        moved = module(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(moved, plain)


def test_a_tensor_joined_with_itself(draft: Draft) -> None:
    """See pytorch/pytorch#100807: a compiled concat of slices had 6 channels where eager has 9."""
    layers = ("{concat: [x, x], name: double}", "{concat: [double, x], name: triple}")
    graph = graph_of(draft, "3x4x4", *layers)
    assert graph.nodes["double"].shape.numbers == (6, 4, 4)
    x = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(build_module(graph)(x), torch.cat([x, x, x], 1))


def test_equal_seeds_make_equal_weights(draft: Draft) -> None:
    layers = ("{conv: 3x3, filters: 4, name: a}", "{conv: 3x3, filters: 4, name: b}")
    states = [
        build_module(graph_of(draft, "8x9x9", *chain), seed=0).state_dict()
        for chain in (
            layers,
            (layers[0] + "  # a comment", layers[1]),
            (*layers, "{conv: 1x1, filters: 3}"),
        )
    ]
    first = list(states[0])
    assert first == list(states[1]) == list(states[2])[: len(first)]
    for name in first:
        assert torch.equal(states[0][name], states[1][name])
        assert torch.equal(states[0][name], states[2][name]), "a layer at the end changed them"
    other = build_module(graph_of(draft, "8x9x9", *layers), seed=1).state_dict()
    assert not torch.equal(other[first[0]], states[0][first[0]])
