"""The live module as torch users treat it: trained, copied, pickled, compiled, replicated."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from backends.state.unit_scale import check_unit_scale, randomize
from backends.torch.module import build_module, graph_of, source_of
from compiler.graph import Graph
from compiler.ops import BatchNorm, Conv2d, ConvTranspose2d, LayerNorm, LayerScale, Linear
from compiler.pipeline import load_graph
from tests.torch.torch_specs import (
    SPECS,
    graph_of_text,
    module_of,
    noise,
    parameters,
    shipped,
)

AUX = """
network: two_heads
input: {image: [3, 32, 32]}
params:
  aux: {type: bool, default: true}
defaults: {conv: {norm: batch_norm, activation: relu}}
layers:
  - {conv: 3x3, filters: 8, stride: 2, name: a}
  - {conv: 3x3, filters: 8, stride: 2, name: b}
  - {global_avg_pool: true}
  - {dropout: {drop: 0.2}}
  - {linear: 5, name: logits}
  - softmax
  - {global_avg_pool: true, from: a, name: pool_1, when: aux}
  - {linear: 5, name: aux_1, when: aux}
  - {global_avg_pool: true, from: b, name: pool_2, when: aux}
  - {linear: 5, name: aux_2, when: aux}
outputs:
  - logits
  - {name: aux_1, from: aux_1, training_only: true, when: aux}
  - {name: aux_2, from: aux_2, training_only: true, when: aux}
"""

SMALL = """
network: small
input: {image: [3, 16, 16]}
defaults: {conv: {norm: batch_norm, activation: relu}}
blocks:
  mixed:
    branches:
      one: [{conv: 1x1, filters: 4}]
      wide: [{conv: 1x1, filters: 2}, {conv: 3x3, filters: 4, stride: 1}]
      pool: [{max_pool: 3x3}, {conv: 1x1, filters: 4}]
    join: concat
layers:
  - {conv: 3x3, filters: 8, stride: 2, name: stem}
  - {block: mixed, name: m, repeat: 2}
  - {global_avg_pool: true}
  - {dropout: {keep: 0.8}}
  - {linear: 5, name: logits}
  - softmax
