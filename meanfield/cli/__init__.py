"""The `meanfield` command: parse, call one library function, render.

One file a command; `options` holds what they share, `output` every format. No numbers are computed here, and
nothing heavier than typer is imported until a command runs.
"""

from __future__ import annotations

import errno
import gc
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, ClassVar

import typer

from meanfield.cli import process
from meanfield.cli.lazy_group import LazyGroup, UsageError
from meanfield.errors import NO_ANSWER, MeanFieldError

__all__ = ["app", "main"]

EXIT_NO_ANSWER = 1
EXIT_BAD_INPUT = 2


class _Commands(LazyGroup):
    """Every command. Every error becomes one message on stderr and an exit code; a traceback only with --debug."""

    package = __name__
    names: ClassVar = {
        "eoc": "The edge of chaos: (σ_w, σ_b), and whether a signal survives.",
        "check": "Phase, fixed points and verdict of a network.",
        "gain": "The gains of φ, what each keeps, and its code for frameworks.",
        "maps": "V, V', V'' and χ₁ over q; or R, R' and covariances over ρ.",
        "stability": "Whether random networks of a width and depth keep a signal.",
        "design": "Threshold, clip level and initialisation for a sparsity.",
        "export": "φ and its initialiser as code for a framework.",
        "phase": "Phase and fixed point over (σ_w, σ_b), or along the edge.",
        "sparsity": "Active units, what skipping the others saves, what they learn.",
        "derive": "The maps as formulas, for any names in them.",
        "simulate": "Draw random networks and lay them over theory.",
        "verify": "Whether random networks follow theory: yes or no.",
        "train": "Train a network on real data, its verdict printed first.",
        "experiment": "Train many networks the same way, verdicts first.",
        "audit": "A model of PyTorch on real data beside theory, layer by layer.",
        "plot": "Draw a figure for a paper.",
        "activations": "The activations that have a name, with their formulas.",
        "cite": "BibTeX entries for meanfield and the papers behind it.",
    }
    debug = False

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read the options, or show help."""
        with _ends_told():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _ends_told():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        run = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        self.debug = False
        code = self._tried(run)
        sys.exit(self._tried(sys.stdout.flush) or code)

    def _tried(self, step: Callable[[], int | None]) -> int:
        """The exit code of a step, which tells of its errors."""
        try:
            return step() or 0
        except SystemExit:
            # Completion ends so.
            raise
        except (BrokenPipeError, _Unread):
            process.release_stdout()
            return 0
        except BaseException as error:
            if self.debug:
                traceback.print_exc()
            message, code = _told(error)
            process.tell(message)
            if isinstance(error, OSError):
                process.release_stdout()
            return code


class _Unread(Exception):
    """Whoever reads what is printed has had enough."""


@contextmanager
def _ends_told() -> Iterator[None]:
    """Turn what typer and rich would answer by ending the process, each in its own way, into what `main` tells."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Abort from None
    except (BrokenPipeError, SystemExit):
        # No command ends the process itself.
        raise _Unread from None


def _told(error: BaseException) -> tuple[str, int]:
    if isinstance(error, MeanFieldError):
        return str(error), EXIT_NO_ANSWER if isinstance(error, NO_ANSWER) else EXIT_BAD_INPUT
    if isinstance(error, UsageError):
        return "this command line cannot be read: 'meanfield --help' lists what there is", EXIT_BAD_INPUT
    if isinstance(error, OSError):
        what = "standard output is closed" if error.errno == errno.EBADF else error.strerror or error
        return f"cannot write the result: {what}; give it a place with room", EXIT_BAD_INPUT
    if isinstance(error, MemoryError):
        return "this takes more memory than there is: ask for fewer numbers or smaller networks", EXIT_BAD_INPUT
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return "interrupted", process.INTERRUPTED
    return f"internal error ({type(error).__name__}: {error}); 'meanfield --debug …' shows where", EXIT_BAD_INPUT


app = typer.Typer(
    cls=_Commands,
    invoke_without_command=True,
    # Plain help starts twice as fast as the rich one.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from meanfield.version import __version__

        print(f"meanfield {__version__}")
        raise typer.Exit


@app.callback()
def meanfield(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """Mean-field theory of deep networks: type an activation, and know whether a deep network with it can be trained.

    \b
    Examples:
      meanfield eoc --act soft-threshold --tau 0.5
      meanfield check --act "clip(x, -1, 1)" --sigma-w 1.2 --sigma-b 0.1
      meanfield maps --act relu
      meanfield derive --act "clipped-relu(tau, m)"
    """
    if isinstance(context.command, _Commands):
        context.command.debug = debug
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """The command in a process of its own."""
    # Importing makes many objects and no garbage: looking for some at the usual rate costs a tenth of a short command.
    gc.set_threshold(100_000)
    process.prepare(quiet="--debug" not in sys.argv)
    try:
        app(prog_name="meanfield")
    except SystemExit as end:
        process.no_more_signals()
        if end.code == process.INTERRUPTED:
            process.end_interrupted()
        raise
