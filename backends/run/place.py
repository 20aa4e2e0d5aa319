"""Where and in which numbers a network is to run, as callers give it."""

from __future__ import annotations

from typing import Literal

import torch

from compiler.errors import UsageError

Precision = torch.dtype | Literal["tf32"]


def device_from(device: str | torch.device) -> torch.device:
    """Return the device that a caller gave, once a tensor has been there.

    Raises:
        UsageError: it is no device, or none of this machine.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):  # torch's text lists all that it was ever ported to
        raise UsageError(f"device={str(device)!r}: write cpu, cuda or cuda:N") from None
    if found.type == "meta":
        raise UsageError("device='meta': tensors there have no values; write cpu, cuda or cuda:N")
    try:
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError):
        raise UsageError(f"device={str(device)!r}: this torch sees no such device") from None
    return found


def precision_from(dtype: Precision) -> Precision:
    """Return the numbers that a caller gave.

    Raises:
        UsageError: they are none to compute a network in.
    """
    if dtype == "tf32" or (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        return dtype
    given = dtype if isinstance(dtype, torch.dtype) else repr(dtype)
    raise UsageError(f"dtype={given}: write torch.float32, torch.bfloat16, torch.float16 or 'tf32'")
