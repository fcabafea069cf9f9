"""How names and texts are lettered: Greek letters and indices in Unicode and in LaTeX; texts in code. Loads nothing."""

from __future__ import annotations

import re

__all__ = ["GREEK", "counted", "docstring_text", "ending", "latex_name", "latex_text", "text_name"]

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
).split()
#: The name of every Greek letter.
GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _NAMES, strict=True))
GREEK |= {letter.upper(): name.capitalize() for letter, name in GREEK.items()}
_BY_NAME = {name: letter for letter, name in GREEK.items()}

#: LaTeX has no commands of their own for the letters that look like Latin ones.
_LATIN = {"omicron": "o", "Eta": "H", "Nu": "N", "Rho": "P", "Chi": "X"}
_LATIN |= {name: name[0] for name in "Alpha Beta Epsilon Zeta Iota Kappa Mu Omicron Tau".split()}

_PARTS = re.compile(r"([^\W\d_]+)_?(\w*)")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def counted(number: float, noun: str) -> str:
    """1 layer, 2 layers, 0.5 epochs."""
    text = f"{number:g}" if isinstance(number, float) else str(number)
    return f"{text} {noun}{'' if number == 1 else 's'}"


def ending(text: str, longest: int) -> str:
    """The end of a text of more than `longest` characters: of the name of a module what tells it from others."""
    return text if len(text) <= longest else f"…{text[1 - longest :]}"


def text_name(name: str) -> str:
    """The name in Unicode: tau is τ, t_1 is t₁, sigma_w is σ_w."""
    stem, index = _split(name)
    return _BY_NAME.get(stem, stem) + (index.translate(_SUBSCRIPT) if index.isdigit() else f"_{index}" * bool(index))


def latex_name(name: str) -> str:
    """The name inside mathematics: tau is \\tau, t_1 is t_{1}, width a word in italics."""
    stem, index = _split(name)
    greek = GREEK.get(stem, stem)
    if greek in _BY_NAME:
        written = _LATIN.get(greek, f"\\{greek}")
    else:
        written = _escaped(stem) if len(stem) == 1 else f"\\mathit{{{_escaped(stem)}}}"
    inside = _escaped("".join(f"\\{GREEK[c]} " if c in GREEK else c for c in index)).strip()
    return f"{written}_{{{inside}}}" if index else written


def _split(name: str) -> tuple[str, str]:
    match = _PARTS.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


_SPECIAL = {
    **{c: "\\" + c for c in "&%$#_{}"},
    **{letter: f"${latex_name(letter)}$" for letter in GREEK},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "≈": r"$\approx$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "²": r"$^2$",
    "⁴": r"$^4$",
    "√": r"$\surd$",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "₂": r"$_2$",
    "₃": r"$_3$",
    "…": r"\dots{}",
    "₁": r"$_1$",
}


def latex_text(text: str) -> str:
    """A text as LaTeX sets it, special characters and Greek letters included."""
    return "".join(_SPECIAL.get(c, c) for c in text)


def docstring_text(line: str) -> str:
    """A printable line as it stands in a docstring, which then holds it as it is, and cannot end there."""
    return line.replace("\\", "\\\\").replace('"', '\\"')
