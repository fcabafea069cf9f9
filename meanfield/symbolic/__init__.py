"""Formulas: the maps of an activation with its parameters left as symbols. The only room that loads sympy.

>>> import meanfield as mf
>>> mf.symbolic.derive("soft-threshold(tau)", "dV_eoc")["dV_eoc"]
1
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
