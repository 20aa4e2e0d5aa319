"""Formulas of a spec -> numbers, pairs and words; every fault is reported and gives None.

Keys of layers, parameters, defaults, `with` and `--set` are all read here, so that one value
means the same, and is refused in the same words, whichever way it comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeGuard

from pydantic_core import PydanticCustomError

from compiler.errors import (
    Diagnostic,
    Report,
    did_you_mean,
    excess,
    helping,
    limit,
    listing,
    way_out,
)
from compiler.graph import Decision, Pair, Traced
from compiler.ops import (
    ACTIVATION_WORDS,
    COMMON,
    NORM_WORDS,
    Layer,
    Parametric,
    grouped,
    is_activation,
    is_norm,
    spelled,
    with_words,
)
from compiler.spec.model import ParamSpec
from compiler.spec.params import READERS, guess_type
from compiler.spec.written import Written, default_of
from compiler.text import (
    HALF,
    PADDINGS,
    Expr,
    ExprError,
    Located,
    LookUp,
    Term,
    Unknown,
    Value,
    ValueList,
    as_formula,
    evaluate,
    name_of,
    read_formula,
    show_value,
    size_of,
)

MAX_COUNT = 10**7
"""Channels, strides, kernels: more is a mistake."""
_SIDES = (("top", "bottom"), ("left", "right"))
MAX_NUMBER = 10**30
"""Factors: what is larger is no number that float32 calculates with."""


@dataclass(slots=True)
class Defaults:
    """What a network's `defaults` say, and what a name in their formulas is worth.

    They are formulas of the network: inside a block, too, its own parameters take no part.
    """

    layers: Mapping[str, Located]
    """Op -> a layer that says what layers of that op need not say themselves."""
    params: Mapping[str, Value]
    used: set[str]
    """The parameters that were looked up."""
    decisions: list[Decision] = field(default_factory=list)
    """What formulas came to that no attribute remembers."""

    def __call__(self, name: str) -> Value:
        """Return the value of a parameter of the network; raise `KeyError` for any other name."""
        if name not in self.params:
            guess = did_you_mean(name, self.params).strip(" ()")
            help = f"`defaults` may use the parameters of the network: {listing(self.params)}"
            raise KeyError(name, f"{guess}; {help}".removeprefix("; "))
        self.used.add(name)
        return self.params[name]


class Values:
    """Reads the fields of what stands in a spec; every fault is reported and gives None."""

    def __init__(
        self,
        layer: Located,
        what: str,
        lookup: Callable[[str], Value],
        report: Report,
        defaults: Defaults | None = None,
    ) -> None:
        self.layer = layer
        self.what = what
        self.lookup = lookup
        self.report = report
        self.network = defaults
        op = layer.op if isinstance(layer, Layer) else ""
        self.defaults = defaults.layers.get(op) if defaults else None
        says, own = self.defaults, layer.model_fields_set
        self._taken = says.model_fields_set - own if says is not None else frozenset()
        self.is_inside = False
        """True in a block: what its layers take from the network's defaults is a number there."""
        self.traced: dict[str, Traced] = {}
        """Attribute or key -> where it comes from, unless it is a plain value."""
        self.decisions: list[Decision] = []
        """What formulas came to that no attribute remembers."""
        self.bind: Callable[[Expr], Expr] = lambda formula: formula
        """Tells a formula the nodes whose sizes it reads."""
        self.usual: Mapping[str, object] = {}
        """Parameter -> its default: words that are a default are shown as they are."""

    def where(self, field: str) -> Located:
        """Return what says a field: the layer, or the network's defaults."""
        if self.defaults is not None and field in self._taken:
            return self.defaults
        return self.layer

    def _names(self, written: Written) -> LookUp:
        """Return what a name that is no word of the language is worth in a value."""
        is_default = self.network is not None and written.where is self.defaults
        return self.network if is_default else self.lookup  # type: ignore[return-value]

    def _lookup(self, written: Written) -> LookUp:
        """Return what a name in a formula is worth."""
        return with_words(self._names(written))

    def _decided(self, written: Written, formula: Expr, value: Value) -> None:
        """Note what a formula came to that no attribute remembers, in the frame of its names."""
        is_default = self.network is not None and written.where is self.defaults
        decisions = self.network.decisions if is_default and self.network else self.decisions
        if formula.names:
            decisions.append(Decision(self.bind(formula), value))

    def _shows(self, where: Located) -> bool:
        """True for what is remembered as it is written."""
        return where is not self.defaults or not self.is_inside

    def raw(self, field: str) -> Any:
        """Return a field as written: the layer's own, else the network's default, else the op's."""
        where = self.where(field)
        if where is self.layer and field in COMMON and isinstance(where, Layer):
            where = where.common
        return getattr(where, field)

    def written(self, field: str, attribute: str = "") -> Written:
        """Return a field as written, with its place."""
        whose = self.what if self.what == f"`{field}`" else f"`{field}` of {self.what}"
        return Written(self.raw(field), whose, self.where(field), (field,), attribute)

    # -- fields: most are plain, and there are thousands, so nothing more is made of those --------

    def integer(self, field: str, attribute: str = "", least: int = 1) -> int | None:
        """Return a whole number that is at least `least`; one that the layer lacks is reported."""
        raw = self.raw(field)
        if _is_integer(raw, least):
            return raw
        if raw is None:
            message = f"{self.what} needs `{field}`"
            span, help = self.layer.span(), f"add `{field}: 64`"
            self.report.add(Diagnostic("missing-field", message, span, help=help))
            return None
        return self.integer_of(self.written(field, attribute), least)

    def number(self, field: str, attribute: str = "") -> float | None:
        """Return a number."""
        value = self.number_of(self.written(field, attribute))
        return None if value is None else float(value)

    def pair(self, field: str, attribute: str = "", least: int = 1) -> Pair | None:
        """Return (height, width) from one number, a pair, or a kernel parameter."""
        raw = self.raw(field)
        if _is_integer(raw, least):
            return raw, raw
        if type(raw) is tuple and len(raw) == 2 and all(_is_integer(v, least) for v in raw):
            return raw
        value: Pair | None = twice(self.pair_of(self.written(field, attribute), least))
        return value

    def flag(self, field: str) -> bool:
        """Return true or false; an unknown condition counts as true."""
        raw = self.raw(field)
        if isinstance(raw, bool):
            return raw
        value = self.flag_of(self.written(field))
        if self._shows(self.where(field)):
            self._note(self.written(field, field), raw)
        return True if value is None else value

    def _note_word(self, field: str, name: str, word: str) -> None:
        """Remember the name of the parameter, or the formula, that a word comes from."""
        if self._shows(self.where(field)) and word != "none" and self.usual.get(name) != word:
            self.traced[field] = Traced(name, span=self.where(field).span(field))

    def activation(self, field: str) -> str:
        """Return the value of an activation: a word, or `{leaky_relu: 0.1}`; `none` if wrong."""
        raw = self.raw(field)
        if isinstance(raw, str) and raw in ACTIVATION_WORDS:
            return raw
        word = self.activation_value(self.written(field)) or "none"
        if isinstance(raw, (str, Expr)):
            self._note_word(field, raw.text if isinstance(raw, Expr) else raw, word)
        return word

    def trace(self, field: str, formula: Expr) -> Traced:
        """Return where the value of a field comes from that is no attribute of an operation."""
        return Traced(formula.text, self.bind(formula), self.where(field).span(field))

    def _note(self, written: Written, *parts: Any, formula: Expr | None = None) -> None:
        """Remember where an attribute comes from: its text, where that depends on names."""
        is_named = any(isinstance(part, Expr) and part.names for part in parts)
        if formula is None and not is_named:
            return
        texts = (part.text if isinstance(part, Expr) else str(part) for part in parts)
        text = "x".join(map(_narrow, texts)) if is_named else ""
        attribute = written.attribute or str(written.steps[0])
        self.traced[attribute] = Traced(text, formula, written.where.span(*written.steps))

    # -- values, wherever they stand -------------------------------------------------------------

    def of_type(self, type: str, written: Written) -> Value:
        """Return the value of a parameter of a type, from how it is written in YAML."""
        if written.raw is None:
            help = "give it a value, or take the key out"
            self.report.add(replace(written, type="").diagnostic(f"{written.whose} is empty", help))
            return None
        try:
            read = replace(written, raw=READERS[type](written.raw))
        except PydanticCustomError as error:
            self.report.add(written.fault(error))
            return None
        if type in ("channels", "int"):
            return self.integer_of(read, 1 if type == "channels" else -MAX_COUNT)
        if type == "kernel":
            pair = self.pair_of(read, 1)
            return pair if pair is None else twice(pair)
        if type == "activation":
            return self.activation_value(read)
        if type == "norm":
            return self.norm_value(read)
        if type == "block":
            return self.block_of(read)
        of: Callable[[Written], Any] | None = {
            "number": self.number_of,
            "bool": self.flag_of,
            "padding": self.padding_of,
            "list": self.whole_list_of,
        }.get(type)
        value: Value = read.raw if of is None else of(read)
        return value

    def value_of(self, written: Written) -> Value:
        """Return a value of whatever type it is written as."""
        type = guess_type(written.raw)
        if type != "number" or written.raw is None:
            return self.of_type(type, written)
        try:
            return self.evaluate(replace(written, raw=read_formula(written.raw)))
        except PydanticCustomError as error:
            self.report.add(written.fault(error))
            return None

    def list_of(self, written: Written, is_remembered: bool = True) -> list[Value]:
        """Return the values of a list; one that is wrong is None.

        `is_remembered` says that formulas of its entries are in the graph otherwise.
        """
        if isinstance(written.raw, list):
            entries = range(len(written.raw))
            return [self.value_of(written.entry(at, is_remembered)) for at in entries]
        value = self.evaluate(written)
        if isinstance(value, tuple):  # a size too: `[8, 16]` in a list is `8x16`
            return list(value)
        if value is not None:
            help = "write `[64, 128, 256]`, or a parameter that is a list"
            self.report.add(replace(written.refused(value, "is not a list"), help=help))
        return []

    def term_of(self, raw: Any) -> Term | None:
        """Return a value of whatever type as a formula; None where it is none."""
        if not isinstance(raw, str) or guess_type(raw) != "number":
            return None
        try:
            formula = read_formula(raw)
        except PydanticCustomError:  # reported where it is read
            return None
        return self.bind(formula).root if isinstance(formula, Expr) else None

    def whole_list_of(self, written: Written) -> ValueList | None:
        """Return a list; None where it, or one of its values, is wrong."""
        found = len(self.report.diagnostics)
        is_formula = not _has_mapping(written.raw)
        is_remembered = is_formula and (bool(written.attribute) or written.is_entry)
        out = ValueList(self.list_of(written, is_remembered))
        if len(self.report.diagnostics) > found or None in out:
            return None
        if size_of(out) > limit("list_entries"):
            message, help = f"{written.whose}: {excess('list_entries')}", way_out("list_entries")
            self.report.add(replace(written, type="").diagnostic(message, help))
            return None
        is_noted = isinstance(written.raw, list) and bool(written.attribute) and is_formula
        if is_noted and self._shows(written.where):
            formula = as_formula(written.raw)
            if formula.names:
                self._note(written, formula, formula=self.bind(formula))
        return out

    def integer_of(self, written: Written, least: int) -> int | None:
        """Return a whole number."""
        return self._integer(written, self.evaluate(written), least)

    def _integer(self, written: Written, value: Value, least: int) -> int | None:
        """Return a value that is a whole number from `least` on."""
        if _is_integer(value, least):
            return value
        self._refuse(written, value, _no_integer(value, least))
        return None

    def number_of(self, written: Written) -> int | Fraction | None:
        """Return an exact number."""
        value = self.evaluate(written)
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            self._refuse(written, value, "is not a number")
        elif -MAX_NUMBER <= value <= MAX_NUMBER:
            return value
        else:
            self._refuse(written, value, "is out of bounds")
        return None

    def flag_of(self, written: Written) -> bool | None:
        """Return true or false."""
        value = self.evaluate(written)
        if isinstance(value, bool):
            return value
        self._refuse(written, value, "is neither true nor false")
        return None

    def block_of(self, written: Written) -> str | None:
        """Return the name of a block, or the parameter's value that is one; checked on use."""
        name = str(written.raw)
        with suppress(KeyError):
            value = self._names(written)(name)
            self._decided(written, name_of(name), value)
            return None if value is None else str(value)
        return name

    def activation_value(self, written: Written) -> str | None:
        """Return the value of an activation: of a word, a parameter, or one with an argument."""
        raw = written.raw
        if not isinstance(raw, Parametric):
            return self.word_of(written, "activation", ACTIVATION_WORDS, is_activation)
        argument: Any = raw.argument
        if not isinstance(argument, str):
            steps = (*written.steps, *((raw.word,) if written.steps[-1:] != (raw.word,) else ()))
            number = self.number_of(replace(written.part(argument), steps=steps))
            argument = None if number is None else float(number)
        return None if argument is None else spelled(raw.word, argument)

    def norm_value(self, written: Written) -> str | None:
        """Return the value of a norm: of a word, a parameter, or one with groups."""
        raw = written.raw
        if not isinstance(raw, dict):
            return self.word_of(written, "norm", NORM_WORDS, is_norm)
        groups = written.part(raw["group_norm"])
        groups = replace(groups, steps=(*written.steps, "group_norm"))
        value = self.of_type("channels", groups)
        return grouped(value) if isinstance(value, int) else None

    def word_of(
        self,
        written: Written,
        kind: str,
        known: tuple[str, ...],
        is_one: Callable[[object], bool] = lambda value: False,
    ) -> str | None:
        """Return a word of a closed set, or the parameter's value that is one."""
        value: Value = written.raw
        if isinstance(written.raw, Expr):
            value = self.evaluate(written)
        elif value not in known and isinstance(value, str):
            with suppress(KeyError):
                formula = name_of(value)
                value = self._names(written)(value)
                self._decided(written, formula, value)
        if value is None:
            return None
        if value not in known and not is_one(value):
            guess = did_you_mean(str(value), known)
            message = f"{written.whose}: there is no {kind} `{show_value(value)}`{guess}"
            self.report.add(
                replace(written, type="").diagnostic(message, f"one of {listing(known)}")
            )
            return None
        return str(value)

    def pair_of(
        self, written: Written, least: int, names: tuple[str, str] = ("height", "width")
    ) -> int | Pair | None:
        """Return one number for both axes, or (height, width), which `names` calls otherwise."""
        return self._pair(written, self.evaluate(written), least, names)

    def _pair(
        self,
        written: Written,
        value: Value,
        least: int,
        names: tuple[str, str] = ("height", "width"),
    ) -> int | Pair | None:
        if not isinstance(value, tuple):
            return self._integer(written, value, least)
        if len(value) != 2 or any(isinstance(v, tuple) for v in value):
            self._refuse(written, value, "is not a size")
            return None
        is_named = bool(written.attribute or written.steps)
        if isinstance(written.raw, tuple) and is_named and self._shows(written.where):
            self._note(written, *written.raw)
        parts = zip(value, names, strict=True)
        height, width = (self.integer_of(written.part(v, name), least) for v, name in parts)
        return None if height is None or width is None else (height, width)

    def padding_of(self, written: Written) -> Any:
        """Return `same`, `valid`, `half`, one number, a pair of them, or a pair of pairs."""
        value = written.raw
        if isinstance(value, Expr):
            if self._is_word(value, written):
                return self._padding_word(value, written)
            value = self.evaluate(written)
        if value == HALF:
            return value
        if value is None or value in PADDINGS:
            return PADDINGS.get(value)
        if isinstance(value, tuple) and any(isinstance(v, tuple) for v in value):
            sides = [
                self.pair_of(written.part(v), 0, names)
                for v, names in zip(value, _SIDES, strict=False)
            ]
            return None if None in sides else tuple(map(twice, sides))
        return self._pair(written, value, 0)

    def evaluate(self, written: Written) -> Value:
        """Return the value of a formula; None where it is wrong (reported) or unknown."""
        formula = written.raw
        if not isinstance(formula, Expr):
            return formula  # type: ignore[no-any-return]
        is_kept = bool(written.attribute) and self._shows(written.where)
        if is_kept:
            self._note(written, formula, formula=self.bind(formula))
        try:
            value = evaluate(formula, self._lookup(written))
            if not (is_kept or written.is_entry):
                self._decided(written, formula, value)
            return value
        except Unknown:
            return None
        except ExprError as error:
            code = "unknown-parameter" if "unknown name" in str(error) else "bad-expression"
            span = written.where.inside(written.steps, error.start, error.end)
            message = f"{written.whose}: {error}"
            self.report.add(Diagnostic(code, message, span), helping(error.help))
            return None

    def _refuse(self, written: Written, value: Value, why: str) -> None:
        """Report a value, unless an earlier error made it unknown."""
        if value is not None:
            self.report.add(written.refused(value, why))

    def _is_word(self, raw: Expr, written: Written) -> bool:
        """True for a lone word that is no parameter: it is meant as a padding's name."""
        if raw.root.kind != "name" or "." in raw.text:
            return False
        try:
            self._names(written)(raw.text)
        except KeyError:
            return True
        return False

    def _padding_word(self, raw: Expr, written: Written) -> str | None:
        """Return `half`; another word is no padding, which is reported."""
        if raw.text == HALF:
            return HALF
        guess = did_you_mean(raw.text, ("same", "valid", "V", HALF))
        message = f"{written.whose}: there is no padding `{raw.text}`{guess}"
        help = "write `same`, `V` (valid), `half`, or numbers"
        self.report.add(replace(written, type="").diagnostic(message, help))
        return None


