"""Graph -> its sizes and counts as formulas in what may change: settings, for a page to evaluate.

What goes in: a graph and its spec. What comes out: JSON, see `compiler.facts.numbers.frames`.
"""

from compiler.facts.numbers.frame import Repeat
from compiler.facts.numbers.frames import Frames

__all__ = ["Frames", "Repeat"]
