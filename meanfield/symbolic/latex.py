"""Formulas for a paper: what stands inside `\\[ \\]`, and a whole document around it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from itertools import pairwise

from sympy import Expr, Symbol

from meanfield.activations.algebra import Number
from meanfield.symbolic.derivation import Derivation, Formula
from meanfield.symbolic.names import latex_name
from meanfield.symbolic.stability import stability_sentence
from meanfield.symbolic.writing import lines, write

__all__ = ["display", "displays", "document"]

#: How much text a line of LaTeX holds: set fractions and roots are narrower than their text.
_WIDTH = 78

_DOCUMENT = r"""\documentclass{article}
\usepackage[margin=2.5cm]{geometry}
\usepackage{amsmath, amssymb}
\allowdisplaybreaks
\begin{document}

\section*{Mean-field theory%(of)s}

A network with pre-activations $h^{l} = W^{l}\phi(h^{l-1}) + b^{l}$, $W_{ij} \sim N(0, \sigma_w^2/N)$ and
$b_i \sim N(0, \sigma_b^2)$, has the activation
\[
%(phi)s
\]
%(parameters)sAs the width $N$ grows, the pre-activations become Gaussian. Their variance $q$ and the correlation
$\rho$ of two inputs evolve from layer to layer by the variance map and the correlation map
\[
V(q) = \sigma_w^2\,\mathbb{E}\,\phi(u)^2 + \sigma_b^2, \qquad
R(\rho) = \frac{\sigma_w^2\,\mathbb{E}\,\phi(u)\phi(v) + \sigma_b^2}{V(q)}, \qquad
(u, v) \sim N\left(0, q \begin{pmatrix} 1 & \rho \\ \rho & 1 \end{pmatrix}\right),
\]
and a squared gradient grows by $\chi_1(q) = \sigma_w^2\,\mathbb{E}\,\phi'(u)^2$ per layer. The edge of chaos at $q^*$
is $\chi_1(q^*) = 1$ with $V(q^*) = q^*$. %(notation)s

%(formulas)s

\paragraph{Stability.} %(stability)s

\end{document}
"""

#: What stands in formulas, and what it is.
_FUNCTIONS = {
    r"\Phi(": r"$\Phi$ is the standard normal distribution function",
    r"\varphi(": r"$\varphi$ is the standard normal density",
    r"\Phi_2(": r"$\Phi_2(h, k; \rho)$ is the distribution function of two standard normals with correlation $\rho$",
}

#: Of a label that stands in the title.
_LONGEST_TITLE = 40


def display(formula: Formula, known: Collection[Expr] = ()) -> str:
    """A formula with what stands below it, but what is `known`, as it stands inside \\[ \\].

    It needs amsmath where it has several lines.
    """
    rows = _rows(formula, known)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}" if "&" in rows else rows


def _display_over_pages(formula: Formula, known: Collection[Expr]) -> str:
    """The same as an environment of its own, which may go on on the next page."""
    rows = _rows(formula, known)
    return f"\\begin{{align*}}\n{rows}\n\\end{{align*}}" if "&" in rows else f"\\[\n{rows}\n\\]"


def _rows(formula: Formula, known: Collection[Expr]) -> str:
    """Equations one below the other, aligned; one that fits on a line as it is."""
    rows = [(formula.quantity.called.mathematics, formula.short)]
    rows += [(write(name).latex, value) for name, value in formula.where.items() if name not in known]
    broken = [(head, [line.latex for line in lines(value, _WIDTH)]) for head, value in rows]
    if len(broken) == 1 and len(broken[0][1]) == 1:
        return f"{broken[0][0]} = {broken[0][1][0]}"
    return " \\\\\n".join(
        f"  {head} ={{}}& {first}" + "".join(f" \\\\\n  &\\quad {line}" for line in rest)
        for head, (first, *rest) in broken
    )


def displays(derivation: Derivation) -> dict[str, str]:
    """Every formula by the name of its quantity, each definition with the first that needs it."""
    return {name: display(formula, known) for name, formula, known in derivation.in_order()}


def document(derivation: Derivation) -> str:
    """A whole document: what φ, V, R, χ₁ and the edge of chaos are, the formulas, and what they say of stability."""
    shown = [f"{_meaning(f)}\n{_display_over_pages(f, known)}" for _, f, known in derivation.in_order()]
    label = derivation.activation.label
    return _DOCUMENT % {
        # A longer one would leave the page.
        "of": f" of \\texttt{{{_escaped(label)}}}" if len(label) <= _LONGEST_TITLE else "",
        "phi": _definition(derivation),
        "parameters": _parameters(derivation),
        "notation": _notation("".join(shown)),
        "formulas": "\n\n".join(shown),
        "stability": stability_sentence(derivation.activation),
    }


def _notation(formulas: str) -> str:
    """The functions that occur, each as a clause."""
    plain = formulas.replace(r"\left", "")
    told = [clause for name, clause in _FUNCTIONS.items() if name in plain]
    return f"Below, {', and '.join(told)}." if told else ""


def _meaning(formula: Formula) -> str:
    words = formula.quantity.meaning.replace("N times", "$N$ times")
    return f"{words[0].upper()}{words[1:]}:" + (_KAPPA if formula.quantity.name == "kappa" else "")


_KAPPA = r" $1 - R(1 - \varepsilon) = R'(1)\,\varepsilon - \kappa\,\varepsilon^{3/2} + \dots$ with"


def _definition(derivation: Derivation) -> str:
    pieces = derivation.activation.pieces
    values = [_line(derivation, *line) for line in pieces.lines]
    knots = [write(_expression(derivation, t)).latex for t in pieces.knots]
    if not knots:
        return f"\\phi(x) = {values[0]}"
    conditions = [f"x < {knots[0]}"]
    conditions += [f"{left} \\le x < {right}" for left, right in pairwise(knots)]
    conditions.append(f"{knots[-1]} \\le x")
    rows = " \\\\\n".join(f"  {value} & {condition}" for value, condition in zip(values, conditions, strict=True))
    return f"\\phi(x) = \\begin{{cases}}\n{rows}\n\\end{{cases}}"


def _line(derivation: Derivation, slope: Number, intercept: Number) -> str:
    return write(_expression(derivation, slope) * Symbol("x", real=True) + _expression(derivation, intercept)).latex


def _expression(derivation: Derivation, number: Number) -> Expr:
    return derivation.activation.parameters.expression(number)


def _parameters(derivation: Derivation) -> str:
    """What is assumed, as a sentence."""
    parameters = derivation.activation.parameters
    told = [f"${latex_name(name)} > 0$" for name in parameters.positive]
    told += [f"${latex_name(name)} \\in \\mathbb{{R}}$" for name in parameters.unsigned]
    told += [f"\\texttt{{{_escaped(assumption)}}}" for assumption in parameters.assumptions]
    return f"with {', '.join(told)}. " if told else ""


def _escaped(text: str) -> str:
    special = {**{c: "\\" + c for c in "&%$#_{}"}, "~": r"\textasciitilde{}", "^": r"\^{}", "\\": r"\textbackslash{}"}
    return "".join(special.get(c) or (c if c.isascii() else _letter(c)) for c in unicodedata.normalize("NFKC", text))


def _letter(letter: str) -> str:
    """A letter outside ASCII: Greek, or the Latin one below its accents."""
    if latex_name(letter) != letter:
        return f"${latex_name(letter)}$"
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"
