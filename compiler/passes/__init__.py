"""Graph → Graph, one function per file; `optimizer.py` lists which run, in which order, and why."""
