"""How the pages of docs/ become a site: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

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

html_theme = "furo"
html_title = "meanfield"
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

# Types of attributes are in the signature.
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("Array", "ArrayLike", "Integers", "Record")}
default_role = "code"


def _plain(app: Any, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are prose: q*, |x| and edge_of_chaos_ are no markup."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        lines[number] = "".join(
            part if part.startswith("`") else re.sub(r"([*|\\]|_\b)", r"\\\1", part) for part in parts
        )


def setup(app: Any) -> None:
    """Before Google's sections are read, that they keep what is escaped."""
    app.connect("autodoc-process-docstring", _plain, priority=400)
