"""Graph -> ONNX: blocks as functions, every padding in numbers."""
