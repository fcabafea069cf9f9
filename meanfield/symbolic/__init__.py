"""Formulas: the maps of an activation with its parameters left as symbols. The only room that loads sympy.

>>> import meanfield as mf
>>> mf.symbolic.derive("soft-threshold(tau)", "dV_eoc")["dV_eoc"]
1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meanfield.symbolic.derivation import Derivation as Derivation
    from meanfield.symbolic.derivation import derive as derive
    from meanfield.symbolic.functions import Phi as Phi
    from meanfield.symbolic.functions import Phi2 as Phi2
    from meanfield.symbolic.functions import phi as phi

_HOMES = {
    "Derivation": "derivation",
    "derive": "derivation",
    "Phi": "functions",
    "Phi2": "functions",
    "phi": "functions",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'meanfield.symbolic' has no attribute {name!r}")
    return getattr(import_module(f"meanfield.symbolic.{_HOMES[name]}"), name)
