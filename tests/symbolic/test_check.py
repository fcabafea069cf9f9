"""A wrong formula is never returned: the check and Price's theorem catch what is planted, and nothing that is right."""

from __future__ import annotations

import pytest

from meanfield.errors import ActivationError, DerivationError
from meanfield.symbolic import derive
from meanfield.symbolic.combination import ONE, Combination
from meanfield.symbolic.one_variable import OneVariable
from meanfield.symbolic.parameters import Parameters
from meanfield.symbolic.two_variables import TwoVariables


@pytest.mark.parametrize(
    ("expectation", "quantity"), [("sparsity", "sparsity"), ("slope_square", "chi1"), ("kink_squares", "kappa")]
)
def test_a_wrong_formula_is_withheld(monkeypatch, expectation: str, quantity: str) -> None:
    monkeypatch.setattr(OneVariable, expectation, property(lambda self: Combination({ONE: self.field(1) / 7})))
    with pytest.raises(DerivationError, match=f"formula of {quantity} gives .* where the numbers say"):
        derive("shifted-relu(tau)", quantity)


def test_a_wrong_order_of_knots_is_found_out(monkeypatch) -> None:
    right = Parameters.sign
    monkeypatch.setattr(Parameters, "sign", lambda self, element: -right(self, element))
    with pytest.raises((DerivationError, ActivationError)):
        derive("clip(x - tau, 0, m)", "V")


def test_prices_theorem_is_asked(monkeypatch) -> None:
    right = TwoVariables.price
    monkeypatch.setattr(TwoVariables, "price", lambda self: right(self).scaled(2))
    with pytest.raises(DerivationError, match="Price"):
        derive("shifted-relu(tau)", "R")


def test_a_wrong_correlation_map_that_price_cannot_see_is_withheld(monkeypatch) -> None:
    right = TwoVariables.covariance.func
    wrong = property(lambda self: right(self) + Combination({ONE: self.rho / 1000}))
    monkeypatch.setattr(TwoVariables, "covariance", wrong)
    with pytest.raises(DerivationError, match="formula of R"):
        derive("shifted-relu(tau)", "R")


@pytest.mark.parametrize(
    ("spec", "quantities"),
    [
        ("clip(x - 1000, 0, 1/1000)", ["V", "dV", "d2V", "sparsity", "dV_eoc", "R"]),
        ("max(x - 1e9, 0)*1e-30", "all"),
        ("clip(x, 1e-9, 2e-9)", "all"),
    ],
)
def test_cancellation_is_not_mistaken_for_a_fault(spec: str, quantities: list[str]) -> None:
    assert derive(spec, quantities)
