"""Mean-field theory of deep networks with any piecewise-linear activation.

    >>> import meanfield as mf
    >>> phi = mf.activation("soft-threshold", tau=0.5)
    >>> edge = mf.edge_of_chaos(phi)
    >>> edge.V_prime
    1.0

Names load when first used, so that importing the package costs nothing; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
