"""The functions that formulas are written in: Φ, ϕ and Φ₂, as sympy functions.

sympy has no normal distribution as a function of one argument, and rewriting it in erf before the end would lose the
short forms. These differentiate, evaluate to any number of digits, become numpy functions under `lambdify`, and rewrite
in erf: `expression.rewrite(Phi, erf)`.
"""

from __future__ import annotations

from typing import Any

from mpmath import mp
from sympy import Expr, Float, Function, Integer, Rational, asin, erf, erfc, exp, oo, pi, sqrt
from sympy.core.function import ArgumentIndexError

__all__ = ["Phi", "Phi2", "bivariate_cdf", "phi"]


class Phi(Function):  # type: ignore[misc]
    """Φ(x), the standard normal distribution function."""

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """Known values."""
        return {Integer(0): Rational(1, 2), oo: Integer(1), -oo: Integer(0)}.get(x)

    def fdiff(self, argindex: int = 1) -> Expr:
        """Φ' = ϕ."""
        return phi(self.args[0])

    def _eval_rewrite_as_erf(self, x: Expr, **hints: Any) -> Expr:
        return (1 + erf(x / sqrt(2))) / 2

    def _eval_rewrite_as_erfc(self, x: Expr, **hints: Any) -> Expr:
        return erfc(-x / sqrt(2)) / 2

    def _eval_evalf(self, prec: int) -> Expr:
        return self.rewrite(erfc)._eval_evalf(prec)

    def _latex(self, printer: Any) -> str:
        return rf"\Phi\left({printer._print(self.args[0])}\right)"

    def _numpycode(self, printer: Any) -> str:
        return f"{printer._module_format('scipy.special.ndtr')}({printer._print(self.args[0])})"


class phi(Function):  # type: ignore[misc]
    """ϕ(x) = exp(−x²/2)/√(2π), the standard normal density."""

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """ϕ(0), and ϕ(−x) = ϕ(x)."""
        if x.is_zero:
            return 1 / sqrt(2 * pi)
        return cls(-x) if x.could_extract_minus_sign() else None

    def fdiff(self, argindex: int = 1) -> Expr:
        """ϕ' = −xϕ."""
        return -self.args[0] * self

    def _eval_rewrite_as_exp(self, x: Expr, **hints: Any) -> Expr:
        return exp(-(x**2) / 2) / sqrt(2 * pi)

    def _eval_evalf(self, prec: int) -> Expr:
        return self.rewrite(exp)._eval_evalf(prec)

    def _latex(self, printer: Any) -> str:
        return rf"\varphi\left({printer._print(self.args[0])}\right)"

    def _numpycode(self, printer: Any) -> str:
        return f"{printer._module_format('meanfield.symbolic.bivariate.density')}({printer._print(self.args[0])})"


class Phi2(Function):  # type: ignore[misc]
    """Φ₂(h, k; ρ) = P(X ≤ h, Y ≤ k) of standard normals with correlation ρ."""

    nargs = 3

    @classmethod
    def eval(cls, h: Expr, k: Expr, rho: Expr) -> Expr | None:
        """Independent variables, the quadrant, and infinite arguments."""
        if -oo in (h, k):
            return Integer(0)
        if oo in (h, k):
            return Phi(k if h == oo else h)
        if rho.is_zero:
            return Phi(h) * Phi(k)
        return Rational(1, 4) + asin(rho) / (2 * pi) if h.is_zero and k.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        """∂Φ₂/∂h = ϕ(h)Φ((k − ρh)/√(1 − ρ²)), ∂Φ₂/∂ρ = ϕ₂(h, k; ρ)."""
        h, k, rho = self.args
        root = sqrt(1 - rho**2)
        if argindex == 1:
            return phi(h) * Phi((k - rho * h) / root)
        if argindex == 2:
            return phi(k) * Phi((h - rho * k) / root)
        if argindex == 3:
            return exp(-(h**2 - 2 * rho * h * k + k**2) / (2 * root**2)) / (2 * pi * root)
        raise ArgumentIndexError(self, argindex)

    def _latex(self, printer: Any) -> str:
        h, k, rho = map(printer._print, self.args)
        return rf"\Phi_2\left({h}, {k}; {rho}\right)"

    def _numpycode(self, printer: Any) -> str:
        name = printer._module_format("meanfield.symbolic.bivariate.Phi2")
        return f"{name}({', '.join(map(printer._print, self.args))})"

    def _eval_evalf(self, prec: int) -> Expr | None:
        if not all(argument.is_number for argument in self.args):
            return None
        with mp.workprec(prec + 20):
            value = bivariate_cdf(*(argument._to_mpmath(prec + 20) for argument in self.args))
            return Float(value, precision=prec)


def bivariate_cdf(h: Any, k: Any, rho: Any) -> Any:
    """Φ₂(h, k; ρ) in mpmath's working precision.

    Φ(h)Φ(k) + ∫ exp(−(h² + k² − 2hk sin θ)/2cos²θ) dθ/2π from 0 to arcsin ρ.
    """
    side = -1 if rho < 0 else 1

    def density(angle: Any) -> Any:
        # Exact as θ nears ±π/2 with h = ±k, where the quotient is 0/0.
        return mp.exp(-((h - side * k) ** 2) / (2 * mp.cos(angle) ** 2) - side * h * k / (1 + side * mp.sin(angle)))

    return mp.ncdf(h) * mp.ncdf(k) + mp.quad(density, [0, mp.asin(rho)], method="gauss-legendre") / (2 * mp.pi)
