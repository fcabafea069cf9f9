"""How the pages of docs/ become a site: `make docs`."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

from meanfield.version import __version__

# What is of this site alone.
sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project, author, version = "meanfield", "The meanfield developers", __version__
copyright = author
extensions = [
    *("myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"),
    *("sphinx-mathjax-offline", "sphinx_copybutton", "command_reference"),
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# Every page that computes is computed anew, and what fails, fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

# Quotes stay as they are typed: V'(q*) has a prime.
smartquotes = False
# The letters that prose and commands have: φ is the activation, ϕ the normal density.
mathjax3_config = {"tex": {"macros": {"phi": "φ", "varphi": "ϕ"}}}

html_theme = "furo"
html_title = "meanfield"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_search_scorer = str(Path(__file__).parent / "_static/scorer.js")
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

# Types of attributes are in the signature.
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("Array", "ArrayLike", "Integers", "Record")}
default_role = "code"


def _plain(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are prose: q*, |x| and edge_of_chaos_ are no markup, nor is a line that begins with s. a list."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`|(?<![\w*])\*\w[\w ]*\*(?![\w*]))", line)
        lines[number] = "".join(
            part if kept else re.sub(r"([*|\\]|_\b|(?<=^\w)\.)", r"\\\1", part)
            for part, kept in zip(parts, itertools.cycle((False, True)), strict=False)
        )
    if what == "property" and ":" in lines[0]:
        # What stands before a colon would be read as its type, if it came first.
        lines[:0] = ["..", ""]


def _aliases(app: Any, what: str, name: str, of: Any, options: Any, signature: str, returned: str) -> Any:
    """Names of types inside others as they are in the source."""
    return tuple(text and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text) for text in (signature, returned))


def _whole(app: Any, document: nodes.document, page: str) -> None:
    """An option is not broken after its dashes."""
    for literal in document.findall(nodes.literal):
        if literal.astext().startswith("-") and len(literal.astext()) <= 24:
            literal["classes"].append("whole")


def setup(app: Any) -> None:
    """What docstrings and pages are before they are read and after."""
    # Before Google's sections are read, that they keep what is escaped.
    app.connect("autodoc-process-docstring", _plain, priority=400)
    app.connect("autodoc-process-signature", _aliases)
    app.connect("doctree-resolved", _whole)
