"""Run a built module once on a photograph and report what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.state.photo import INCEPTION, load_photo
from compiler.errors import BackendError, UsageError
from compiler.facts.working_sizes import shapes_near
from compiler.graph import Graph, Shape
from compiler.weights.mapping import Preprocessing

OPEN_SIZE = (224, 224)
"""Height and width of the input where they are left open, or the next that fit."""


def run_once(
    module: nn.Module, graph: Graph, device: str, image: Path | None, how: Preprocessing | None
) -> dict[str, Any]:
    """Run a module in eval mode, leave it on the CPU, and return a JSON-ready report.

    Args:
        module: what was built of `graph`.
        graph: its inputs say which tensors it takes.
        device: where it runs.
        image: a picture for an RGB input; None: the portrait that netdraft ships.
        how: how the picture becomes the input; None: the range of the Inception family.

    Raises:
        BackendError: the output is not finite.
        UsageError: there is an image, and an input that takes none.
    """
    shapes = next(shapes_near(graph, OPEN_SIZE))
    inputs = tuple(_sample(name, shape, image, how).to(device) for name, shape in shapes.items())
    module = module.to(device).eval()
    with torch.inference_mode():
        start = time.perf_counter()
        out = module(*inputs)
        milliseconds = (time.perf_counter() - start) * 1000
    outputs = list(_tensors(out))
    logits = outputs[0].float().cpu()
    if not bool(torch.isfinite(logits).all()):
        raise BackendError("the forward gives values that are not finite; look at the weights")
    best = [int(i) for i in logits.flatten(1)[0].topk(min(5, logits[0].numel())).indices]
    module.cpu()
    return {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "input": [list(t.shape) for t in inputs],
        "output": list(logits.shape),
        "outputs": [list(t.shape) for t in outputs],
        "milliseconds": round(milliseconds, 1),
        "largest": best,
        "image": _picture(image, how, [_is_picture(s) for s in shapes.values()]),
    }


def _picture(image: Path | None, how: Preprocessing | None, taken: Sequence[bool]) -> str | None:
    """Return which picture was run, and how it was preprocessed where that is known.

    Args:
        image: the one that was asked for.
        how: it was preprocessed.
        taken: input for input, whether it is a picture; others are random numbers.
    """
    if not any(taken):
        return None
    picture = str(image) if image else "the photograph that netdraft ships with"
    prepared = picture if how is None else f"{picture} ({how.words})"
    return prepared if all(taken) else f"{prepared}; other inputs are random numbers"


def _sample(name: str, size: Shape, image: Path | None, how: Preprocessing | None) -> Tensor:
    shape = size.numbers
    if _is_picture(size):
        return load_photo(image, shape[1], shape[2], how or INCEPTION)
    if image is not None:
        raise UsageError(f"--image: the input `{name}` is {size}, not an RGB image")
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))


def _is_picture(size: Shape) -> bool:
    return len(size) == 3 and size[0] == 3


def _tensors(out: Any) -> Iterator[Tensor]:
    """Yield the outputs of a module: one tensor, or those of tuples in order."""
    if isinstance(out, torch.Tensor):
        yield out
    else:
        for part in out.values() if isinstance(out, dict) else out:
            yield from _tensors(part)
