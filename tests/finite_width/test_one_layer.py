"""What a single layer loses, where all of it is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, chi2

import meanfield as mf


def test_the_gradient_of_a_relu_is_a_chi_square_variable_of_its_active_units() -> None:
    width, within = 20, 3.0
    required = mf.Requirement(width, 1, gradient_within=within)
    network = mf.MeanField(mf.activation("relu"), 2**0.5)
    law = mf.loss_law(network, 1.0, required)
    n = np.arange(1, width + 1)
    # G = (σ_w²/N) χ² of n, σ_w² = 2.
    kept = binom.pmf(n, width, 0.5) @ (chi2.cdf(within * width / 2, n) - chi2.cdf(width / 2 / within, n))
    assert law.gradient.shape == (1,)
    assert law.gradient[0] == pytest.approx(1 - kept, abs=1e-3)
    assert law.signal[0] == pytest.approx(
        mf.escape_probability(mf.MeanField(mf.activation("relu"), 2**0.5), 1.0, required)
    )
