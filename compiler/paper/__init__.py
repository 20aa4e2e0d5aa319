"""The paper as data, and the comparison of a graph with it."""
