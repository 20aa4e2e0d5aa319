"""What an editor shows of a spec while it is typed, and the server that speaks its protocol."""

from __future__ import annotations

from compiler.server.analysis import Analysis, Hint, Hover, analyse

__all__ = ["Analysis", "Hint", "Hover", "analyse"]
