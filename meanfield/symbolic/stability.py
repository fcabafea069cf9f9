"""What the formulas say of stability on the edge of chaos, for every q* at once, as a sentence in LaTeX."""

from __future__ import annotations

from sympy import Symbol

from meanfield.symbolic.one_variable import OneVariable
from meanfield.symbolic.reading import SymbolicActivation

__all__ = ["stability_sentence"]

_CRITERION = (
    r"On the edge of chaos the variance returns to $q^*$ where $-1 < V'(q^*) < 1$ and leaves it where $|V'(q^*)| > 1$; "
    r"where $V'(q^*) = 1$ the sign of $V''(q^*)$ decides on which side it leaves. It exists where $\sigma_b^2 \ge 0$. "
)


def stability_sentence(activation: SymbolicActivation) -> str:
    """The criterion, and what it says of this activation."""
    if not activation.is_continuous:
        return r"The activation jumps, so that $\chi_1 = \infty$ whatever $\sigma_w$, and has no edge of chaos."
    if not any(activation.pieces.slopes):
        return r"The activation is constant, so that $\chi_1 = 0$ whatever $\sigma_w$, and has no edge of chaos."
    theory = OneVariable(activation.parameters, activation.pieces, Symbol("q", positive=True))
    square, slopes = theory.power(2), theory.slope_square()
    if theory.sign(slopes.scaled(theory.root**2) - square) == -1:
        return r"The edge of chaos would need $\sigma_b^2 < 0$ at every $q^*$, so that the activation has none."
    d1 = theory.derivative(square)
    slope, curvature = d1 - slopes, theory.derivative(d1)
    return _CRITERION + _said(theory.sign(slope), theory.sign(curvature))


def _said(slope: int | None, curvature: int | None) -> str:
    if slope is None:
        return r"Here either sign of $V'(q^*) - 1$ is possible: it depends on the parameters and on $q^*$."
    if slope < 0:
        return r"Here $V'(q^*) < 1$ at every $q^*$: the fixed point is stable unless $V'(q^*) \le -1$."
    if slope > 0:
        return r"Here $V'(q^*) > 1$ at every $q^*$: the fixed point is unstable."
    return r"Here $V'(q^*) = 1$ at every $q^*$, and " + _AT_SLOPE_ONE[curvature]


#: What the sign of V'' adds where V' = 1.
_AT_SLOPE_ONE = {
    0: r"$V''(q^*) = 0$: every variance is a fixed point, and at finite width it performs a random walk.",
    1: r"$V''(q^*) > 0$: the fixed point is unstable, for the variance returns from below but runs away above it.",
    -1: r"$V''(q^*) < 0$: the fixed point is unstable, for the variance returns from above but runs away below it.",
    None: r"the sign of $V''(q^*)$ depends on the parameters and on $q^*$: the fixed point is unstable on one side.",
}