def _narrow(text: str) -> str:
    """Return a formula as labels have it: `2*n`; with spaces where words meet, `n if s > 1`."""
    return (" " if re.search(r"\w\s+\w", text) else "").join(text.split())


def _is_integer(value: object, least: int) -> TypeGuard[int]:
    """True for a whole number from `least` on."""
    return type(value) is int and least <= value <= MAX_COUNT


def _no_integer(value: Value, least: int) -> str:
    """Return why a value is no whole number from `least` on."""
    if isinstance(value, Fraction):
        return "is not a whole number"
    if isinstance(value, bool) or not isinstance(value, int):
        return "is not a number"
    if value < least:
        return f"is less than {least:,}"
    return f"is more than {MAX_COUNT:,}"


def plain_default(param: ParamSpec) -> Value:
    """Return a parameter's default as its type has it; None for none and for a formula."""
    if param.default is None:
        return None
    return Values(param, "", lambda name: None, Report()).of_type(param.type, default_of("", param))


def _has_mapping(raw: object) -> bool:
    """True for a list with an activation or a norm that has an argument, which is no formula."""
    return isinstance(raw, list) and any(isinstance(r, dict) or _has_mapping(r) for r in raw)


def twice(value: Any) -> Any:
    """Return one number as (height, width)."""
    return (value, value) if isinstance(value, int) else value
