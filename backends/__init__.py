"""Graph -> target: modules and source, ONNX, and what runs fastest here; a package each."""
