"""The reference names all that is public, once, and all of it says what it is."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest
from command import ROOT

PAGE = (ROOT / "docs/reference/api.md").read_text()
#: Rooms with names of their own.
ROOMS = ("plot", "symbolic", "torch", "training")
#: Those that need no extra.
HERE = ["meanfield.plot", "meanfield.symbolic"]


def names(room: str) -> set[str]:
    return {*importlib.import_module(room).__all__} - {*ROOMS, "__version__"}


@pytest.mark.parametrize("room", ["meanfield", *(f"meanfield.{room}" for room in ROOMS)])
def test_every_public_name_is_in_the_reference(room: str) -> None:
    told = re.findall(rf"^\.\. auto\w+:: {re.escape(room)}\.(\w+)$", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(names(room))


@pytest.mark.parametrize("room", ["meanfield", *HERE])
def test_every_public_name_says_what_it_is(room: str) -> None:
    for name in names(room):
        found = getattr(importlib.import_module(room), name)
        assert inspect.getdoc(found), name
        # What overrides is documented where it is first declared.
        for at in vars(found) if inspect.isclass(found) else ():
            declared = [vars(base)[at] for base in found.__mro__ if at in vars(base)]
            if not at.startswith("_") and (callable(declared[0]) or isinstance(declared[0], property | classmethod)):
                assert any(one.__doc__ for one in declared), f"{name}.{at}"


def test_the_line_of_an_activation_that_contributors_are_shown_is_one_of_the_catalogue() -> None:
    (line,) = re.findall(r"^Entry\(.*$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert line in (ROOT / "meanfield/activations/catalogue.py").read_text()
