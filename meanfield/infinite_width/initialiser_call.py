"""An initialiser as it is written: a name in any framework's spelling, parameters after a colon or in parentheses."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence

from meanfield.activations.numbers import NotANumber, read_number
from meanfield.errors import DomainError, shortened

__all__ = ["Parameters", "Value", "read_call"]

#: The value of a parameter; None where one has to be given.
Value = float | str | None
Parameters = Mapping[str, Value]

_CALL = re.compile(r"([\w. -]+?)(_?)\s*(?:\((.*)\)|:(.*))?", re.DOTALL)
#: No call of an initialiser has more characters.
_LONGEST = 500
#: Roots as Python writes them.
_SQRT = re.compile(r"\b(?:math|np|numpy)\.sqrt\b")
_HALF_POWER = re.compile(r"(?<![\w.√)])(\d+\.?\d*|\.\d+|\([^()]*\))\s*\*\*\s*0?\.5(?![\w.])")
#: What frameworks call one parameter.
_ALSO = {
    "stddev": "std",
    "minval": "a",
    "maxval": "b",
    "low": "a",
    "high": "b",
    "negative_slope": "a",
}
_FANS = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
_LINEAR = ("linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)))
#: Words that a parameter can be; any other parameter is a number.
_WORDS: Mapping[str, Sequence[str]] = {
    "mode": _FANS,
    "distribution": ("truncated_normal", "untruncated_normal", "normal", "uniform"),
    "nonlinearity": (*_LINEAR, "sigmoid", "tanh", "relu", "leaky_relu", "selu"),
    "corrected": ("yes", "no"),
}
_SHORT = {"in": "fan_in", "out": "fan_out", "avg": "fan_avg", "true": "yes", "false": "no"}


def read_call(text: str, known: Mapping[str, tuple[Sequence[str], Parameters]]) -> tuple[str, dict[str, Value], str]:
    """The name, the value of every parameter, and the call as it was understood.

    Args:
        text: "kaiming_uniform:a=2.236", "nn.init.kaiming_uniform_(w, a=sqrt(5))", "HeNormal".
        known: other names and parameters with their defaults, of each name that there is.

    Raises:
        DomainError: an unknown name or parameter, a value that is none, one that is missing.
    """
    match = _CALL.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if not match:
        raise DomainError(f"'{shortened(text)}' is no initialiser: write a name, or NAME:key=value,key=value")
    name = _known_name(match[1].rsplit(".", 1)[-1], known)
    defaults = known[name][1]
    parts = _parts(match[3] or match[4] or "")
    # PyTorch's functions, whose names end so, take first the tensor that they fill.
    tensor = match[2] and parts and re.fullmatch(r"[A-Za-z_][\w.]*", parts[0])
    given = _arguments(name, parts[1:] if tensor else parts, defaults)
    missing = [key for key, value in defaults.items() if value is None and key not in given]
    if missing:
        values = ",".join(f"{key}=…" for key in missing)
        raise DomainError(
            f"{name} needs {' and '.join(missing)}, for frameworks' defaults differ: give {name}:{values}"
        )
    inside = ", ".join(
        f"{key}={value:.10g}" if isinstance(value, float) else f"{key}={value}" for key, value in given.items()
    )
    return name, {**defaults, **given}, f"{name}({inside})" if inside else name


def _known_name(written: str, known: Mapping[str, tuple[Sequence[str], Parameters]]) -> str:
    spellings = {_plain(spelling): name for name, (also, _) in known.items() for spelling in (name, *also)}
    if found := spellings.get(_plain(written)):
        return found
    close = difflib.get_close_matches(_plain(written), spellings, 2, 0.6)
    guess = f"did you mean {' or '.join(dict.fromkeys(spellings[one] for one in close))}? " if close else ""
    raise DomainError(f"{shortened(written)} is not a known initialiser: {guess}names are {', '.join(known)}")


def _plain(name: str) -> str:
    """HeNormal, he_normal and He-normal are one name."""
    return re.sub(r"[\W_]", "", name).casefold()


def _parts(inside: str) -> list[str]:
    """The arguments between commas that are in no parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", inside) if part.strip()]


def _arguments(name: str, parts: Sequence[str], defaults: Parameters) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for position, part in enumerate(parts):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            key, value = _by_position(name, position, part, defaults), part
        key = _parameter(name, key, defaults)
        if key in given:
            raise DomainError(f"{name}: {key} is given twice: give it once")
        given[key] = _word(name, key, value) if key in _WORDS else _number(name, key, value)
    return given


def _by_position(name: str, position: int, part: str, defaults: Parameters) -> str:
    # The first number of PyTorch's normal_ is its mean, of JAX's normal its standard deviation.
    if "mean" in defaults or position >= len(defaults):
        raise DomainError(f"{name}: {shortened(part)} has no name: {_usage(name, defaults)}")
    return list(defaults)[position]


def _parameter(name: str, key: str, defaults: Parameters) -> str:
    for found in (key, _ALSO.get(key, ""), "gain" if key == "scale" else ""):
        if found in defaults:
            return found
    raise DomainError(f"{name} has no parameter {shortened(key)}: {_usage(name, defaults)}")


def _usage(name: str, defaults: Parameters) -> str:
    if not defaults:
        return "leave it out, it takes none"
    return f"write {name}:key=value, with {', '.join(defaults)}"


def _word(name: str, key: str, value: str) -> str:
    word = value.strip("'\"").casefold()
    word = _SHORT.get(word, word)
    if word not in _WORDS[key]:
        raise DomainError(f"{name}: {key}={shortened(value)} is not known: give one of {', '.join(_WORDS[key])}")
    return word


def _number(name: str, key: str, value: str) -> float:
    """A number as everywhere; roots may be written as in Python too: math.sqrt(5), np.sqrt(5), 5**0.5."""
    plain = _HALF_POWER.sub(r"sqrt(\1)", _SQRT.sub("sqrt", value))
    try:
        found = read_number(plain)
        if not math.isfinite(found):
            raise NotANumber
    except NotANumber as fault:
        raise DomainError(f"{name}: {key}={shortened(value)} {fault}") from None
    return found
