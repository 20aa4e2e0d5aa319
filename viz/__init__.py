"""Graph -> picture: arrange into boxes, lay out, write."""
