"""Graph -> Diagram: which boxes, words, columns and arrows a picture has."""
