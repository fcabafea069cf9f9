"""A group of commands, each imported when it is asked for: one need not wait for the others."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "LazyGroup", "UsageError"]

#: Every error in the use of commands and options; typer exports only those derived from it.
UsageError: Any = typer.BadParameter.__base__


class Command(TyperCommand):
    """A command that says in our words what is wrong with its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options; what cannot be read is told before anything is computed.

        Raises:
            Misuse: an option unknown, without its value, given twice or missing, or a word too many.
        """
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        from meanfield.cli import places, usage

        names = {name: option for option in self.get_params(ctx) for name in (*option.opts, *option.secondary_opts)}
        options = {name: option for name, option in names.items() if name.startswith("-")}
        try:
            values, rest, order = self.make_parser(ctx).parse_args([*args])
            if not values.get("help"):
                self._require_sense(ctx, values, rest, order, options)
            left = super().parse_args(ctx, args)
            places.require_files(ctx.params)
            return left
        except UsageError as fault:
            name = getattr(fault, "option_name", None)
            if name is None:
                # Only a missing option is left.
                missing = fault.param.opts[0]
                what = missing if missing in options else f"a {missing}"
                raise usage.required(ctx, what, self._example()) from None
            if name not in options:
                raise usage.no_option(ctx, name, [*options]) from None
            given = next((arg.partition("=")[2] for arg in args if arg.startswith(f"{name}=")), None)
            raise usage.no_value(ctx, name, given) from None

    def _require_sense(
        self, ctx: Any, values: Mapping[str, Any], rest: list[str], order: list[Any], options: Mapping[str, Any]
    ) -> None:
        from meanfield.cli import usage

        parameters: list[Any] = self.get_params(ctx)
        for option in parameters:
            taken = values.get(option.name)
            if any(value in options for value in (taken if isinstance(taken, list) else [taken]) if value is not None):
                raise usage.no_value(ctx, option.opts[0])
            if order.count(option) > 1 and not (option.multiple or option.is_flag):
                raise usage.Misuse(f"{option.opts[0]} is given twice: give it once")
        if values.get("chi") is not None and any(values.get(name) is not None for name in ("sigma_w", "sigma_b")):
            raise usage.Misuse("--chi sets weights and biases at q*: leave it out, or --sigma-w and --sigma-b")
        if rest:
            # Where a word of its own comes first, those after it are no activation.
            taken = "act" in values or any(option.param_type_name == "argument" for option in parameters)
            raise usage.leftover(ctx, rest, taken if "--act" in options else None)

    def _example(self) -> str:
        """The first of the examples in its help."""
        lines = (line.strip() for line in (self.help or "").splitlines())
        return next(line for line in lines if line.startswith("meanfield "))


class LazyGroup(TyperGroup):
    """Commands by name: each is the function of that name, or another such group, in the module of that name.

    `package` holds the modules, `names` say in the order of help what each command is for, in so few words that a line
    of 80 columns holds them, and `kind` is what a function becomes.
    """

    package: ClassVar[str]
    names: ClassVar[Mapping[str, str]]
    kind: ClassVar[type[Command]] = Command

    def list_commands(self, ctx: Any) -> list[str]:
        """All names."""
        return [*self.names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, None if there is none."""
        if cmd_name in self.names:
            self.commands[cmd_name] = self._made(cmd_name)
        return self.commands.get(cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command.

        Raises:
            Misuse: an option that is none, or no command where one has to be.
        """
        from meanfield.cli import usage

        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            raise usage.no_command(ctx, None, [*self.names])
        try:
            return super().parse_args(ctx, args)
        except UsageError as fault:
            # All that can be wrong before a command is an option that is none.
            options = [name for option in self.get_params(ctx) for name in option.opts]
            raise usage.no_option(ctx, fault.option_name, options, before=next(iter(self.names))) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names, and the words after it.

        Raises:
            Misuse: it names none.
        """
        if args[0] not in self.names and not ctx.resilient_parsing:
            from meanfield.cli import usage

            raise usage.no_command(ctx, args[0], [*self.names])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in help; no command is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.names.items()])

    def _made(self, name: str) -> Any:
        python = name.replace("-", "_")
        found = getattr(import_module(f"{self.package}.{python}"), python)
        if isinstance(found, LazyGroup):
            return found
        from meanfield.cli.usage import read_as_written

        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, cls=self.kind)(found)
        command: Any = typer.main.get_command(app)
        read_as_written(command.params, found)
        return command
