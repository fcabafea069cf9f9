"""Sums over the units of a layer, of products that their names spell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mpmath import mp, mpf

import meanfield as mf
from meanfield.finite_width.layer_sums import LayerSums, layer_sums

#: φ and φ' on paper.
ON_PAPER = {
    "tanh": (mp.tanh, lambda h: mp.sech(h) ** 2),
    "gelu": (lambda h: h * mp.ncdf(h), lambda h: mp.ncdf(h) + h * mp.npdf(h)),
    "silu": (lambda h: h / (1 + mp.exp(-h)), lambda h: (1 + mp.exp(-h) + h * mp.exp(-h)) / (1 + mp.exp(-h)) ** 2),
    "elu": (lambda h: h if h > 0 else mp.expm1(h), lambda h: 1 if h > 0 else mp.exp(h)),
    "leaky-relu(slope=-0.5)": (lambda h: h if h > 0 else -h / 2, lambda h: 1 if h > 0 else mpf(-0.5)),
    "hard-tanh": (lambda h: min(max(h, -1), 1), lambda h: int(abs(h) < 1)),
}


@pytest.mark.parametrize("name", ON_PAPER)
def test_each_sum_is_that_of_the_product_its_name_spells(name: str) -> None:
    phi, slope = ON_PAPER[name]
    h = 1.3 * np.random.default_rng(5).standard_normal((2, 30))
    t = h - 0.2
    for field, sums in zip(LayerSums._fields, layer_sums(mf.activation(name), h, t), strict=True):
        for found, *chain in zip(sums, h.tolist(), t.tolist(), strict=True):
            units = [{"x": phi(mpf(u)), "p": slope(mpf(u)), "t": mpf(v)} for u, v in zip(*chain, strict=True)]
            products = [math.prod(unit[letter] for letter in field) for unit in units]
            assert abs(found - sum(products)) <= 1e-14 * sum(map(abs, products)), field
