"""Gaussian expectations of a piecewise-linear φ, in closed form."""
