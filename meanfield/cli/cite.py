"""`meanfield cite`: what to cite."""

from __future__ import annotations

__all__ = ["cite"]


def cite() -> None:
    """BibTeX entries for meanfield and for the papers whose theory it computes.

    \b
    Examples:
      meanfield cite
      meanfield cite > meanfield.bib
    """
    from meanfield.papers import BIBTEX
    from meanfield.version import __version__

    print(BIBTEX.format(version=__version__), end="")
