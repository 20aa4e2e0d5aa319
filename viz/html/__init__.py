"""Graph -> one HTML file that works offline: figure, search, details, and live parameters."""

from viz.html.document import page_program, render_html, waiting_page

__all__ = ["page_program", "render_html", "waiting_page"]
