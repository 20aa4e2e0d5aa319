"""What is wrong, where, and what to do: spans, diagnostics, reports; as text and for machines."""

from __future__ import annotations

from compiler.errors.limits import LIMITS, Budget, excess, limit, variable_of, way_out
from compiler.errors.options import from_python, spelled
from compiler.errors.report import (
    MORE,
    NOWHERE,
    BackendError,
    CompileError,
    Completion,
    Diagnostic,
    NetdraftError,
    Remark,
    Report,
    Span,
    UsageError,
    at_place,
    fail,
    in_file_order,
)
from compiler.errors.shown import HIDDEN, LONGEST_PATH, by_channel, on_one_line, shortened, shown
from compiler.errors.suggest import (
    did_you_mean,
    guessing,
    helping,
    is_slip,
    listing,
    nearest,
    suggestion_of,
)

__all__ = [
    "HIDDEN",
    "LIMITS",
    "LONGEST_PATH",
    "MORE",
    "NOWHERE",
    "BackendError",
    "Budget",
    "CompileError",
    "Completion",
    "Diagnostic",
    "NetdraftError",
    "Remark",
    "Report",
    "Span",
    "UsageError",
    "at_place",
    "by_channel",
    "did_you_mean",
    "excess",
    "fail",
    "from_python",
    "guessing",
    "helping",
    "in_file_order",
    "is_slip",
    "limit",
    "listing",
    "nearest",
    "on_one_line",
    "shortened",
    "shown",
    "spelled",
    "suggestion_of",
    "variable_of",
    "way_out",
]
