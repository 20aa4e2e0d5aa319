"""The page, live: a server on the loopback address that tells it when the files change.

In come functions that compile and edit; nothing here knows YAML. What goes out is one page, a
stream that says that there is news, and answers to what the page asks.
"""

from __future__ import annotations

from viz.serve.server import Hands, serve

__all__ = ["Hands", "serve"]
