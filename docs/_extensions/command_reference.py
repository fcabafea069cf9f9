"""`{commands}`: a section for every command, with the help that it prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command
from typer.testing import CliRunner

from meanfield.cli import app


class Commands(SphinxDirective):
    """Sections of all commands, in their order."""

    def run(self) -> list[nodes.Node]:
        """Ask each for its help."""
        return [self._section(name) for name in _names((), get_command(app))]

    def _section(self, name: tuple[str, ...]) -> nodes.section:
        title = " ".join(("meanfield", *name))
        said = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*name, "--help"], prog_name="meanfield", color=False)
        section = nodes.section("", nodes.title(text=title), ids=[nodes.make_id(title)], names=[title])
        section += nodes.literal_block(said.stdout, said.stdout, language="text")
        self.state.document.note_implicit_target(section, section)
        return section


def _names(name: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    """The command and those below it."""
    yield name
    if hasattr(command, "list_commands"):
        context = command.make_context("meanfield", [], resilient_parsing=True)
        for below in command.list_commands(context):
            yield from _names((*name, below), command.get_command(context, below))


def setup(app: Any) -> dict[str, bool]:
    """Known to Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
