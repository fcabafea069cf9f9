"""A group of commands, each imported when it is asked for: one need not wait for the others."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from meanfield.cli.places import Command

__all__ = ["LazyGroup"]


class LazyGroup(TyperGroup):
    """Commands by name: each is the function of that name, or another such group, in the module of that name.

    `package` holds the modules, `names` stand in the order of help, and `kind` is what a function becomes. `listed`
    says what a command is for where that is not how its own help begins.
    """

    package: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    listed: ClassVar[Mapping[str, str]] = {}
    kind: ClassVar[type[TyperCommand]] = Command

    def list_commands(self, ctx: Any) -> list[str]:
        """All names."""
        return [*self.names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, None if there is none."""
        # Of those in `commands` typer suggests the nearest to a name that is unknown: then all are made.
        for name in [cmd_name] if cmd_name in self.names else self.names:
            self.commands[name] = self._made(name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in help: what each command is for, without its options, which take long to make."""
        room = formatter.width - 6 - max(map(len, self.names))
        about = {name: TyperCommand(name=name, help=self._meaning(name)) for name in self.names}
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(room)) for name, command in about.items()])

    def _found(self, name: str) -> Any:
        return getattr(import_module(f"{self.package}.{name}"), name)

    def _meaning(self, name: str) -> str | None:
        found = self._found(name)
        return self.listed.get(name) or (found.help if isinstance(found, LazyGroup) else found.__doc__)

    def _made(self, name: str) -> Any:
        found = self._found(name)
        if isinstance(found, LazyGroup):
            return found
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, cls=self.kind)(found)
        return typer.main.get_command(app)
