"""Whether there is an edge of chaos, and whether the variance stays there: for every q* at once."""

from __future__ import annotations

from typing import NamedTuple

from meanfield.symbolic.one_variable import OneVariable
from meanfield.symbolic.reading import StraightActivation, SymbolicActivation

__all__ = ["Obstacle", "jump_obstacle", "obstacle", "stability_sentence"]


class Obstacle(NamedTuple):
    """Why there is no edge of chaos: a message that says what would do, and a sentence in LaTeX."""

    message: str
    sentence: str


def jump_obstacle(activation: SymbolicActivation) -> Obstacle | None:
    """What keeps an activation that jumps off the edge of chaos; None for a continuous one."""
    if not activation.jumps:
        return None
    jumps = [str(activation.parameters.expression(t)) for t in activation.jumps]
    return Obstacle(
        f"{activation.label} jumps at x = {', '.join(jumps)}, so χ₁ = ∞ whatever σ_w: what holds on the edge of chaos "
        "needs a continuous activation (replace the jump by a steep slope)",
        r"The activation jumps, so that $\chi_1 = \infty$ whatever $\sigma_w$, and has no edge of chaos.",
    )


def obstacle(activation: StraightActivation, theory: OneVariable) -> Obstacle | None:
    """What keeps an activation, whose theory is given, off the edge of chaos at every q*; None where nothing does."""
    label = activation.label
    if found := jump_obstacle(activation):
        return found
    if not any(activation.pieces.slopes):
        return Obstacle(
            f"{label} is constant, so χ₁ = 0 whatever σ_w: give it a slope somewhere",
            r"The activation is constant, so that $\chi_1 = 0$ whatever $\sigma_w$, and has no edge of chaos.",
        )
    if theory.sign(theory.bias) == -1:
        return Obstacle(
            f"{label} would need σ_b² < 0 at every q*: it is too far from 0 at 0 (subtract φ(0) from it)",
            r"The edge of chaos would need $\sigma_b^2 < 0$ at every $q^*$, so that the activation has none.",
        )
    return None


_CRITERION = (
    r"On the edge of chaos the variance returns to $q^*$ where $-1 < V'(q^*) < 1$ and leaves it where $|V'(q^*)| > 1$; "
    r"where $V'(q^*) = 1$ the sign of $V''(q^*)$ decides on which side it leaves. It exists where $\sigma_b^2 \ge 0$. "
)

#: What the sign of V' − 1 says; None where no one sign is proved for every q*.
_AT_SLOPE = {
    -1: r"Here $V'(q^*) < 1$ at every $q^*$: the fixed point is stable unless $V'(q^*) \le -1$.",
    0: r"Here $V'(q^*) = 1$ at every $q^*$, and ",
    1: r"Here $V'(q^*) > 1$ at every $q^*$: the fixed point is unstable.",
    None: r"Here the sign of $V'(q^*) - 1$ may depend on the parameters and on $q^*$.",
}

#: What the sign of V'' adds where V' = 1.
_AT_SLOPE_ONE = {
    0: r"$V''(q^*) = 0$: every variance is a fixed point, and at finite width it performs a random walk.",
    1: r"$V''(q^*) > 0$: the fixed point is unstable, for the variance returns from below but runs away above it.",
    -1: r"$V''(q^*) < 0$: the fixed point is unstable, for the variance returns from above but runs away below it.",
    None: r"the sign of $V''(q^*)$ may depend on the parameters and on $q^*$: the fixed point is unstable on one side.",
}


def stability_sentence(activation: SymbolicActivation) -> str:
    """The criterion, and what it says of this activation, in LaTeX."""
    if not isinstance(activation, StraightActivation):
        found = jump_obstacle(activation)
        return found.sentence if found else _CRITERION + _AT_SLOPE[None]
    theory = OneVariable(activation.parameters, activation.pieces)
    if found := obstacle(activation, theory):
        return found.sentence
    slope = theory.sign(theory.square_d1 - theory.slope_square)
    return _CRITERION + _AT_SLOPE[slope] + (_AT_SLOPE_ONE[theory.sign(theory.square_d2)] if slope == 0 else "")
