"""A whole LaTeX document: what φ, V, R, χ₁ and the edge of chaos are, the formulas, and what they say of stability."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from meanfield.lettering import latex_name, latex_text
from meanfield.symbolic.derivation import Derivation
from meanfield.symbolic.formula import Formula, in_order
from meanfield.symbolic.latex import display_over_pages
from meanfield.symbolic.reading import SymbolicActivation
from meanfield.symbolic.stability import stability_sentence
from meanfield.symbolic.writing import write

__all__ = ["document"]

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


#: What κ is, before its formula.
_KAPPA = r" $1 - R(1 - \varepsilon) = R'(1)\,\varepsilon - \kappa\,\varepsilon^{3/2} + \dots$ with"


def document(derivation: Derivation) -> str:
    """The document, which needs amsmath and amssymb."""
    subject = derivation.activation
    formulas = "\n\n".join(
        f"{_meaning(formula)}\n{display_over_pages(formula, below)}"
        for formula, below in in_order(derivation.formulas.values())
    )
    return _DOCUMENT % {
        # A longer one would leave the page.
        "of": f" of \\texttt{{{_typed(subject.label)}}}" if len(subject.label) <= _LONGEST_TITLE else "",
        "phi": _definition(subject),
        "parameters": _parameters(subject),
        "notation": _notation(formulas),
        "formulas": formulas,
        "stability": stability_sentence(subject),
    }


def _notation(formulas: str) -> str:
    """The functions that occur, each as a clause."""
    plain = formulas.replace(r"\left", "")
    told = [clause for name, clause in _FUNCTIONS.items() if name in plain]
    return f"Below, {', and '.join(told)}." if told else ""


def _meaning(formula: Formula) -> str:
    words = formula.quantity.meaning.replace("N times", "$N$ times")
    return f"{words[0].upper()}{words[1:]}:" + (_KAPPA if formula.quantity.name == "kappa" else "")


def _definition(activation: SymbolicActivation) -> str:
    values = [write(piece).latex for piece in activation.pieces_in_x]
    knots = [write(activation.parameters.expression(t)).latex for t in activation.knots]
    if not knots:
        return f"\\phi(x) = {values[0]}"
    between = [f"{left} \\le x < {right}" for left, right in pairwise(knots)]
    conditions = [f"x < {knots[0]}", *between, f"{knots[-1]} \\le x"]
    rows = " \\\\\n".join(f"  {value} & {condition}" for value, condition in zip(values, conditions, strict=True))
    return f"\\phi(x) = \\begin{{cases}}\n{rows}\n\\end{{cases}}"


def _parameters(activation: SymbolicActivation) -> str:
    """What is assumed, as the beginning of a sentence."""
    parameters = activation.parameters
    told = [f"${latex_name(name)} > 0$" for name in parameters.positive]
    told += [f"${latex_name(name)} \\in \\mathbb{{R}}$" for name in parameters.unsigned]
    told += [f"\\texttt{{{_typed(assumption)}}}" for assumption in parameters.assumptions]
    return f"with {', '.join(told)}. " if told else ""


def _typed(text: str) -> str:
    """What a user typed, as it stands inside \\texttt: a typewriter's font has < and > of its own."""
    letters = unicodedata.normalize("NFKC", text)
    return "".join(c if c in "<>|" else latex_text(c) if c.isascii() else _letter(c) for c in letters)


def _letter(letter: str) -> str:
    """A letter outside ASCII: Greek, or the Latin one below its accents."""
    if latex_name(letter) != letter:
        return f"${latex_name(letter)}$"
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"
