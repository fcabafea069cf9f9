"""Activations as layers of PyTorch. The only room that loads torch, which is an extra: pip install 'meanfield[torch]'.

>>> import meanfield as mf
>>> phi = mf.torch.Activation("clipped-relu", tau=1, m=1)
>>> phi
Activation(clipped-relu(tau=1, m=1))
"""

from importlib.util import find_spec as _find_spec

import lazy_loader

from meanfield.errors import MeanFieldError

_loaded, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name in __all__ and _find_spec("torch") is None:
        raise MeanFieldError("meanfield.torch needs PyTorch: pip install 'meanfield[torch]'")
    return _loaded(name)
