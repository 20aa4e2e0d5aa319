"""Graph -> one HTML file that works offline: figure, search, details, and live parameters."""

from viz.html.document import render_html

__all__ = ["render_html"]
