"""The kinds of value that a recipe may hold, as pydantic types."""

# No `annotations` from `__future__`: pydantic would evaluate their text, see compiler/text/located.
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Annotated, Any

from pydantic import PlainValidator

from compiler.text import bad, describe, show_value

MOST = 10**12
"""Above every number that a recipe can mean."""


def _number(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        help = "take the quotes off" if isinstance(value, str) and _is_number(value) else ""
        raise bad("bad-value", f"expected a number, found {describe(value)}", help=help)
    return Fraction(value)


def _is_number(text: str) -> bool:
    with suppress(ValueError, ZeroDivisionError):
        return Fraction(text) is not None
    return False


def _between(
    least: Fraction, most: Fraction, *, above: bool = False, below: bool = False
) -> Callable[[Any], float]:
    """Return a reader of numbers from `least` to `most`, each left out where the word says it."""
    ends = [least] * above + [most] * below

    def read(value: Any) -> float:
        number = _number(value)
        if not least <= number <= most or number in ends:
            start = f"above {show_value(least)}" if above else f"from {show_value(least)}"
            end = "" if most == MOST else f" to {'below ' * below}{show_value(most)}"
            raise bad("bad-value", f"expected a number {start}{end}, found {describe(value)}")
        return float(number)

    return read


def _whole(least: int) -> Callable[[Any], int]:
    """Return a reader of whole numbers from `least`."""

    def read(value: Any) -> int:
        number = _number(value)
        if number.denominator != 1 or not least <= number <= MOST:
            raise bad("bad-value", f"expected a whole number from {least}, found {describe(value)}")
        return int(number)

    return read


ZERO, ONE = Fraction(0), Fraction(1)
Positive = Annotated[float, PlainValidator(_between(ZERO, Fraction(MOST), above=True))]
"""A number above 0."""
Unsigned = Annotated[float, PlainValidator(_between(ZERO, Fraction(MOST)))]
"""A number from 0."""
Share = Annotated[float, PlainValidator(_between(ZERO, ONE))]
"""A number from 0 to 1."""
Decay = Annotated[float, PlainValidator(_between(ZERO, ONE, below=True))]
"""A number from 0 to below 1."""
Hue = Annotated[float, PlainValidator(_between(ZERO, Fraction(1, 2)))]
"""A number from 0 to 1/2: colours go round."""
Count = Annotated[int, PlainValidator(_whole(1))]
"""A whole number from 1."""
Side = Annotated[int, PlainValidator(_whole(0))]
"""A whole number from 0."""


def _read_range(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise bad("bad-value", f"expected `[least, most]`, found {describe(value)}")
    low, high = map(_number, value)
    if not 0 < low <= high:
        shown = f"[{show_value(low)}, {show_value(high)}]"
        raise bad("bad-value", f"`{shown}` is no range above 0; write the smaller number first")
    return float(low), float(high)


Range = Annotated[tuple[float, float], PlainValidator(_read_range)]
"""`[least, most]`, above 0."""


def _read_rates(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not value:
        message = f"expected factors by pattern, found {describe(value)}"
        raise bad("bad-value", message, help="as in {logits: 10, 'stem*': 0.1}")
    read = _between(ZERO, Fraction(MOST))
    return {str(pattern): read(factor) for pattern, factor in value.items()}


Rates = Annotated[dict[str, float], PlainValidator(_read_rates)]
"""Pattern of a layer's path -> what its learning rate is multiplied by."""


def _read_auxiliary(value: Any) -> float | dict[str, float]:
    read = _between(ZERO, Fraction(MOST))
    if isinstance(value, dict):
        return {str(name): read(weight) for name, weight in value.items()}
    return read(value)


Auxiliary = Annotated[float | dict[str, float], PlainValidator(_read_auxiliary)]
"""The weight of every auxiliary output's loss, or of each by name."""
