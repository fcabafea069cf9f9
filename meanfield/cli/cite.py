"""`meanfield cite`: what to cite."""

from __future__ import annotations

__all__ = ["cite"]

_BIBTEX = """\
@software{{meanfield,
  title   = {{{{meanfield}}: mean-field theory of deep networks with any piecewise-linear activation}},
  author  = {{{{The meanfield developers}}}},
  version = {{{version}}},
  year    = {{2026}}
}}

@inproceedings{{poole2016exponential,
  title     = {{Exponential expressivity in deep neural networks through transient chaos}},
  author    = {{Poole, Ben and Lahiri, Subhaneil and Raghu, Maithra and Sohl-Dickstein, Jascha and Ganguli, Surya}},
  booktitle = {{Advances in Neural Information Processing Systems}},
  year      = {{2016}}
}}

@inproceedings{{schoenholz2017deep,
  title     = {{Deep information propagation}},
  author    = {{Schoenholz, Samuel S. and Gilmer, Justin and Ganguli, Surya and Sohl-Dickstein, Jascha}},
  booktitle = {{International Conference on Learning Representations}},
  year      = {{2017}}
}}

@inproceedings{{pennington2017resurrecting,
  title     = {{Resurrecting the sigmoid in deep learning through dynamical isometry: theory and practice}},
  author    = {{Pennington, Jeffrey and Schoenholz, Samuel S. and Ganguli, Surya}},
  booktitle = {{Advances in Neural Information Processing Systems}},
  year      = {{2017}}
}}

@inproceedings{{price2024deep,
  title     = {{Deep neural network initialization with sparsity inducing activations}},
  author    = {{Price, Ilan and Ball, Nicholas Daultry and Lam, Samuel C. H. and Jones, Adam C. and Tanner, Jared}},
  booktitle = {{International Conference on Learning Representations}},
  year      = {{2024}}
}}

@inproceedings{{awasthi2024learning,
  title     = {{Learning neural networks with sparse activations}},
  author    = {{Awasthi, Pranjal and Dikkala, Nishanth and Kamath, Pritish and Meka, Raghu}},
  booktitle = {{Conference on Learning Theory}},
  year      = {{2024}}
}}
"""


def cite() -> None:
    """BibTeX entries for meanfield and for the papers whose theory it computes.

    \b
    Examples:
      meanfield cite
      meanfield cite > meanfield.bib
    """
    from meanfield.version import __version__

    print(_BIBTEX.format(version=__version__), end="")
