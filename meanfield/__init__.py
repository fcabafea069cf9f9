"""Mean-field theory of deep networks with any activation, piecewise linear or smooth.

    >>> import meanfield as mf
    >>> phi = mf.activation("soft-threshold", tau=0.5)
    >>> edge = mf.edge_of_chaos(phi)
    >>> edge.V_prime
    1.0
    >>> round(mf.edge_of_chaos(mf.activation("gelu")).sigma_w, 6)
    1.481114

Names load when first used, so that importing the package costs nothing; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
