"""Activations kept in a file, JSON or TOML: lines between knots, points, pieces between breaks, or an expression.

docs/activation.schema.json describes the same forms for editors and other programs. What `meanfield export --to json`
writes holds one of them under `phi`, beside σ_w, σ_b and more, and is read for that.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from typing import NoReturn

from meanfield.activations.activation import Activation
from meanfield.activations.expression import free_names, parse_expression
from meanfield.activations.piecewise_linear import PiecewiseLinear, require_knots
from meanfield.activations.points import pieces_through
from meanfield.activations.records import from_record
from meanfield.errors import ActivationError, ExpressionError, shortened

__all__ = ["LARGEST", "read_file"]

#: Bytes that a file may have, a few times what the most knots take.
LARGEST = 1_000_000

#: Characters of a path in a message.
_LONGEST_PATH = 120

_LINES = ("knots", "slopes", "intercepts")
_POINTS = ("points", "left", "right")
_PIECES = ("breaks", "pieces")
_EXPRESSION = ("expression",)
_FORMS = (_POINTS, _PIECES, _EXPRESSION, _LINES)

#: Each piece is looked at on its own.
_MOST_PIECES = 100


def read_file(path: str) -> tuple[str, Activation]:
    """The name that the file gives its activation (its own path where it gives none), and the activation.

    Raises:
        ActivationError: no such file, not JSON or TOML, or not an activation.
    """
    shown = path if path.isprintable() else ascii(path)
    shown = shown if len(shown) <= _LONGEST_PATH else f"...{shown[-_LONGEST_PATH:]}"
    try:
        content = _alone(_content(path))
        return str(content.get("name", shown)), _activation(content)
    except ActivationError as fault:
        raise ActivationError(f"{shown}: {fault}") from None


def _content(path: str) -> dict[str, object]:
    is_json = path.lower().endswith(".json")
    try:
        text = _bytes(path).decode("utf-8-sig")
        content = _json(text) if is_json else tomllib.loads(text)
    except FileNotFoundError:
        raise ActivationError("there is no such file: check the name and the directory") from None
    except PermissionError:
        raise ActivationError("this file may not be read: change its permissions, or copy it") from None
    except OSError:
        raise ActivationError("this file cannot be opened: check its name") from None
    except RecursionError:
        raise ActivationError("nested too deeply: it needs one table of numbers") from None
    except ActivationError:
        raise
    except UnicodeDecodeError:
        raise ActivationError("this is not text: save it as UTF-8") from None
    except ValueError as fault:
        raise ActivationError(_not_valid("JSON" if is_json else "TOML", fault)) from None
    if not isinstance(content, dict):
        raise ActivationError("the file must hold one object {…} with knots, slopes and intercepts")
    if is_json:
        content.pop("$schema", None)
    return content


def _alone(content: dict[str, object]) -> dict[str, object]:
    """The activation of a document that holds more, and anything else as it is."""
    if "phi" not in content or any(key in content for form in _FORMS for key in form):
        return content
    phi = content["phi"]
    if not isinstance(phi, dict):
        raise ActivationError(f"phi must be an object with an activation, not {_shown(phi)}")
    return phi


def _bytes(path: str) -> bytes:
    """What is in the file. A device or a pipe has no end, or waits for ever."""
    if "\0" in path:
        raise FileNotFoundError
    kind = os.stat(path).st_mode
    if stat.S_ISDIR(kind):
        raise ActivationError("this is a directory: name a file in it")
    if not stat.S_ISREG(kind):
        raise ActivationError("this is a device or a pipe: copy what it holds to a file")
    with open(path, "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ActivationError(f"this file is larger than {LARGEST} bytes, which no activation needs")
    return content


def _not_valid(kind: str, fault: ValueError) -> str:
    """Where the parser gave up. What it says there is in its own words, or about Python's limits."""
    place = re.search(r"line (\d+),? column (\d+)", str(fault))
    where = f"look at line {place[1]}, column {place[2]}" if place else "something is missing at its end"
    return f"not valid {kind}: {'a number has thousands of digits' if 'digits' in str(fault) else where}"


