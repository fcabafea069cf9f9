"""Activations: from what a user writes to knots, slopes and intercepts."""
