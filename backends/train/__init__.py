"""A network, a recipe and pictures -> trained weights. What no architecture is, an engine does."""
