"""C++ kernels for this CPU: planned from the optimised graph, compiled on first use."""
