"""Two graphs -> what is different, in architecture terms, and how much of it breaks."""

from __future__ import annotations

from compiler.compare.change import CATEGORIES, Category, Change, Comparison, Detail
from compiler.compare.compare import compare
from compiler.compare.data import as_data
from compiler.compare.markdown import as_markdown
from compiler.compare.marks import marks
from compiler.compare.revision import Operand, load_operand, operand
from compiler.compare.text import as_text

__all__ = [
    "CATEGORIES",
    "Category",
    "Change",
    "Comparison",
    "Detail",
    "Operand",
    "as_data",
    "as_markdown",
    "as_text",
    "compare",
    "load_operand",
    "marks",
    "operand",
]
