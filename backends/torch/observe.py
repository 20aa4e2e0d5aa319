"""What a network does with given numbers: names, outputs, and the output of every layer.

Run as a module it observes the network of a file in a process of its own, which may do to itself
whatever the file does: the answer is tensors, and another process judges them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

Observed = dict[str, Any]
"""`shapes` of the state_dict; `runs` by title, each with `outputs` and `layers`; `after`, the
state after a step of training; or `error`, a sentence."""


def observe(module: nn.Module, request: Mapping[str, Any]) -> Observed:
    """Return what a module does: in evaluation with each batch of inputs, then in training.

    Args:
        module: loses its parameters and statistics.
        request: `state`, and `batches`, which is title -> tensors (N, C, H, W) of all inputs.
    """
    own = module.state_dict()
    out: Observed = {"shapes": {name: list(tensor.shape) for name, tensor in own.items()}}
    if out["shapes"] != {name: list(tensor.shape) for name, tensor in request["state"].items()}:
        return out
    module.load_state_dict(request["state"])
    runs: dict[str, Observed] = {}
    out["runs"] = runs
    for title, inputs in request["batches"].items():
        runs[title] = _run(module.eval(), inputs)
    first = next(iter(request["batches"].values()))
    runs["in training"] = _run(module.train(), first)
    out["after"] = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    return out


def _run(module: nn.Module, inputs: list[Tensor]) -> Observed:
    """Return the outputs of forward, and of every layer inside in order of execution."""
    layers: dict[str, Tensor] = {}
    hooks = []
    for name, layer in module.named_modules():
        if name:

            def note(_: nn.Module, __: Any, output: Any, name: str = name) -> None:
                if isinstance(output, Tensor):
                    layers[name] = output.detach().clone()

            hooks.append(layer.register_forward_hook(note))
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            result = module(*(i.clone() for i in inputs))
    except Exception as error:  # whatever a user's file may do
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        for hook in hooks:
            hook.remove()
    return {"outputs": dict(_tensors(result, "the output")), "layers": layers}


def _tensors(value: Any, what: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield what, value.detach().clone()
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _tensors(part, str(key))
    elif isinstance(value, (tuple, list)):
        names = getattr(value, "_fields", range(len(value)))
        for key, part in zip(names, value, strict=True):
            yield from _tensors(part, f"output {key}")


def observe_file(path: Path, request: Mapping[str, Any]) -> Observed:
    """Run a file and return what its network does: the class of a name, else its last one."""
    try:
        module = _import(path)
        own = [
            v
            for v in vars(module).values()
            if isinstance(v, type) and issubclass(v, nn.Module) and v.__module__ == module.__name__
        ]
        if not own:
            return {"error": "the file defines no network"}
        cls = next((c for c in own if c.__name__ == request["name"]), own[-1])
        network: nn.Module = cls()
    except Exception as error:  # whatever a user's file may do
        return {"error": f"the file does not run: {type(error).__name__}: {error}"}
    return observe(network, request)


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"netdraft_verified_{path.stem}", path)
    assert spec is not None and spec.loader is not None, path  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main(file: str, request: str, answer: str) -> None:
    """Observe a file's network by a request, a file too, and write the answer."""
    found = observe_file(Path(file), torch.load(request, weights_only=True))
    torch.save(found, answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
