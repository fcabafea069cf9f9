"""Gaussian expectations of a smooth φ, by quadrature to rounding."""
