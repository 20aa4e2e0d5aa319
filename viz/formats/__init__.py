"""Layout -> SVG, PDF, PNG, TikZ, JSON and DOT."""
