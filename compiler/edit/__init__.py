"""Edits of a spec's text: spans are replaced, and every other byte stays as it is."""

from __future__ import annotations

from compiler.edit.fix import Fixed, fix
from compiler.edit.session import Outcome, Session
from compiler.edit.span_edits import Edit, SourceFile, apply_edits
from compiler.edit.values import Value

__all__ = ["Edit", "Fixed", "Outcome", "Session", "SourceFile", "Value", "apply_edits", "fix"]
