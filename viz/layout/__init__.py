"""Diagram -> Layout: where everything stands, in points; the same for every format."""
