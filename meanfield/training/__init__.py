"""Networks trained on real data, with the verdict of their initialisation fixed beforehand."""
