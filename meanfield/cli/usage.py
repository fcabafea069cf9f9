"""What is said of a command line that is none, and how values in it are read: in our words, whatever parses it."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from enum import Enum
from functools import partial
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from meanfield.activations.catalogue import find
from meanfield.errors import MeanFieldError, shortened

__all__ = ["Misuse", "leftover", "no_command", "no_option", "no_value", "path_of", "read_as_written", "required"]

#: What needs no quotes in a shell.
_PLAIN = re.compile(r"[\w.,:=/+-]+")


class Misuse(MeanFieldError):
    """A command line with something unknown, missing or too much."""


def read_as_written(parameters: Iterable[Any], source: Callable[..., Any]) -> None:
    """Let options read numbers as people write them, 1/3 or 5%, and choices in capitals too.

    `source` is the function, or the dataclass, that the parameters of a command were made from.
    """
    hints = get_type_hints(source, include_extras=True)
    for parameter in parameters:
        read = _reader(hints.get(parameter.name))
        if read:
            parameter.process_value = partial(_processed, parameter.opts[0], read, parameter.process_value)


def path_of(context: Any) -> str:
    """How the command is called: meanfield plot phase."""
    return " ".join(["meanfield", *context.command_path.split()[1:]])


def no_option(context: Any, given: str, options: Sequence[str], before: str = "") -> Misuse:
    """The error for an option that a command does not have; `before` is a command that had to be named first."""
    path = path_of(context)
    if re.match(r"-[\d.∞]", given):
        return Misuse(f"{given} is no option: join a value that begins with - to its option, as in --rho=-1:1:9")
    # Without the dashes, which all of them share.
    names, word = {option.lstrip("-"): option for option in options}, given.replace("_", "-").lstrip("-")
    # --activation for --act, --q for --q-star, --width for --figure-width.
    akin = [name for name in names if len(name) > 2 and (word.startswith(name) or name.startswith(word))]
    akin = akin or [name for name in names if word in name.split("-")]
    close = [max(akin, key=len)] if akin else get_close_matches(word, names, n=1, cutoff=0.7)
    guess = f"did you mean {names[close[0]]}? " if close else ""
    if before and not close:
        guess = f"name a command before its options, as in {path} {before} --act relu; "
    return Misuse(f"{shortened(given)} is no option of {path}: {guess}'{path} --help' lists them")


def no_value(context: Any, option: str, given: str | None = None) -> Misuse:
    """The error for an option that lacks its value, or is given one that it does not take."""
    if given is not None:
        return Misuse(f"{option} takes no value: leave ={shortened(given)} out")
    such = "such as --act relu" if option == "--act" else f"'{path_of(context)} --help' says which"
    return Misuse(f"{option} needs a value after it: {such}")


def leftover(context: Any, words: Sequence[str], has_activation: bool | None) -> Misuse:
    """The error for words that belong to no option; `has_activation` is None where a command takes none."""
    path = path_of(context)
    if has_activation is False:
        word = words[0] if find(words[0]) else " ".join(words)
        return Misuse(f"{shortened(word)} stands alone: write {path} --act {_quoted(word)}")
    if has_activation:
        return Misuse(
            f"{shortened(words[0])} belongs to no option: put quotes around a value with spaces, or leave it out"
        )
    return Misuse(f"{path} takes options alone: leave {shortened(words[0])} out")


def required(context: Any, what: str, example: str) -> Misuse:
    """The error for what has to be given."""
    return Misuse(f"{path_of(context)} needs {what}: write for instance {example}")


def no_command(context: Any, word: str | None, names: Sequence[str]) -> Misuse:
    """The error for a word that is no command, or for none."""
    path = path_of(context)
    lists = f"'{path} --help' lists what there is"
    if word is None:
        return Misuse(f"{path} needs a word after it, such as {path} {names[0]}: {lists}")
    if find(word):
        return Misuse(f"{word} is an activation: write {path} {names[0]} --act {_quoted(word)}")
    close = get_close_matches(word, names, n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return Misuse(f"{shortened(word)} is no command of {path}: {guess}{lists}")


def _processed(option: str, read: Callable[[str, str], Any], process: Any, context: Any, value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        value = read(option, value)
    elif isinstance(value, list | tuple):
        value = [read(option, item) if isinstance(item, str) else item for item in value]
    return process(context, value)


def _reader(hint: Any) -> Callable[[str, str], Any] | None:
    """What reads the text of an option of that type; None for texts and files."""
    extras: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)  # type: ignore[assignment]
    while get_origin(hint) in (Union, types.UnionType, list):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return partial(_choice, hint)
    if hint not in (int, float):
        return None
    low, high = next(((extra.min, extra.max) for extra in extras if hasattr(extra, "min")), (None, None))
    return partial(_number, hint is int, low, high)


def _choice(kind: type[Enum], option: str, text: str) -> Enum:
    asked = text.strip().casefold()
    for name, choice in kind.__members__.items():
        # A member by another name is another word for it.
        if asked == choice.value.casefold() or (asked == name and name != choice.name):
            return choice
    raise Misuse(f"{option} {shortened(text)} is not known: give {' or '.join(choice.value for choice in kind)}")


def _number(whole: bool, low: float | None, high: float | None, option: str, text: str) -> float:
    from meanfield.activations.numbers import NotANumber, read_number, read_whole

    try:
        value = read_whole(text) if whole else read_number(text)
    except NotANumber as fault:
        raise Misuse(f"{option} {shortened(text)} {fault}") from None
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        ends = f"from {low:g} to {high:g}" if low is not None and high is not None else f">= {low}"
        raise Misuse(f"{option} {shortened(text)} is out of range: give a {'whole ' * whole}number {ends}")
    return value


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else f'"{text}"'
