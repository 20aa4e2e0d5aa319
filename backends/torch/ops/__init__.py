"""Operation -> Python: as a module of torch.nn, or as a line of a forward pass.

A file for each family, as in `compiler/ops`. An operation on one tensor needs a `module` and has a
`function` where a line of a forward pass reads better; one on several tensors has a `function`.
"""

from __future__ import annotations

# In this order their helpers stand in an emitted file.
from backends.torch.ops import conv, norm, pool, linear, activation, merge  # isort: skip
from backends.torch.ops.activation import FUNCTIONS, activation_module
from backends.torch.ops.conv import conv_arguments
from backends.torch.ops.helpers import HELPERS, IMPORTS, closure
from backends.torch.ops.norm import batch_norm, norm_class
from backends.torch.ops.spelling import Site, function, has_function, has_module, module

FAMILIES = (conv, norm, pool, linear, activation, merge)
"""Each registers its operations."""

__all__ = [
    "FAMILIES",
    "FUNCTIONS",
    "HELPERS",
    "IMPORTS",
    "Site",
    "activation_module",
    "batch_norm",
    "closure",
    "conv_arguments",
    "function",
    "has_function",
    "has_module",
    "module",
    "norm_class",
]
