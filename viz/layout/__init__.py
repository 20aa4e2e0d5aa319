"""Diagram -> Layout: the position of everything, in points; the same for every format."""