"""


@pytest.fixture
def small() -> nn.Module:
    module = build_module(graph_of_text(SMALL))
    randomize(module, 0, noise(4, 3, 16, 16))
    return module.eval()


def expected_names(graph: Graph) -> list[str]:
    """Return the names of the state_dict, from the graph alone."""
    names: list[str] = []
    for node in graph.nodes.values():
        if isinstance(node.op, (Conv2d, ConvTranspose2d, Linear)):
            parts = ["weight", "bias"] if node.op.bias else ["weight"]
        elif isinstance(node.op, BatchNorm):
            parts = [*node.op.learned, "running_mean", "running_var", "num_batches_tracked"]
        elif isinstance(node.op, (LayerNorm, LayerScale)):
            parts = ["weight", "bias"] if isinstance(node.op, LayerNorm) else ["weight"]
        else:
            continue
        names += [] if node.share else [f"{node.name}.{p}" for p in parts]
    return names


@pytest.mark.parametrize("spec", shipped())
def test_names_and_counts_are_those_of_the_graph(spec: str) -> None:
    graph = load_graph(SPECS / f"{spec}.yaml")
    with torch.device("meta"):
        module = build_module(graph)
    assert list(module.state_dict()) == expected_names(graph)
    assert parameters(module) == graph.parameters()


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("inception_v4", 42_679_816),
        ("inception_resnet_v1", 22_756_328),
        ("inception_resnet_v2", 32_433_928),
        ("released/inception_v4_slim", 42_679_816),
        ("released/inception_resnet_v2_slim", 55_843_464),
        ("released/inception_resnet_v1_facenet", 23_482_624),
    ],
)
def test_published_parameter_counts(spec: str, count: int) -> None:
    with torch.device("meta"):
        assert parameters(build_module(load_graph(SPECS / f"{spec}.yaml"))) == count


@pytest.mark.parametrize(
    ("size", "last"), [("3x299x299", (8, 8)), ("3x75x75", (1, 1)), ("3x350x400", (9, 11))]
)
def test_every_shape_is_what_torch_computes(size: str, last: tuple[int, int]) -> None:
    graph = load_graph("inception_v4", {}, [size])
    taps = [n.name for n in graph.nodes.values()]
    with torch.device("meta"):
        module = build_module(graph, taps=taps).eval()
        _, tensors = module(torch.empty(2, *map(int, size.split("x"))))
    for name in taps:
        assert tuple(tensors[name].shape) == (2, *graph.nodes[name].shape), name
    assert tuple(tensors["c.2.concat"].shape) == (2, 1536, *last)


def test_the_input_may_have_another_size_than_the_spec() -> None:
    with torch.device("meta"):
        module = build_module(load_graph("inception_v4"))
        assert module(torch.empty(2, 3, 75, 75)).shape == (2, 1000)


def test_forward_returns_logits_and_probabilities_their_softmax(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    logits = small(x)
    torch.testing.assert_close(small.probabilities(x), logits.softmax(1))  # type: ignore[operator]
    assert not torch.allclose(logits.sum(1), torch.ones(2))


def test_training_returns_every_head_and_evaluation_the_logits() -> None:
    module = module_of(AUX)
    x = noise(2, 3, 32, 32)
    assert isinstance(module(x), Tensor)
    out = module.train()(x)
    assert type(out).__name__ == "TwoHeadsOutputs"
    assert out._fields == ("logits", "aux_1", "aux_2")
    assert [tuple(t.shape) for t in out] == [(2, 5)] * 3
    assert not hasattr(module, "probabilities"), "what is listed leaves, and nothing else is said"


def test_a_head_that_is_off_is_not_built() -> None:
    on, off = module_of(AUX), module_of(AUX, aux="false")
    assert [n for n in on.state_dict() if "aux" in n]
    assert not [n for n in off.state_dict() if "aux" in n]
    off.load_state_dict(on.state_dict(), strict=False)
    x = noise(2, 3, 32, 32)
    assert torch.equal(on(x), off(x))
    assert isinstance(off.train()(x), Tensor)


def test_inception_v3_with_and_without_its_head() -> None:
    path = SPECS / "zoo/inception_v3.yaml"
    with torch.device("meta"):
        assert parameters(build_module(load_graph(path))) == 27_161_264
        assert parameters(build_module(load_graph(path, {"aux": "false"}))) == 23_834_568


def test_training_only_heads_leave_evaluation_statistics_alone() -> None:
    module = module_of(AUX)
    before = copy.deepcopy(module.state_dict())
    module(noise(2, 3, 32, 32))
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_batch_norm_on_a_1x1_map_needs_two_samples_in_training() -> None:
    module = module_of(
        """
        network: one
        input: {image: [3, 8, 8]}
        layers:
          - {conv: 3x3, filters: 4}
          - {global_avg_pool: true, keep_grid: true}
          - {conv: 1x1, filters: 2, norm: batch_norm}
        """
    )
    assert module(noise(1, 3, 8, 8)).shape == (1, 2, 1, 1)
    assert module.train()(noise(2, 3, 8, 8)).shape == (2, 2, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        module(noise(1, 3, 8, 8))


def test_the_same_seed_gives_the_same_weights() -> None:
    graph = graph_of_text(SMALL)
    one, two, other = (build_module(graph, seed=s).state_dict() for s in (0, 0, 1))
    assert list(one) == list(two)
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert not torch.equal(one["stem.conv.weight"], other["stem.conv.weight"])


def test_a_comment_changes_no_weight() -> None:
    one = build_module(graph_of_text(SMALL)).state_dict()
    two = build_module(graph_of_text(SMALL.replace("layers:", "# words\nlayers:"))).state_dict()
    assert all(torch.equal(one[n], two[n]) for n in one)


def test_a_layer_at_the_end_changes_no_earlier_weight() -> None:
    longer = SMALL.replace("  - softmax\n", "  - {linear: 3, name: more}\n")
    one = build_module(graph_of_text(SMALL)).state_dict()
    two = build_module(graph_of_text(longer)).state_dict()
    assert set(two) - set(one) == {"more.weight", "more.bias"}
    assert all(torch.equal(one[n], two[n]) for n in one)


def test_first_weights_have_he_variance_and_are_cut_at_two_deviations() -> None:
    weight = module_of(
        """
        network: he
        input: {image: [32, 8, 8]}
        layers:
          - {conv: 3x3, filters: 256, name: y}
        """
    ).state_dict()["y.weight"]
    expected = (2 / (32 * 9)) ** 0.5  # He et al., fan-in mode
    assert float(weight.std()) == pytest.approx(expected, rel=0.01)
    assert float(weight.abs().max()) <= 2 * expected / 0.8796


def test_a_copy_is_the_same_network(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    twin = copy.deepcopy(small)
    assert torch.equal(twin(x), small(x))
    assert type(twin) is type(small)
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    assert not torch.equal(twin(x), small(x))


def test_a_pickle_opens_in_a_process_that_has_not_seen_the_class(
    small: nn.Module, tmp_path: Path
) -> None:
    x = noise(2, 3, 16, 16)
    torch.save(small, tmp_path / "module.pt")
    torch.save((x, small(x).detach()), tmp_path / "tensors.pt")
    code = (
        "import sys, torch\n"
        "module = torch.load(sys.argv[1], weights_only=False)\n"
        "x, y = torch.load(sys.argv[2])\n"
        "torch.testing.assert_close(module(x), y)\n"
        "print(module.graph.name, type(module).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "module.pt", tmp_path / "tensors.pt"],
        cwd=SPECS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["small", "Small"], done.stderr


def test_a_part_pickles_too(small: nn.Module) -> None:
    part = pickle.loads(pickle.dumps(small.get_submodule("m.1")))
    x = noise(1, 12, 8, 8)
    assert torch.equal(part(x), small.get_submodule("m.1")(x))


def test_a_module_carries_its_graph(small: nn.Module) -> None:
    assert graph_of(small).name == "small"
    assert graph_of(copy.deepcopy(small)).digest == graph_of(small).digest
    with pytest.raises(ValueError, match="a Linear carries no graph; build it with build_module"):
        graph_of(nn.Linear(1, 1))


def test_a_layer_may_be_called_graph() -> None:
    module = module_of(
        """
        network: named
        input: {x: [1, 2, 2]}
        layers:
          - {conv: 1x1, filters: 1, name: graph}
        """
    )
    assert isinstance(module.graph, nn.Conv2d)
    assert graph_of(module).name == "named"


def test_tracebacks_and_inspect_show_the_source(small: nn.Module) -> None:
    assert "class Small(nn.Module)" in inspect.getsource(sys.modules[type(small).__module__])
    try:
        small(noise(1, 4, 16, 16))
    except RuntimeError as error:
        text = "".join(traceback.format_exception(error))
    assert "x = self.stem(image)" in text
    assert source_of(small).startswith('"""small.')


