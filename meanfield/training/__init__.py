"""Networks trained on real data, with the verdict of their initialisation fixed beforehand. Training needs torch.

>>> import meanfield as mf
>>> (setting,) = mf.training.settings_of("clipped-relu", sparsity=0.85, slope=0.7, depth=5, width=50, data="digits")
>>> mf.training.forecast(setting).verdict.word
'fragile'

`mf.training.train(setting)` then trains it.
"""

from importlib.util import find_spec as _find_spec

import lazy_loader

from meanfield.errors import MeanFieldError

_loaded, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name in ("Trained", "train", "train_side_by_side") and _find_spec("torch") is None:
        raise MeanFieldError(f"meanfield.training.{name} needs PyTorch: pip install 'meanfield[train]'")
    return _loaded(name)
