"""The papers whose theory is computed, as BibTeX and in a line each. Loads nothing."""

from __future__ import annotations

import re

__all__ = ["BIBTEX", "short"]

#: Entries for meanfield, of a `{version}`, and for the papers.
BIBTEX = """\
@misc{{meanfield,
  title   = {{{{meanfield}}: mean-field theory of deep networks with any activation}},
  author  = {{{{The meanfield developers}}}},
  note    = {{Python package, version {version}}},
  version = {{{version}}},
  year    = {{2026}}
}}

@inproceedings{{poole2016exponential,
  title         = {{Exponential expressivity in deep neural networks through transient chaos}},
  author        = {{Poole, Ben and Lahiri, Subhaneil and Raghu, Maithra and Sohl-Dickstein, Jascha and
                   Ganguli, Surya}},
  booktitle     = {{Advances in Neural Information Processing Systems}},
  volume        = {{29}},
  year          = {{2016}},
  eprint        = {{1606.05340}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.1606.05340}},
  url           = {{https://arxiv.org/abs/1606.05340}}
}}

@inproceedings{{schoenholz2017deep,
  title         = {{Deep information propagation}},
  author        = {{Schoenholz, Samuel S. and Gilmer, Justin and Ganguli, Surya and Sohl-Dickstein, Jascha}},
  booktitle     = {{International Conference on Learning Representations}},
  year          = {{2017}},
  eprint        = {{1611.01232}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.1611.01232}},
  url           = {{https://arxiv.org/abs/1611.01232}}
}}

@inproceedings{{pennington2017resurrecting,
  title         = {{Resurrecting the sigmoid in deep learning through dynamical isometry: theory and practice}},
  author        = {{Pennington, Jeffrey and Schoenholz, Samuel S. and Ganguli, Surya}},
  booktitle     = {{Advances in Neural Information Processing Systems}},
  volume        = {{30}},
  year          = {{2017}},
  eprint        = {{1711.04735}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.1711.04735}},
  url           = {{https://proceedings.neurips.cc/paper/2017/hash/d9fc0cdb67638d50f411432d0d41d0ba-Abstract.html}}
}}

@inproceedings{{price2024deep,
  title         = {{Deep neural network initialization with sparsity inducing activations}},
  author        = {{Price, Ilan and Ball, Nicholas Daultry and Lam, Samuel C. H. and Jones, Adam C. and
                   Tanner, Jared}},
  booktitle     = {{International Conference on Learning Representations}},
  year          = {{2024}},
  eprint        = {{2402.16184}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.2402.16184}},
  url           = {{https://openreview.net/forum?id=uvXK8Xk9Jk}}
}}

@inproceedings{{awasthi2024learning,
  title         = {{Learning neural networks with sparse activations}},
  author        = {{Awasthi, Pranjal and Dikkala, Nishanth and Kamath, Pritish and Meka, Raghu}},
  booktitle     = {{Proceedings of Thirty Seventh Conference on Learning Theory}},
  series        = {{Proceedings of Machine Learning Research}},
  volume        = {{247}},
  pages         = {{406--425}},
  year          = {{2024}},
  eprint        = {{2406.17989}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.2406.17989}},
  url           = {{https://proceedings.mlr.press/v247/awasthi24a.html}}
}}

@misc{{dent2026how,
  title         = {{How controlling the variance can improve training stability of sparsely activated {{DNNs}} and
                   {{CNNs}}}},
  author        = {{Dent, Emily and Tanner, Jared}},
  year          = {{2026}},
  eprint        = {{2602.05779}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.2602.05779}},
  url           = {{https://arxiv.org/abs/2602.05779}}
}}
"""


def short(key: str) -> str:
    """A paper in a line, by its key: Poole et al. (2016), arXiv:1606.05340."""
    start = BIBTEX.index(f"{{{{{key},")
    entry = BIBTEX[start : BIBTEX.find("\n}}", start)]
    authors, year, eprint = (
        re.sub(r"\s+", " ", re.search(rf"{field}\s*= {{{{(.*?)}}}},\n", entry, re.DOTALL)[1])  # type: ignore[index]
        for field in ("author", "year", "eprint")
    )
    names = [name.partition(",")[0] for name in authors.split(" and ")]
    told = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{told} ({year}), arXiv:{eprint}"
