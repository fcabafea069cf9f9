"""How parameters are written: which names a formula can hold, and how text, LaTeX and Mathematica show them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from meanfield.errors import ActivationError

__all__ = ["check_names", "latex_name", "mathematica_name", "text_name"]

#: Names that formulas give a meaning of their own.
_TAKEN = {
    "q": "the variance",
    "q_star": "the variance at the fixed point",
    "rho": "the correlation",
    "sigma_w": "the scale of the weights",
    "sigma_b": "the scale of the biases",
    "V": "the variance map",
    "R": "the correlation map",
    "pi": "the number π",
    "Phi": "the normal distribution function",
    "phi": "the normal density, or the activation",
    "Phi2": "the bivariate normal distribution function",
    "np": "numpy in generated code",
    "ndtr": "a function in generated code",
    "density": "a function in generated code",
}

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
).split()
_LETTERS = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda').upper()}") for name in _GREEK
}
_CAPITALS = {name.capitalize(): letter.upper() for name, letter in _LETTERS.items()}
#: Each Greek letter by its name in LaTeX.
_BY_NAME = {**_LETTERS, **_CAPITALS}
_BY_LETTER = {letter: name for name, letter in _BY_NAME.items()}

#: LaTeX has no commands of their own for capitals that look like Latin ones, nor for omicron.
_WITH_COMMAND = {
    *_GREEK,
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
} - {"omicron"}

_PARTS = re.compile(r"([^\W\d_]+)_?(\w*)")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

#: Single letters that mean something to Mathematica.
_PROTECTED = frozenset("CDEIKNO")


def check_names(names: Iterable[str]) -> None:
    """Refuse names that a formula cannot hold.

    Raises:
        ActivationError: a name with a meaning of its own, in no alphabet of formulas, or written like another.
    """
    seen: dict[str, str] = {}
    for name in names:
        stem, _ = _split(name)
        latin = name.replace(stem, _BY_LETTER.get(stem, stem), 1)
        if latin in _TAKEN:
            raise ActivationError(f"{name} is {_TAKEN[latin]} in every formula: give the parameter another name")
        match = _PARTS.fullmatch(name)
        letters = match[1] + match[2] if match else name
        if not match or not all(c.isascii() or c in _BY_LETTER for c in letters):
            raise ActivationError(
                f"{name!a} cannot be written in a formula: name the parameter with Latin or Greek letters and digits"
            )
        if (written := text_name(name)) in seen:
            raise ActivationError(f"{seen[written]} and {name} are both written {written}: rename one of them")
        seen[written] = name


def text_name(name: str) -> str:
    """The name in Unicode: tau is τ, t_1 is t₁, sigma_w is σ_w."""
    stem, index = _split(name)
    return _BY_NAME.get(stem, stem) + (index.translate(_SUBSCRIPT) if index.isdigit() else f"_{index}" * bool(index))


def latex_name(name: str) -> str:
    """The name in LaTeX: tau is \\tau, t_1 is t_{1}, width is an upright-spaced word."""
    stem, index = _split(name)
    latin = _BY_LETTER.get(stem, stem)
    if latin in _WITH_COMMAND:
        written = f"\\{latin}"
    elif latin in _BY_NAME:
        # The capitals that look like Latin ones, and omicron.
        written = {"omicron": "o", "Chi": "X", "Rho": "P", "Eta": "H", "Nu": "N"}.get(latin, latin[0])
    else:
        written = stem if len(stem) == 1 else f"\\mathit{{{stem}}}"
    inside = "".join(f"\\{_BY_LETTER[c]} " if c in _BY_LETTER else c for c in index).replace("_", r"\_").strip()
    return f"{written}_{{{inside}}}" if index else written


def mathematica_name(name: str) -> str:
    """The name in Mathematica, where _ has a meaning of its own."""
    plain = name.replace("_", "")
    return f"{plain}0" if plain in _PROTECTED else plain


def _split(name: str) -> tuple[str, str]:
    match = _PARTS.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")
