"""What only layers of operations have: paddings, borders, ranges of channels, words of the op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Literal

from compiler.graph import Pads, Pair
from compiler.ops import NORMS, Op
from compiler.spec.values import MAX_COUNT, Values, twice
from compiler.spec.written import Written
from compiler.text import (
    HALF,
    Expr,
    ExprError,
    Unknown,
    evaluate,
    parse,
    show_value,
)


class LayerValues(Values):
    """Reads the fields of a layer that is an operation, for `Layer.operations`."""

    channels: int | None = None
    """Channels that enter the layer, None where they are not a number."""
    is_sized_by_layer = False
    """True where the layer reads another one for its size."""
    norms: Mapping[str, Op] = NORMS
    """Word -> the norm that follows convolutions, as the network's defaults have it."""

    def number_in(self, field: str, key: str, type: str = "number") -> Fraction | int | None:
        """Return a number of a field that is a mapping: `keep` of `dropout`."""
        raw, whose = self.raw(field)[key], f"`{key}` of `{field}`"
        value = self.of_type(type, Written(raw, whose, self.where(field), (field, key), key))
        return value if isinstance(value, (int, Fraction)) else None

    def factor_or_size(self, field: str) -> int | Pair | None:
        """Return one number, or (height, width); the graph knows it as `factor` or `size`."""
        value: int | Pair | None = self.pair_of(self.written(field, "factor"), 1)
        if isinstance(value, tuple) and "factor" in self.traced:
            self.traced["size"] = self.traced.pop("factor")
        return value

    def padding(
        self, op: str, kernel: Pair, dilation: Pair = (1, 1)
    ) -> Pads | Literal["same"] | None:
        """Return `same`, or ((top, bottom), (left, right)); the kernel is that of the key `op`."""
        value = self.padding_of(self.written("padding", "padding"))
        if value == HALF:
            self._settle_half(op)
            rows, columns = (d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
            return twice(rows), twice(columns)
        if value is None or value == "same":
            return None if value is None else "same"
        rows, columns = (0, 0) if value == "valid" else twice(value)
        return twice(rows), twice(columns)

    def sides(self, field: str, attribute: str = "") -> Pads | None:
        """Return ((top, bottom), (left, right)) of a field that is no padding's word."""
        written = self.written(field, attribute)
        value = self.padding_of(written)
        if isinstance(value, str):
            help = "a border is so many pixels: `1`, `[height, width]` or `[[0, 1], [0, 1]]`"
            self.report.add(written.diagnostic(f"{written.whose}: `{value}` is no border", help))
            return None
        if value is None:
            return None
        rows, columns = twice(value)
        return twice(rows), twice(columns)

    def _settle_half(self, op: str) -> None:
        """Note the formula of kernel and dilation that `half` is, or that it depends on them."""
        self.traced.pop("padding", None)
        half = self._half(op)
        bound = None if half is None else self.bind(half)
        self._note(self.written("padding", "padding"), self.raw("padding"), formula=bound)
        depends = {"padding"} if half is not None else {op, "padding", "dilation"}
        for key in depends & type(self.layer).model_fields.keys():
            formula = self.raw(key)
            if isinstance(formula, Expr):
                written = self.written(key)
                with suppress(Unknown, ExprError):  # reported where it is read
                    self._decided(written, formula, evaluate(formula, self._lookup(written)))

    def _half(self, op: str) -> Expr | None:
        """Return `dilation * (kernel - 1) // 2`, None without formulas, or of one for each axis."""
        kernel = self._one_number(op)
        dilation = self._one_number("dilation") if hasattr(self.layer, "dilation") else 1
        if kernel is None or dilation is None:
            return None
        if isinstance(kernel, Expr):
            reach, by = f"({_operand(kernel)} - 1)", dilation
            if isinstance(by, int) and by % 2 == 0:
                return parse(reach if by == 2 else f"{by // 2} * {reach}")
            return parse(f"{reach} // 2" if by == 1 else f"{_operand(by)} * {reach} // 2")
        if isinstance(dilation, Expr) and kernel > 1:
            half, odd = divmod(kernel - 1, 2)
            text = _operand(dilation)
            if odd:
                return parse(f"{kernel - 1} * {text} // 2")
            return parse(text if half == 1 else f"{half} * {text}")
        return None

    def _one_number(self, field: str) -> Expr | int | None:
        """Return a field that is one number for both axes, as written in the frame of the layer."""
        raw = self.raw(field)
        if isinstance(raw, tuple) and len(raw) == 2 and raw[0] == raw[1]:
            raw = raw[0]
        if isinstance(raw, int):
            return raw
        written = self.written(field)
        if isinstance(raw, Expr) and self._shows(written.where):
            with suppress(Unknown, ExprError):  # reported where it is read
                return raw if type(evaluate(raw, self._lookup(written))) is int else None
        return None

    def range(self, field: str) -> Pair | None:
        """Return (start, stop) of channels; a negative one counts from the last of them."""
        written, (start, stop) = self.written(field), self.raw(field)
        first = self._end(replace(written.part(start), steps=(field, 0), attribute="start"))
        last = self._end(replace(written.part(stop), steps=(field, 1), attribute="stop"))
        return None if first is None or last is None else (first, last)

    def _end(self, written: Written) -> int | None:
        value, raw = self.integer_of(written, -MAX_COUNT), written.raw
        if value is None or value >= 0:
            return value
        text = raw.text if isinstance(raw, Expr) else show_value(raw)
        is_plain = text[1:].isalnum()
        from_last = f"prev.channels - {text[1:]}" if is_plain else f"prev.channels + ({text})"
        value = self.integer_of(replace(written, raw=parse(from_last)), 0)
        if traced := self.traced.get(written.attribute):
            self.traced[written.attribute] = replace(traced, text=text)
        return value

    def word(
        self,
        field: str,
        known: tuple[str, ...],
        is_one: Callable[[object], bool] = lambda value: False,
    ) -> str:
        """Return a word of a closed set, or the parameter's value that is one; `none` if wrong."""
        raw = self.raw(field)
        if raw in known:
            return str(raw)
        word = self.word_of(self.written(field), field, known, is_one) or "none"
        if raw not in known:
            self._note_word(field, raw.text if isinstance(raw, Expr) else str(raw), word)
        return word


def _operand(part: Expr | int) -> str:
    """Return a formula as a part of another one."""
    text = part.text if isinstance(part, Expr) else str(part)
    return text if text.isidentifier() or text.isdigit() else f"({text})"
