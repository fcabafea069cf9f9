"""From what an activation should do to its parameters; activations reshaped; what sparse layers save."""
