"""Graph -> PyTorch: readable source, the module that is this source run, and `torch.export`."""
