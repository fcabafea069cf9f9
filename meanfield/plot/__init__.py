"""Figures for papers. The only room that loads matplotlib, and none of its global state is touched.

>>> import meanfield as mf
>>> edge = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1, m=1)"))
>>> ax = mf.plot.variance({"m = 1": edge})
>>> mf.plot.save(ax, "variance.pdf", "variance.png")

Every function draws one kind of figure, into `ax` or into a new figure laid out for a `Page`, and returns its Axes (a
tuple of them where the figure has several panels). Other keyword arguments go to matplotlib's curves.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
