"""Graph -> numbers and words: the stage table, labels, memory, sizes that work."""

from __future__ import annotations
