"""An activation and its initialisation as code that runs without meanfield, in a framework or numpy; and as JSON."""
