"""Functions by name, `module:function`: taken in a process of their own, whatever their code does there."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from command import ROOT

from meanfield.activations import user_code
from meanfield.activations.sampling import sample
from meanfield.activations.spec import activation
from meanfield.errors import ActivationError

RELU = "import numpy as np\n{}\ndef f(x):\n    {}\n    return np.maximum(x, 0)\n"

#: What code that gives the ReLU does besides, as it is imported and as it is called.
BESIDES = {
    "prints": ("print('imported')", "print('called')"),
    "writes": ("import os; os.write(1, b'imported')", "os.write(1, b'called'); os.write(2, b'called')"),
    "prints_to_the_stream_itself": ("import sys", "print('called', file=sys.__stdout__)"),
    "closes": ("import os, sys; sys.stdout.close(); os.close(1)", "pass"),
    "prints_at_its_end": ("import atexit; atexit.register(print, 'end')", "pass"),
    "goes_on": ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()", "pass"),
    "leaves_a_process": ("import subprocess; subprocess.Popen(['sleep', '5'])", "pass"),
}

#: Code that gives no activation, and what is said of it.
REFUSED = {
    "fails": ("1/0", "cannot import fails for fails:f: ZeroDivisionError"),
    "exits_as_imported": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "escapes": ("def f(x): raise ValueError('\\x1b[31mred\\x07')", r"escapes:f raises ValueError: \x1b[31mred\x07"),
    "without": ("", "without has no f: check the name"),
    "number": ("f = 3", "not a function"),
    "no_such_module": (None, "ModuleNotFoundError"),
    "exits": ("import sys\ndef f(x): sys.exit(0)", "exits:f raises SystemExit: 0"),
    "exits_on_the_way": (
        "import sys\ndef __getattr__(name): sys.exit(0)",
        "cannot take f from exits_on_the_way: SystemExit",
    ),
    "interrupts": ("def f(x): raise KeyboardInterrupt", "interrupts:f raises KeyboardInterrupt"),
    "ends": ("import os\ndef f(x): os._exit(0)", "ends:f ends the process that calls it (exit code 0)"),
    "kills": ("import os\ndef f(x): os.kill(os.getpid(), 9)", "kills:f ends the process that calls it (signal 9)"),
    "garbage": ("def f(x): return 'abc'", "garbage:f returns str"),
    "ends_when_looked_at": (
        "import numpy as np, sys\nclass A(np.ndarray):\n    def __array_finalize__(self, a): sys.exit(0)\n"
        "def f(x): return x.view(A)",
        "ends_when_looked_at:f raises SystemExit",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory for the time of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(name: str) -> object:
    """The activation of the name, or what is said instead."""
    try:
        return activation(name)
    except ActivationError as refusal:
        return str(refusal)


def outcomes(names: list[str]) -> list[object]:
    """Those of all names, of several at a time: most of it is waiting for processes."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(outcome, names))


def test_a_function_of_a_module_in_the_current_directory_is_imported(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "import numpy as np\n"
        "def ramp(x): return np.clip(x, 0, 2)\n"
        "class Family:\n"
        "    line = staticmethod(lambda x: 3 * x)\n"
    )
    path = list(sys.path)
    found = outcomes(["mine:ramp", "mine:Family.line", "numpy:sign", "mine:Family.curve"])
    expected = [activation(text) for text in ("clip(x, 0, 2)", "3*x", "sign")]
    assert found == [*expected, "mine has no Family.curve: check the name after the colon"]
    assert sys.path == path and "mine" not in sys.modules


def test_a_smooth_function_crosses_from_its_process_to_the_last_bit(folder: Path) -> None:
    (folder / "bent.py").write_text(
        "import numpy as np\n"
        "def f(x): return np.where(x < 0.7, np.tanh(x), x**2 / 3 + 0.1)\n"
        "def coarse(x): return np.tanh(x.astype(np.float32)).astype(float)\n"
    )
    phi, refused = outcomes(["bent:f", "bent:coarse"])
    assert phi == sample(lambda x: np.where(x < 0.7, np.tanh(x), x**2 / 3 + 0.1), "f")
    assert isinstance(refused, str) and "bent:coarse is accurate to" in refused


def test_what_code_does_instead_of_giving_an_activation_is_told_in_one_line(folder: Path) -> None:
    for name, (code, _) in REFUSED.items():
        if code is not None:
            (folder / f"{name}.py").write_text(code)
    for said, (_, expected) in zip(outcomes([f"{name}:f" for name in REFUSED]), REFUSED.values(), strict=True):
        assert isinstance(said, str) and expected in said
        assert said.isprintable()


def test_what_code_does_besides_reaches_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, code in BESIDES.items():
        (folder / f"{name}.py").write_text(RELU.format(*code))
    assert outcomes([f"{name}:f" for name in BESIDES]) == [activation("relu")] * len(BESIDES)
    assert capfd.readouterr() == ("", "")


def test_a_function_that_never_answers_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_code, "PATIENCE", 1)
    (folder / "endless.py").write_text("def f(x):\n    while True: pass")
    assert outcome("endless:f") == "endless:f has not answered in 1 s: give a function that is quick"


def test_a_module_of_this_process_alone_is_taken_here(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = types.ModuleType("typed_here")
    typed.f = lambda x: np.maximum(x, 0)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "typed_here", typed)
    assert activation("typed_here:f") == activation("relu")


@pytest.mark.skipif(sys.version_info[:3] == (3, 13, 0), reason="numpy itself cannot be imported there")
def test_the_current_directory_may_be_gone(folder: Path) -> None:
    gone = folder / "gone"
    gone.mkdir()
    take = "import os, sys; os.rmdir(os.getcwd()); from meanfield import activation; activation('numpy:sign')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", take], check=True, cwd=gone, env=environment, timeout=60)
