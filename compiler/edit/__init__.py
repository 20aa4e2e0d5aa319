"""Edits of a spec's text: spans are replaced, and every other byte stays as it is."""

from __future__ import annotations

from compiler.edit.fix import Fixed, fix
from compiler.edit.span_edits import Edit, SourceFile, apply_edits

__all__ = ["Edit", "Fixed", "SourceFile", "apply_edits", "fix"]
