"""Graph -> where a number comes from: its formula, and each term of it to a literal."""

from __future__ import annotations

from compiler.facts.why.step import Step, Term
from compiler.facts.why.text import as_data, as_text
from compiler.facts.why.value import why

__all__ = ["Step", "Term", "as_data", "as_text", "why"]
