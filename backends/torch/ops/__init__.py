"""Operation -> Python: as a module of torch.nn, or as a line of a forward pass.

A file for each family, as in `compiler/ops`, with the helpers of an emitted file that it needs. An
operation on one tensor needs a `module` and has a `function` where a line of a forward pass reads
better; one on several tensors has a `function`.
"""

from __future__ import annotations

from collections.abc import Iterable

import backends.torch.ops.merge  # noqa: F401, for the functions that it registers
from backends.torch.ops.activation import FUNCTIONS, activation_module, maker
from backends.torch.ops.activation import HELPERS as OF_ACTIVATIONS
from backends.torch.ops.border import HELPERS as OF_BORDERS
from backends.torch.ops.conv import HELPERS as OF_CONVOLUTIONS
from backends.torch.ops.conv import conv_arguments, transposed_arguments
from backends.torch.ops.emitted import IMPORTS, STRUCTURE, Helper
from backends.torch.ops.linear import HELPERS as OF_LINEAR
from backends.torch.ops.norm import HELPERS as OF_NORMS
from backends.torch.ops.norm import norm_helpers, norm_module
from backends.torch.ops.numbers import HELPERS as OF_NUMBERS
from backends.torch.ops.pool import HELPERS as OF_POOLING
from backends.torch.ops.rearrange import HELPERS as OF_REARRANGING
from backends.torch.ops.spelling import AttributeWriter, function, has_function, has_module, module

HELPERS: dict[str, Helper] = {
    **OF_NUMBERS,
    **STRUCTURE,
    **OF_CONVOLUTIONS,
    **OF_NORMS,
    **OF_POOLING,
    **OF_BORDERS,
    **OF_LINEAR,
    **OF_ACTIVATIONS,
    **OF_REARRANGING,
}
"""Name -> helper, in the order in which they stand in an emitted file."""


def closure(names: Iterable[str]) -> list[str]:
    """Return the helpers and those that they need, in file order."""
    wanted, stack = set(), list(names)
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            stack.extend(HELPERS[name].needs)
    return [name for name in HELPERS if name in wanted]


__all__ = [
    "FUNCTIONS",
    "HELPERS",
    "IMPORTS",
    "AttributeWriter",
    "activation_module",
    "closure",
    "conv_arguments",
    "function",
    "has_function",
    "has_module",
    "maker",
    "module",
    "norm_helpers",
    "norm_module",
    "transposed_arguments",
]
