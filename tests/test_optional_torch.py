"""The package without torch, an extra: it is told what to install, and only once it is asked for a layer."""

from __future__ import annotations

import subprocess
import sys

import pytest

import meanfield as mf


def test_a_layer_without_torch_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in list(sys.modules):
        if name.startswith("meanfield.torch."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(vars(mf.torch), "Activation", raising=False)
    with pytest.raises(mf.MeanFieldError, match=r"needs PyTorch: pip install 'meanfield\[torch\]'") as fault:
        mf.torch.Activation("relu")
    assert "\n" not in str(fault.value)
    assert not hasattr(mf.torch, "no_such_layer")


def test_torch_loads_where_it_is_used() -> None:
    code = "import sys, meanfield as mf; mf.torch; mf.activation('relu')(1.0); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_training_without_torch_is_refused_in_one_line_and_all_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(vars(mf.training), "train", raising=False)
    with pytest.raises(mf.MeanFieldError, match=r"training\.train needs PyTorch: pip install 'meanfield\[train\]'"):
        _ = mf.training.train
    (setting,) = mf.training.settings_of("clipped-relu", sparsity=0.85, slope=0.7)
    assert setting.network.sparsity(1.0) == pytest.approx(0.85)
