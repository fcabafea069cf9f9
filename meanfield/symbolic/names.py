"""Which names of parameters a formula can hold, and how Mathematica writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from meanfield.errors import ActivationError
from meanfield.lettering import GREEK, latex_name

__all__ = ["check_names", "check_names_beside_integrals", "mathematica_names"]

_WRITABLE = re.compile("[A-Za-z{0}][A-Za-z{0}0-9_]*".format("".join(GREEK)))

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
_OF_INTEGRALS = dict.fromkeys("zw", "a variable of integration") | dict.fromkeys(
    "activation slope curvature integral elementwise".split(), "a function of generated code"
)
_NOT_FINITE = frozenset({"inf", "infinity", "nan", "oo", "zoo"})


def check_names(names: Iterable[str]) -> None:
    """Refuse names that a formula cannot hold.

    Raises:
        ActivationError: a name with a meaning of its own, in no alphabet of formulas, or written like another.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not _WRITABLE.fullmatch(name):
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


def check_names_beside_integrals(names: Iterable[str]) -> None:
    """Refuse names that integrals use.

    Raises:
        ActivationError: one of the variables of integration, or a function of generated code.
    """
    for name in names:
        if name in _OF_INTEGRALS:
            raise ActivationError(f"{name} is {_OF_INTEGRALS[name]}: give the parameter another name")


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
