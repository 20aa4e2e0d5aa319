"""Graph -> ONNX: blocks as functions, padding in numbers where the sizes are."""
