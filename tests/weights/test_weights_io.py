"""Files of weights: all tensors or none, and no code is run."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backends.state.fit_weights import load_weights
from backends.state.weights_io import read_weights, save_weights, sizes_of
from backends.torch.module import build_module
from compiler.errors import BackendError, UsageError
from compiler.pipeline import load_graph
from compiler.weights.sizes import tensor_sizes


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, (1, 7)), nn.BatchNorm2d(4))


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def test_safetensors_come_back(tmp_path: Path) -> None:
    module, other = network(), network()
    path = save_weights(module.state_dict(), tmp_path / "new" / "w.safetensors", {"spec": "x"})
    load_weights(other, path)
    assert same(snapshot(other), snapshot(module))
    assert [p.name for p in path.parent.iterdir()] == ["w.safetensors"]


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    state = network().state_dict()
    turned = dict(reversed(state.items()))
    files = [save_weights(s, tmp_path / f"{i}.safetensors") for i, s in enumerate((state, turned))]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_a_wrapped_parallel_half_precision_checkpoint(tmp_path: Path, wrapper: str) -> None:
    module, other = network(), network()
    state = {f"module.{n}": v.half() if v.dim() else v for n, v in module.state_dict().items()}
    torch.save({"epoch": 3, wrapper: state}, tmp_path / "w.pt")
    load_weights(other, tmp_path / "w.pt")
    assert torch.equal(other.state_dict()["0.weight"], module.state_dict()["0.weight"].half())
    assert other.state_dict()["0.weight"].dtype == torch.float32


def test_a_checkpoint_from_before_batches_were_counted(tmp_path: Path) -> None:
    state = {n: v for n, v in network().state_dict().items() if "num_batches" not in n}
    torch.save(state, tmp_path / "w.pt")
    module = network()
    load_weights(module, tmp_path / "w.pt")
    assert torch.equal(module.state_dict()["0.weight"], state["0.weight"])


def test_all_misfits_are_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    state = {n: torch.ones_like(v) for n, v in network().state_dict().items()}
    state["0.weight"] = state["0.weight"].transpose(2, 3)
    state["1.running_var"] = torch.ones(4, dtype=torch.int64)
    state["extra"] = torch.ones(2)
    del state["1.weight"]
    torch.save(state, tmp_path / "w.pt")
    module = network()
    before = snapshot(module)
    with pytest.raises(BackendError) as caught:
        load_weights(module, tmp_path / "w.pt")
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'w.pt'} does not fit the network, nothing was loaded: 4 of 7 tensors match",
        "  `0.weight` is 4x3x7x1 where the network has 4x3x1x7: "
        "the kernel is transposed (width x height)",
        "  `1.running_var` is of int64 where the network has floating-point numbers",
        "  `extra` is 2 and has no place in the network",
        "  `1.weight` is missing; the network needs 4",
        "  help: --partial takes the 4 tensors that fit",
    ]
    assert same(snapshot(module), before)


class Code:
    """Pickles as a call of `os.system`, which must never happen."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("form", ["zip", "old", "pickle"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path, form: str) -> None:
    path, mark = tmp_path / "evil.pt", tmp_path / "ran"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"a": Code(mark)}, protocol=2))
    else:
        torch.save({"a": Code(mark)}, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(BackendError, match=r"holds code besides tensors \(`posix.system`\)"):
        read_weights(path)
    assert not mark.exists()


def test_a_pickled_module_is_code(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "m.pt")
    words = r"\(`torch.nn.modules.container.Sequential`\), which is not run; save the state_dict"
    with pytest.raises(BackendError, match=words):
        read_weights(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("w.pt", b"", "is neither safetensors nor a torch checkpoint: it is empty"),
        ("w.pt", b"hello world", "a torch checkpoint: it begins with `hello world`"),
        ("w.pth", pickle.dumps({"a": 1}, protocol=5), "is no torch checkpoint that can be read"),
        ("w.safetensors", b"junkjunkjunk", "is no safetensors file"),
        ("w.bin", (2).to_bytes(8, "little") + b"{}x", "is no safetensors file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BackendError, match=words):
        read_weights(tmp_path / name)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([torch.zeros(1)], "holds a list, not tensors by name"),
        ({"a": torch.zeros(1), "epoch": 3}, "holds more than tensors: `epoch` is an int"),
    ],
)
def test_a_checkpoint_of_other_things(tmp_path: Path, value: object, words: str) -> None:
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(BackendError, match=words):
        read_weights(tmp_path / "w.pt")


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = save_weights(network().state_dict(), tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(BackendError, match="is no safetensors file"):
        read_weights(path)


def test_missing_files_and_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.pt does not exist"):
        read_weights(tmp_path / "none.pt")
    with pytest.raises(UsageError, match="is a folder, not a file"):
        read_weights(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=re.escape("cannot be written")):
        save_weights(network().state_dict(), tmp_path / "file" / "w.safetensors")


SHARED = """
network: shared
input: {image: [3, 9, 9]}
layers:
  - {conv: 3x3, filters: 3, groups: 3, name: one}
  - {conv: 3x3, filters: 3, groups: 3, share: one, name: two}
  - {conv: 1x5, filters: 4, norm: batch_norm, name: three}
  - {flatten: true}
  - {linear: 5, bias: false, name: fc}
  - {batch_norm: true, name: norm}
"""


@pytest.mark.parametrize("spec", ["text", "zoo/googlenet"])
def test_sizes_are_those_of_the_module(tmp_path: Path, spec: str) -> None:
    if spec == "text":
        (tmp_path / "shared.yaml").write_text(SHARED)
        spec = str(tmp_path / "shared.yaml")
    graph = load_graph(spec)
    assert tensor_sizes(graph) == sizes_of(build_module(graph).state_dict())
