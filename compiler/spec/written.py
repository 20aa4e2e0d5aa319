"""A value as it is written: where it stands, what a message calls it, what is said against it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from pydantic_core import PydanticCustomError

from compiler.errors import Diagnostic, Remark
from compiler.spec.model import ParamSpec
from compiler.text import Expr, Located, Value, show_value


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it is written, where it stands, and what a message calls it."""

    raw: Any
    whose: str
    where: Located
    steps: tuple[int | str, ...]
    attribute: str = ""
    """What in the graph remembers the formula; empty where none does."""
    type: str = ""
    """The type of the parameter that it is a value of."""
    declared: Remark | None = None

    is_entry: bool = False
    """True: what it reads is remembered with the whole list."""

    def entry(self, at: int, is_remembered: bool) -> Written:
        """Return an entry of this list."""
        whose = f"entry {at} of {self.whose}" if self.type else self.whose
        steps = (*self.steps, at)
        return Written(self.raw[at], whose, self.where, steps, is_entry=is_remembered)

    def part(self, raw: Any, name: str = "") -> Written:
        """Return a part of this value; the graph remembers formulas of whole values only."""
        whose = f"the {name} of {self.whose}" if name else self.whose
        return replace(self, raw=raw, whose=whose, attribute="")

    def given_to(self, param: ParamSpec) -> Written:
        """Return this as the value of a parameter, which messages name and show."""
        remark = Remark(param.span(), "it is declared here")
        return replace(self, type=param.type, declared=remark)

    def diagnostic(self, message: str, help: str = "") -> Diagnostic:
        """Return an error at this value; a parameter's names its type."""
        remarks = () if self.declared is None else (self.declared,)
        typed = f"; it is of type {self.type}" if self.type else ""
        span = self.where.span(*self.steps)
        return Diagnostic("bad-value", message + typed, span, remarks=remarks, help=help)

    def refused(self, value: Value, why: str) -> Diagnostic:
        """Return an error that shows the value, and the formula that it comes of."""
        shown = show_value(value)
        is_formula = isinstance(self.raw, Expr) and self.raw.text != shown
        help = ""
        if isinstance(value, Fraction):
            help = "round it as you mean it: `floor(...)`, `ceil(...)` or `round(...)`"
        elif shown.startswith("0x"):
            help = f"write {int(shown, 16)}; a size, 0 by so many, can't stand here"
        formula = f"{self.raw.text} = " if is_formula else ""
        return self.diagnostic(f"{self.whose} = {formula}{shown} {why}", help)

    def fault(self, error: PydanticCustomError) -> Diagnostic:
        """Return an error for what a reader of `fields` refuses."""
        context = error.context or {}
        span = self.where.span(*self.steps)
        if "start" in context:
            span = self.where.inside(self.steps, context["start"], context["end"])
        help = str(context.get("help", ""))
        return Diagnostic(error.type, f"{self.whose}: {error.message()}", span, help=help)


def default_of(name: str, param: ParamSpec) -> Written:
    """Return a parameter's default as it is written."""
    whose = f"the default of `{name}`"
    return Written(param.default, whose, param, ("default",), type=param.type)