def _json(text: str) -> object:
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_repetition)


def _refuse_constant(name: str) -> NoReturn:
    raise ActivationError(f"it holds {name}: every number must be finite")


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content: dict[str, object] = {}
    for key, value in pairs:
        if key in content:
            raise ActivationError(f"{key!a} is given twice: give it once")
        content[key] = value
    return content


def _activation(content: Mapping[str, object]) -> Activation:
    name = content.get("name", "a")
    if not (isinstance(name, str) and name.strip() and name.isprintable()):
        raise ActivationError("name must be a line of text")
    form = next((form for n in (1, 3) for form in _FORMS if any(key in content for key in form[:n])), _LINES)
    unknown = [key for key in content if key not in (*form, "name")]
    if unknown:
        raise ActivationError(f"unknown key {unknown[0]!a}: a file with {form[0]} holds {', '.join((*form, 'name'))}")
    missing = [key for key in form if key not in content]
    if missing:
        either = " or ".join(", ".join(form) for form in (_LINES, _POINTS, _PIECES, _EXPRESSION))
        raise ActivationError(f"{' and '.join(missing)} missing: give {either}")
    most = max((len(value) for value in content.values() if isinstance(value, list)), default=0)
    require_knots(most - (form is _LINES))
    if form is _POINTS:
        points = [_point(entry) for entry in _list("points", content["points"])]
        return pieces_through(points, _number("left", content["left"]), _number("right", content["right"])).rounded()
    if form is _LINES:
        return PiecewiseLinear(*(tuple(_number(key, entry) for entry in _list(key, content[key])) for key in form))
    try:
        _require_no_names(content.get("pieces", [content.get("expression")]))
        return _of_pieces(content) if form is _PIECES else _of_expression(content["expression"])
    except ExpressionError as fault:
        raise ActivationError(f"{shortened(fault.expression)!r}: {fault.reason}") from None


def _require_no_names(texts: object) -> None:
    for text in texts if isinstance(texts, list) else []:
        if isinstance(text, str) and (names := free_names(text)):
            raise ActivationError(
                f"unknown name {names[0]!a} in {shortened(text)!r}: a file has no parameters; write its value"
            )


def _of_pieces(content: Mapping[str, object]) -> Activation:
    breaks = [_number("breaks", entry) for entry in _list("breaks", content["breaks"])]
    pieces = _list("pieces", content["pieces"])
    if breaks != sorted(set(breaks)):
        raise ActivationError("breaks are not ascending: give each once, from left to right")
    if len(pieces) > _MOST_PIECES:
        raise ActivationError(f"{len(pieces)} pieces are too many: give at most {_MOST_PIECES}, or knots for lines")
    for piece in pieces:
        if not isinstance(piece, str | Mapping):
            raise ActivationError(f'pieces must hold expressions in x, such as "tanh(x)", not {_shown(piece)}')
    return from_record({"breaks": breaks, "pieces": pieces})


def _of_expression(text: object) -> Activation:
    if not isinstance(text, str):
        raise ActivationError(f'expression must be text, such as "tanh(x)", not {_shown(text)}')
    return parse_expression(text, {}).rounded()


def _shown(value: object) -> str:
    return shortened(json.dumps(value, default=str))


def _point(entry: object) -> tuple[float, float]:
    pair = _list("a point", entry)
    if len(pair) != 2:
        raise ActivationError(f"a point has 2 numbers, [x, y], not {len(pair)}")
    return _number("points", pair[0]), _number("points", pair[1])


def _list(name: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise ActivationError(f"{name} must be a list, not {_shown(value)}")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ActivationError(f"{name} must hold numbers, not {_shown(value)}")
    if not abs(value) < 2**1024 or math.isnan(value):
        raise ActivationError(f"{name} hold a number that is not finite: every number must be finite")
    return float(value)
