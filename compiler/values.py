"""Formulas of a layer -> numbers, pairs and words, with the complaints that they earn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from compiler.errors import Diagnostic, Report
from compiler.expr import Expr, ExprError, Unknown, Value, evaluate, show_value
from compiler.ops import ACTIVATIONS
from compiler.shapes import Pads, Pair
from compiler.spec import COMMON, Layer, Located
from compiler.suggest import did_you_mean, listing

MAX_COUNT = 10**7
"""Channels, strides, kernels: more is a mistake."""
MAX_NUMBER = 10**30
"""Factors: what is larger is no number that float32 calculates with."""


class Values:
    """Reads the fields of one layer; every fault is reported and gives None."""

    def __init__(
        self,
        layer: Located,
        what: str,
        lookup: Callable[[str], Value],
        report: Report,
        defaults: Located | None = None,
    ) -> None:
        self.layer = layer
        self.what = what
        self.lookup = lookup
        self.report = report
        self.defaults = defaults
        self.exprs: dict[str, Expr] = {}
        """Attribute of the operation -> the expression it was written as."""
        self.written: dict[str, str] = {}
        """Attribute or key -> its text in the spec, where that depends on names."""
        self.usual: Mapping[str, Value] = {}
        """Parameter -> its default: words that are a default are shown as they are."""

    def whose(self, field: str) -> str:
        """Return a field's name with its layer's, for a message."""
        return self.what if self.what == f"`{field}`" else f"`{field}` of {self.what}"

    def where(self, field: str) -> Located:
        """Return what says a field: the layer, or the network's defaults."""
        if self.defaults is not None and not self.layer.says(field) and self.defaults.says(field):
            return self.defaults
        return self.layer

    def raw(self, field: str) -> Any:
        """Return a field as written: the layer's own, else the network's default, else the op's."""
        if self.where(field) is self.defaults:
            return getattr(self.defaults, field)
        if field in COMMON and isinstance(self.layer, Layer):
            return getattr(self.layer.common, field)
        return getattr(self.layer, field)

    def value(self, field: str, attribute: str = "") -> Value:
        """Return the value of a field that is a number, a flag or an expression."""
        return self.evaluate(self.raw(field), field, attribute)

    def evaluate(
        self,
        formula: Any,
        field: str,
        attribute: str = "",
        steps: tuple[int | str, ...] = (),
        whose: str = "",
    ) -> Value:
        """Return the value of a formula; None where it is wrong (reported) or unknown.

        `steps` is where it stands if not at `field`, `whose` is what to call it then.
        """
        if not isinstance(formula, Expr):
            return formula  # type: ignore[no-any-return]
        if attribute:
            self.exprs[attribute] = formula
            self._note(attribute, formula)
        try:
            return evaluate(formula, self.lookup)
        except Unknown:
            return None
        except ExprError as error:
            code = "unknown-parameter" if "unknown name" in str(error) else "bad-expression"
            self.report.add(
                Diagnostic(
                    code,
                    f"{whose or self.whose(field)}: {error}",
                    self.where(field).inside(steps or (field,), error.start, error.end),
                    help=error.help,
                )
            )
            return None

    def _note(self, attribute: str, *parts: Any) -> None:
        """Remember how an attribute is written where it depends on names."""
        if any(isinstance(part, Expr) and part.names for part in parts):
            texts = (part.text if isinstance(part, Expr) else str(part) for part in parts)
            self.written[attribute] = "x".join("".join(text.split()) for text in texts)

    def integer(
        self, field: str, attribute: str = "", least: int = 1, formula: Any = None
    ) -> int | None:
        """Return a whole number that is at least `least`."""
        formula = self.raw(field) if formula is None else formula
        value = self.evaluate(formula, field, attribute)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            self._refuse(field, formula, value, "is not a number")
            return None
        if isinstance(value, Fraction):
            self._refuse(field, formula, value, "is not a whole number")
            return None
        if value < least:
            self._refuse(field, formula, value, f"is less than {least}")
            return None
        if value > MAX_COUNT:
            self._refuse(field, formula, value, f"is more than {MAX_COUNT:,}")
            return None
        return value

    def _refuse(self, field: str, formula: Any, value: Value, why: str) -> None:
        written = f"{formula.text} = " if isinstance(formula, Expr) else ""
        help = ""
        if isinstance(value, Fraction):
            help = "round it as you mean it: `floor(...)`, `ceil(...)` or `round(...)`"
        self.report.add(
            Diagnostic(
                "bad-value",
                f"{self.whose(field)} = {written}{show_value(value)} {why}",
                self.where(field).span(field),
                help=help,
            )
        )

    def number(self, field: str, attribute: str = "") -> float | None:
        """Return a number."""
        formula = self.raw(field)
        value = self.evaluate(formula, field, attribute)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            self._refuse(field, formula, value, "is not a number")
            return None
        if not -MAX_NUMBER <= value <= MAX_NUMBER:
            self._refuse(field, formula, value, "is out of bounds")
            return None
        return float(value)

    def pair(self, field: str, attribute: str = "", least: int = 1) -> Pair | None:
        """Return (height, width) from one number, a pair, or a kernel parameter."""
        return self._pair(self.raw(field), field, attribute, least)

    def _pair(self, raw: Any, field: str, attribute: str, least: int) -> Pair | None:
        if isinstance(raw, Expr):
            value = self.evaluate(raw, field, attribute)
            if isinstance(value, tuple):
                return value
            raw = value if value is None else (raw if isinstance(value, (Fraction, str)) else value)
            if raw is None:
                return None
        if isinstance(raw, tuple):
            self._note(attribute or field, *raw)
            height = self.integer(field, "", least, raw[0])
            width = self.integer(field, "", least, raw[1])
            return None if height is None or width is None else (height, width)
        one = self.integer(field, "", least, raw)
        return None if one is None else (one, one)

    def padding(self, field: str = "padding") -> Pads | str | None:
        """Return `same`, or ((top, bottom), (left, right))."""
        raw = self.raw(field)
        if isinstance(raw, Expr):
            if self._is_misspelt(raw, field):
                return None
            raw = self.evaluate(raw, field, "padding")
            if raw is None:
                return None
        if raw == "same":
            return "same"
        if raw in ("valid", "V"):
            return ((0, 0), (0, 0))
        if isinstance(raw, tuple) and isinstance(raw[0], tuple):
            rows = self._pair(raw[0], field, "", 0)
            columns = self._pair(raw[1], field, "", 0)
            return None if rows is None or columns is None else (rows, columns)
        pair = self._pair(raw, field, "", 0)
        return None if pair is None else ((pair[0], pair[0]), (pair[1], pair[1]))

    def _is_misspelt(self, raw: Expr, field: str) -> bool:
        """Report a lone word that is no parameter: it was meant as a padding's name."""
        if raw.root.kind != "name" or "." in raw.text:
            return False
        try:
            self.lookup(raw.text)
        except KeyError:
            guess = did_you_mean(raw.text, ("same", "valid", "V"))
            message = f"{self.whose(field)}: there is no padding `{raw.text}`{guess}"
            help = "write `same`, `V` (valid), or numbers"
            self.report.add(
                Diagnostic("bad-value", message, self.where(field).span(field), help=help)
            )
            return True
        return False

    def flag(self, field: str) -> bool:
        """Return true or false; an unknown condition counts as true."""
        value = self.value(field)
        self._note(field, self.raw(field))
        if value is None:
            return True
        if not isinstance(value, bool):
            self._refuse(field, self.raw(field), value, "is neither true nor false")
            return True
        return value

    def word(self, field: str, params: Any, known: tuple[str, ...]) -> str:
        """Return a word of a closed set, or the parameter's value that is one; `none` if wrong."""
        written = str(self.raw(field))
        value = params.get(written, written) if written not in known else written
        if written in params and written not in known:
            self.lookup(written)
            if self.usual.get(written) != value:
                self.written[field] = written
            if value is None:
                return "none"
        if value not in known:
            self.report.add(
                Diagnostic(
                    "bad-value",
                    f"{self.whose(field)}: there is no {field} `{value}`"
                    + did_you_mean(str(value), known),
                    self.where(field).span(field),
                    help=f"one of {listing(known)}",
                )
            )
            return "none"
        return str(value)


