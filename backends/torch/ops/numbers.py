"""Functions of the language that Python does not have, for the constructors of an emitted file."""

from __future__ import annotations

from backends.torch.ops.emitted import Helper

HELPERS: dict[str, Helper] = {
    "round_to": Helper(
        '''
def round_to(value: float, divisor: int) -> int:
    """Return the nearest multiple of the divisor, at least one, never below 0.9 of the value."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
'''
    ),
}
