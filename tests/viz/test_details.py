"""Case K13 and the theme: what is not the default is in the label, and how fast it is drawn."""

from __future__ import annotations

import time

import pytest

from compiler.pipeline import load_graph
from tests.viz.networks import network
from viz.diagram.arrange import arrange
from viz.render import Options, render

LAYERS = {
    "{conv: 1x7, filters: 16}": "1x7 Conv (16)",
    "{conv: 3x3, filters: 16, stride: 2, padding: V}": "3x3 Conv (16 stride 2 V)",
    "{conv: 3x3, filters: 16, stride: [2, 1]}": "3x3 Conv (16 stride 2x1)",
    "{conv: 3x3, filters: 16, dilation: 2}": "3x3 Conv (16 dilation 2)",
    "{conv: 3x3, filters: 16, groups: 4}": "3x3 Conv (16 groups 4)",
    "{conv: 3x3, filters: 16, padding: 1}": "3x3 Conv (16 pad 1)",
    "{conv: 3x3, filters: 16, padding: [[0, 1], [2, 3]]}": "3x3 Conv (16 pad 0,1,2,3)",
    "{conv: 1x1, filters: 16, linear: true}": "1x1 Conv (16 Linear)",
    "{conv: 1x1, filters: 16, activation: none}": "1x1 Conv (16 no activation)",
    "{conv: 1x1, filters: 16, activation: sigmoid}": "1x1 Conv (16 Sigmoid)",
    "{conv: 1x1, filters: 16, norm: none}": "1x1 Conv (16 no norm)",
    "{conv: 1x1, filters: 16, bias: true}": "1x1 Conv (16 bias)",
    "{max_pool: 3x3, stride: 2, padding: V}": "3x3 MaxPool (stride 2 V)",
    "{max_pool: 2x2, stride: 2, padding: V, ceil: true}": "2x2 MaxPool (stride 2 V ceil)",
    "{avg_pool: 3x3, count_include_pad: true}": "3x3 AvgPool (padding counted)",
    "{global_avg_pool: true}": "Average Pooling",
    "{upsample: 2}": "Upsample (2x)",
    "{scale: 0.1}": "Activation Scaling (0.1)",
    "{relu: true}": "Relu activation",
}


@pytest.mark.parametrize(("layer", "label"), LAYERS.items())
def test_what_is_not_the_default_is_in_the_label(layer: str, label: str) -> None:
    """Two plain convolutions before it say what goes without saying."""
    plain = "  - {conv: 1x1, filters: 8}\n" * 2
    boxes = list(arrange(network(f"layers:\n{plain}  - {layer}\n")).boxes())

    assert boxes[-1].label == label


def test_figures_take_less_than_the_time_allowed() -> None:
    """A block in 0.4 s, the network with all blocks open in 2 s, loading included."""
    for options, limit in ((Options(figure=6), 0.4), (Options(depth=9), 2.0)):
        start = time.process_time()
        render(load_graph("inception_v4"), "svg", options)
        assert time.process_time() - start < limit
