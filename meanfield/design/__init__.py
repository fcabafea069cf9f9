"""From what an activation should do to its parameters; what sparse layers save."""
