"""How parameters are written: which names a formula can hold, and how text, LaTeX and Mathematica show them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from meanfield.errors import ActivationError

__all__ = ["check_names", "latex_name", "mathematica_names", "text_name"]

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
_WITH_COMMAND = {*_GREEK, *"Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()} - {"omicron"}

_PARTS = re.compile(r"([^\W\d_]+)_?(\w*)")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


#: What formulas write with a meaning of their own, in LaTeX.
_TAKEN = {
    "x": "the variable of the activation",
    "q": "the variance",
    r"q_{star}": "the variance at the fixed point",
    r"\rho": "the correlation",
    r"\sigma_{w}": "the scale of the weights",
    r"\sigma_{b}": "the scale of the biases",
    "V": "the variance map",
    "R": "the correlation map",
    r"\chi_{1}": "the gain of gradients",
    r"\kappa": "a quantity",
    r"\pi": "a number",
    r"\Phi": "the normal distribution function",
    r"\Phi_{2}": "the bivariate normal distribution function",
    r"\phi": "the activation, or the normal density",
}

#: Names that generated code gives a meaning of its own, or that stand for no number.
_IN_CODE = frozenset("np ndtr density Phi2 erf erfc owens_t".split())
_NOT_FINITE = frozenset({"inf", "infinity", "nan", "oo", "zoo"})


def check_names(names: Iterable[str]) -> None:
    """Refuse names that a formula cannot hold.

    Raises:
        ActivationError: a name with a meaning of its own, in no alphabet of formulas, or written like another.
    """
    seen: dict[str, str] = {}
    for name in names:
        match = _PARTS.fullmatch(name)
        if not match or not all(c.isascii() or c in _BY_LETTER for c in match[1] + match[2]):
            raise ActivationError(
                f"{name} cannot be written in a formula: name the parameter with letters a to z, Greek ones, and digits"
            )
        written = latex_name(name)
        if written in _TAKEN or name in _IN_CODE:
            meaning = _TAKEN.get(written, "a function of generated code")
            raise ActivationError(f"{name} is {meaning} in every formula: give the parameter another name")
        if name.casefold() in _NOT_FINITE:
            raise ActivationError(f"{name} is not a finite number: give a parameter a number such as 0.5, or a letter")
        if written in seen:
            raise ActivationError(f"{seen[written]} and {name} look the same in a formula: rename one of them")
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


def mathematica_names(names: Iterable[str]) -> dict[str, str]:
    """Each name in Mathematica, where _ has a meaning of its own and capitals begin what is built in."""
    result: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain = name.replace("_", "")
        if plain[0].isupper() and name not in ("V", "R"):
            plain += "0"
        while plain in result.values():
            plain += "0"
        result[name] = plain
    return result


def _split(name: str) -> tuple[str, str]:
    match = _PARTS.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")
