"""What networks hold and see: parameters, files of weights, photographs."""
