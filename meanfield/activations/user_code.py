"""What is named as `package.module:function`: its code runs in a process of its own, where it can do no harm.

It may print, close what it prints to, end its process or never come back. What it prints is nobody's, and what it does
instead of giving what it is asked for is told in one line.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from meanfield.activations.activation import Activation
from meanfield.activations.guarded import in_words
from meanfield.activations.records import from_record
from meanfield.activations.sampling import sample
from meanfield.errors import ActivationError
from meanfield.processes import end_with

__all__ = ["PATIENCE", "answer", "answered_apart", "import_function", "import_object", "sample_named"]

#: Seconds that a function may take to be imported and looked at.
PATIENCE = 30
_CALLED = "import sys; sys.path[:] = sys.argv[5:]; from meanfield.activations.user_code import answer; answer()"


def sample_named(name: str) -> Activation:
    """The function that `package.module:function` names; the current directory is searched first.

    Raises:
        ActivationError: no such module, an error while it is imported, no such function in it, no piecewise analytic
            function, or one that ends the process that calls it.
    """
    module = sys.modules.get(name.partition(":")[0])
    # What was typed into this process cannot be imported into another.
    if module is not None and getattr(module, "__spec__", None) is None:
        return sample(import_function(name), name)
    found = answered_apart(f"{__name__}:_sampled", name, give="a function that returns φ(x)", patience=PATIENCE)
    if isinstance(found, str):
        raise ActivationError(found)
    return from_record(found)


def _sampled(name: str) -> Any:
    try:
        return sample(import_function(name), name).as_record()
    except ActivationError as refusal:
        return str(refusal)


def answered_apart(answering: str, name: str, asked: Any = None, *, give: str, patience: float | None = None) -> Any:
    """What a function of this package, `module:function`, says of the code that `name` names, in a process of its own.

    It is given the name, and what is asked of it unless that is None, and answers in JSON; a text is a refusal. `give`
    is what the user's function should be, for messages, `patience` the seconds that it has.

    Raises:
        ActivationError: there is no answer, for the process ended, or has not after so long.
    """
    with tempfile.TemporaryFile() as written:
        question = [answering, name, json.dumps(asked), str(os.getpid())]
        command = [sys.executable, "-c", _CALLED, *question, *sys.path]
        silent = subprocess.DEVNULL
        try:
            ended = subprocess.run(command, stdin=silent, stdout=written, stderr=silent, timeout=patience).returncode
        except subprocess.TimeoutExpired:
            raise ActivationError(f"{name} has not answered in {patience} s: give a function that is quick") from None
        written.seek(0)
        try:
            return json.loads(written.read())
        except ValueError:
            how = f"signal {-ended}" if ended < 0 else f"exit code {ended}"
            raise ActivationError(f"{name} ends the process that calls it ({how}): give {give}") from None


def answer() -> None:
    """What the process of the function does: write what it is, or why there are none, and end there and then."""
    answering, name, asked, parent = sys.argv[1:5]
    out = os.dup(1)
    os.dup2(2, 1)
    # Ctrl-C is the parent's to answer; what interrupts here, the function does itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(int(parent))
    module, _, function = answering.partition(":")
    given = json.loads(asked)
    try:
        find = getattr(importlib.import_module(module), function)
        found: Any = find(name) if given is None else find(name, given)
    except BaseException as fault:
        found = f"{name} raises {in_words(fault)}"
    with os.fdopen(out, "w") as stream:
        json.dump(found, stream)
    os._exit(0)


def import_function(name: str) -> Callable[[Any], Any]:
    """The function of that name, out of its module.

    Raises:
        ActivationError: what is said of `import_object`, or not a function.
    """
    found = import_object(name)
    if isinstance(found, type) or not callable(found):
        raise ActivationError(f"{name} is not a function: name one that takes an array x and returns φ(x)")
    return found  # type: ignore[no-any-return]


def import_object(name: str) -> Any:
    """What has that name in its module.

    Raises:
        ActivationError: no such module, an error while it is imported, or nothing of that name in it.
    """
    module_name, _, path = name.partition(":")
    # "" stands for the current directory, even if that has been deleted.
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as fault:
        raise ActivationError(f"cannot import {module_name} for {name}: {in_words(fault)}") from None
    finally:
        if "" in sys.path:
            sys.path.remove("")
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise ActivationError(f"{module_name} has no {path}: check the name after the colon") from None
        except KeyboardInterrupt:
            raise
        except BaseException as fault:
            raise ActivationError(f"cannot take {path} from {module_name}: {in_words(fault)}") from None
    return found