def test_the_compiled_module_is_one_graph(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    compiled = torch.compile(small, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x), small(x))


def test_training_heads_compile_too() -> None:
    module = module_of(AUX).train()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    assert compiled(noise(2, 3, 32, 32))._fields == ("logits", "aux_1", "aux_2")


def test_channels_last_survives_the_joins(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    expected = small(x)
    last = small.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mixed = last.get_submodule("m")(noise(2, 8, 8, 8).to(memory_format=torch.channels_last))
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), expected)
    torch.testing.assert_close(last(x), expected)


def test_autocast(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = small(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), small(x), rtol=0.1, atol=0.1)


def test_a_batch_of_one_gives_its_row(small: nn.Module) -> None:
    x = noise(3, 3, 16, 16)
    check_unit_scale(small(x))
    torch.testing.assert_close(small(x[1:2]), small(x)[1:2], rtol=1e-5, atol=1e-5)


def test_the_input_is_not_written_to(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    kept = x.clone()
    small.train()(x)
    assert torch.equal(x, kept)


def test_gradients_reach_every_parameter() -> None:
    module = module_of(AUX).train()
    out = module(noise(4, 3, 32, 32))
    (out.logits.sum() + out.aux_1.sum() + out.aux_2.sum()).backward()
    assert all(p.grad is not None for p in module.parameters())


def test_data_parallel(small: nn.Module) -> None:
    x = noise(2, 3, 16, 16)
    assert torch.equal(nn.DataParallel(small)(x), small(x))
    replica = small._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
    assert type(replica) is type(small)


@pytest.mark.filterwarnings("ignore:.*barrier.*:UserWarning")
def test_distributed_data_parallel(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        module = module_of(AUX).train()
        wrapped = nn.parallel.DistributedDataParallel(module)
        out = wrapped(noise(2, 3, 32, 32))
        sum(t.sum() for t in out).backward()
        assert all(p.grad is not None for p in module.parameters())
    finally:
        dist.destroy_process_group()


def test_export_and_forward_leave_mode_and_statistics(small: nn.Module) -> None:
    small.train()
    before = copy.deepcopy(small.state_dict())
    with torch.no_grad():
        torch.export.export(small.eval(), (noise(2, 3, 16, 16),))
    small.train()
    assert all(torch.equal(v, before[k]) for k, v in small.state_dict().items())


def test_taps_may_be_layers_blocks_and_inputs() -> None:
    graph = graph_of_text(SMALL)
    taps = ("image", "stem", "m.0", "m.1.wide", "m", "softmax", "m.1.pool.conv_1x1.norm")
    module = build_module(graph, taps=taps).eval()
    plain = build_module(graph).eval()
    x = noise(2, 3, 16, 16)
    out, tensors = module(x)
    assert list(module.state_dict()) == list(plain.state_dict())
    torch.testing.assert_close(out, plain(x))
    assert tuple(tensors) == taps
    for name, tensor in tensors.items():
        assert tuple(tensor.shape) == (2, *graph.tensor(name).shape)
    torch.testing.assert_close(tensors["stem"], plain.get_submodule("stem")(x))
    torch.testing.assert_close(tensors["m"], plain.get_submodule("m")(tensors["stem"]))
    torch.testing.assert_close(tensors["softmax"], out.softmax(1))
    # The norm of a tapped layer is what it was before the activation, not overwritten by it.
    assert tensors["m.1.pool.conv_1x1.norm"].min().item() < 0