ACTIVATION_WORDS = ("none", *ACTIVATIONS)
NORM_WORDS = ("none", "batch_norm")


def coerce(type: str, value: Any) -> tuple[Value, str]:
    """Return a parameter's value as its type has it, and a complaint (empty if none)."""
    number = isinstance(value, (int, Fraction)) and not isinstance(value, bool)
    whole = number and not isinstance(value, Fraction)
    if type in ("channels", "int"):
        if not whole:
            return None, "is not a whole number"
        if type == "channels" and value < 1:
            return None, "is less than 1"
        return value, "" if abs(value) <= MAX_COUNT else f"is out of bounds ({MAX_COUNT:,})"
    if type == "number":
        return (value, "") if number else (None, "is not a number")
    if type == "bool":
        return (value, "") if isinstance(value, bool) else (None, "is neither true nor false")
    if type == "kernel":
        return _kernel(value, whole)
    if type == "padding":
        return (
            (value, "") if value in ("same", "valid", "V") or whole else (None, "is not a padding")
        )
    if type == "activation":
        fits = value in ACTIVATION_WORDS
        return (value, "") if fits else (None, f"is not one of {listing(ACTIVATION_WORDS)}")
    return (value, "") if isinstance(value, str) else (None, "is not a text")


def _kernel(value: Any, whole: bool) -> tuple[Value, str]:
    if whole and value >= 1:
        return (value, value), ""
    if isinstance(value, str):
        parts = value.split("x")
        if len(parts) == 2 and all(p.isdigit() and int(p) >= 1 for p in parts):
            return (int(parts[0]), int(parts[1])), ""
    if (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(v, int) for v in value)
    ):
        return (value[0], value[1]), ""
    return None, "is not a kernel such as 3x3"
