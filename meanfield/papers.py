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

@inproceedings{{he2015delving,
  title         = {{Delving deep into rectifiers: surpassing human-level performance on {{ImageNet}} classification}},
  author        = {{He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian}},
  booktitle     = {{IEEE International Conference on Computer Vision}},
  pages         = {{1026--1034}},
  year          = {{2015}},
  eprint        = {{1502.01852}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.1502.01852}},
  url           = {{https://arxiv.org/abs/1502.01852}}
}}

@inproceedings{{hayou2019impact,
  title         = {{On the impact of the activation function on deep neural networks training}},
  author        = {{Hayou, Soufiane and Doucet, Arnaud and Rousseau, Judith}},
  booktitle     = {{Proceedings of the 36th International Conference on Machine Learning}},
  series        = {{Proceedings of Machine Learning Research}},
  volume        = {{97}},
  pages         = {{2672--2680}},
  year          = {{2019}},
  eprint        = {{1902.06853}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.1902.06853}},
  url           = {{https://proceedings.mlr.press/v97/hayou19a.html}}
}}

@misc{{martens2021rapid,
  title         = {{Rapid training of deep neural networks without skip connections or normalization layers using
                   deep kernel shaping}},
  author        = {{Martens, James and Ballard, Andy and Desjardins, Guillaume and Swirszcz, Grzegorz and
                   Dalibard, Valentin and Sohl-Dickstein, Jascha and Schoenholz, Samuel S.}},
  year          = {{2021}},
  eprint        = {{2110.01765}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.2110.01765}},
  url           = {{https://arxiv.org/abs/2110.01765}}
}}

@inproceedings{{zhang2022deep,
  title         = {{Deep learning without shortcuts: shaping the kernel with tailored rectifiers}},
  author        = {{Zhang, Guodong and Botev, Aleksandar and Martens, James}},
  booktitle     = {{International Conference on Learning Representations}},
  year          = {{2022}},
  eprint        = {{2203.08120}},
  archiveprefix = {{arXiv}},
  doi           = {{10.48550/arXiv.2203.08120}},
  url           = {{https://arxiv.org/abs/2203.08120}}
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
