"""A picture through a network: the numbers of its classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from compiler.errors import BackendError
from compiler.facts.class_output import ClassOutput


def probabilities(module: nn.Module, picture: Tensor, output: ClassOutput) -> tuple[Tensor, Tensor]:
    """Return the values of an output for one picture, and the probability of each class.

    Args:
        module: in evaluation mode.
        picture: (1, 3, height, width), on the module's device.
        output: the one with the classes; what its numbers are decides what is made of them.

    Returns:
        Both (classes,), float64, on the CPU.

    Raises:
        BackendError: a value is not finite.
    """
    with torch.inference_mode():
        out: Any = module(picture)
    found: Tensor = out if isinstance(out, Tensor) else out[output.index]
    values = found[0].flatten().double().cpu()
    if not bool(torch.isfinite(values).all()):
        raise BackendError(
            f"the output `{output.name}` has values that are not finite; look at the weights"
        )
    return values, values.softmax(0) if output.numbers == "logits" else values
