"""Networks on which the foretold shares of lost signals and gradients are tried: fixed before any was drawn.

`CALIBRATION` may shape the theory and the words, `TEST` tries them, and `ORTHOGONAL` tries other weights. By family:
piecewise linear of every shape and smooth, widths 64 to 1000, depths 5 to 300, on the edge of chaos and on either side
of it, some without biases. Depths are such that some shares are near 0, some near 1 and many between.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import meanfield as mf
from meanfield.finite_width.experiment import Weights

__all__ = ["CALIBRATION", "GRIDS", "ORTHOGONAL", "TEST", "Case", "Grid"]


@dataclass(frozen=True)
class Case:
    """A network to be drawn many times.

    Attributes:
        spec: the activation.
        width, depth: N and L.
        q_star: of the edge of chaos; with weights given, the variance whose fixed point is judged.
        sigma_w, sigma_b: the weights, None for those of the edge.
        networks: how many are drawn; fewer where one takes long.
        weights: how they are drawn.
        start: the variance at layer 0, by default that which networks are judged around.
    """

    spec: str
    width: int
    depth: int
    q_star: float = 1.0
    sigma_w: float | None = None
    sigma_b: float = 0.0
    networks: int = 400
    weights: Weights = "gaussian"
    start: float | None = None

    @cached_property
    def point(self) -> mf.OperatingPoint:
        """The network, and the variance that its signal is to keep."""
        return mf.operating_point(mf.activation(self.spec), self.q_star, self.sigma_w, self.sigma_b)

    @property
    def experiment(self) -> mf.Experiment:
        """What is drawn: whole weight matrices, one input forward and one gradient backward."""
        q = self.point.variance
        return mf.Experiment(
            self.point.network,
            self.width,
            self.depth,
            self.networks,
            start=self.start or q,
            inputs=1,
            weights=self.weights,
            backward=True,
            method="networks",
            q_star=q,
            # Networks of equal width would else have equal weights in all cases.
            seed=zlib.crc32(repr(self).encode()),
        )

    @property
    def label(self) -> str:
        """In a line."""
        scales = "" if self.sigma_w is None else f" ({self.sigma_w:g}, {self.sigma_b:g})"
        at = "" if self.q_star == 1 else f" at {self.q_star:g}"
        return f"{self.spec}{scales}{at}"

    @property
    def phase(self) -> str:
        """Where gradients stand: on the edge, ordered or chaotic."""
        return "edge of chaos" if self.sigma_w is None else mf.diagnose(self.point, with_remedies=False).phase


#: Cases by family.
Grid = Mapping[str, tuple[Case, ...]]

CALIBRATION: Grid = {
    "homogeneous": (
        Case("relu", 64, 10),
        Case("relu", 100, 100),
        Case("relu", 1000, 20, networks=120),
        Case("relu", 200, 30, sigma_w=1.38),
        Case("relu", 128, 60, q_star=2, sigma_w=1.393, sigma_b=0.245),
        Case("leaky-relu(0.1)", 300, 30, networks=300),
        Case("leaky-relu(0.3)", 128, 50, q_star=4),
        Case("leaky-relu(0.1)", 128, 30, sigma_w=1.5),
        Case("abs", 64, 30),
        Case("abs", 256, 100, q_star=0.5, networks=150),
        Case("abs", 200, 60, sigma_w=0.975, sigma_b=0.224, networks=300),
    ),
    "sparse, unclipped": (
        Case("shifted-relu(0.5244)", 300, 30, networks=300),
        Case("shifted-relu(1.0364)", 300, 10),
        Case("shifted-relu(0.2)", 128, 30, q_star=2),
        Case("shifted-relu(0.5)", 100, 60, sigma_w=1.708, sigma_b=0.623),
        Case("soft-threshold(0.3)", 200, 50, networks=300),
        Case("soft-threshold(0.6745)", 300, 20),
        Case("soft-threshold(1.0364)", 100, 20),
        Case("soft-threshold(0.5)", 128, 50, q_star=2, sigma_w=1.134, sigma_b=0.767),
    ),
    "sparse, clipped": (
        Case("clipped-relu(1.0364, 0.81)", 100, 30),
        Case("clipped-relu(1.0364, 1.17)", 128, 30),
        Case("clipped-relu(1.0364, 1.74)", 300, 60, networks=200),
        Case("clipped-relu(1.2816, 1.61)", 300, 30, networks=300),
        Case("clipped-relu(1.8124, 1.61)", 300, 30, q_star=2, networks=300),
        Case("clipped-relu(0.5, 1)", 100, 100),
        Case("clipped-relu(1.0364, 1.17)", 128, 100, sigma_w=2.612, sigma_b=0.79, networks=300),
        Case("clipped-relu(1.0364, 1.17)", 200, 50, sigma_w=2.841, sigma_b=0.745, networks=300),
        Case("clipped-soft-threshold(1.44, 0.6728)", 200, 30),
        Case("clipped-soft-threshold(1.44, 1)", 1000, 20, networks=100),
        Case("clipped-soft-threshold(0.6745, 1.5)", 64, 100),
        Case("clipped-soft-threshold(1, 1)", 100, 40, sigma_w=1.84, sigma_b=0.802),
    ),
    "saturating": (
        Case("hard-tanh", 100, 100),
        Case("hard-tanh", 300, 100, sigma_w=1.5, sigma_b=0.1, networks=120),
        Case("hard-tanh", 128, 60, sigma_w=1.2, sigma_b=0.2),
        Case("hard-tanh", 128, 30, sigma_w=0.8, sigma_b=0.4),
        Case("hard-tanh", 64, 30, sigma_w=0.8),
        Case("hard-tanh", 64, 60, sigma_w=1.18, sigma_b=0.531),
        Case("hard-tanh(-0.5, 2)", 64, 120),
        Case("relu6", 128, 60),
        Case("relu6", 200, 40, q_star=16, networks=300),
        Case("relu6", 100, 50, q_star=4, sigma_w=1.4),
        Case("relu6", 64, 80, q_star=4, sigma_w=1.395, sigma_b=0.359),
    ),
    "other straight": (
        Case("abs(x) - 0.5", 300, 50, networks=150),
        Case("abs(x) - 0.5", 64, 150),
        Case("abs(x) - 0.5", 128, 100, sigma_w=1.03, sigma_b=0.722, networks=300),
        Case("points: (-1,-0.4) (0,0.1) (1.5,1.2); left=0.2, right=0", 64, 150),
        Case("points: (-1,-0.4) (0,0.1) (1.5,1.2); left=0.2, right=0", 200, 60, sigma_w=2, sigma_b=0.1, networks=250),
        Case("points: (-1,-1) (1,1); left=0.1, right=0.5", 64, 200),
        Case("points: (-1,-1) (1,1); left=0.1, right=0.5", 64, 100, q_star=2, sigma_w=1.277, sigma_b=0.667),
        Case("points: (-2,1) (0,0) (1,1); left=-0.3, right=1.5", 300, 20, networks=300),
    ),
    "jumps": (
        Case("ternary(0.6)", 100, 30, sigma_w=1.2, sigma_b=0.3),
        Case("where(x > 0.5, x, 0)", 128, 8, sigma_w=1.2, sigma_b=0.6),
    ),
    "smooth, bounded": (
        Case("tanh", 64, 100),
        Case("tanh", 300, 60, networks=150),
        Case("tanh", 100, 300, q_star=0.5, networks=300),
        Case("tanh", 100, 50, sigma_w=1.5, sigma_b=0.05),
        Case("tanh", 128, 60, sigma_w=0.9, sigma_b=0.3),
        Case("tanh", 64, 100, sigma_w=1.489, sigma_b=0.354),
        Case("erf", 100, 150),
        Case("erf", 200, 50, sigma_w=1.3, networks=300),
    ),
    "smooth, with a dip": (
        Case("gelu", 100, 50),
        Case("gelu", 300, 30, q_star=0.5, networks=250),
        Case("gelu", 1000, 10, q_star=2, networks=120),
        Case("gelu", 128, 60, sigma_w=1.421, sigma_b=0.377),
        Case("gelu", 200, 40, sigma_w=1.366, sigma_b=0.455, networks=300),
        Case("gelu", 64, 50, sigma_w=1.6),
        Case("silu", 200, 50, networks=300),
        Case("silu", 64, 30, q_star=4),
        Case("silu", 300, 30, sigma_w=1.452, sigma_b=0.5, networks=250),
        Case("silu", 128, 30, sigma_w=1.54, sigma_b=0.395),
        Case("mish", 128, 50),
        Case("mish", 100, 50, sigma_w=1.393, sigma_b=0.349),
        Case("mish", 64, 60, sigma_w=1.6),
    ),
    "smooth, exponential": (
        Case("elu", 128, 100),
        Case("elu", 100, 300, networks=250),
        Case("elu", 64, 100, sigma_w=1.3),
        Case("elu", 512, 30, q_star=4, networks=120),
        Case("selu", 100, 60),
        Case("selu", 64, 200, q_star=2),
        Case("selu", 300, 100, sigma_w=1, networks=120),
        Case("selu", 64, 100, sigma_w=0.942, sigma_b=0.337),
        Case("softplus", 64, 80, q_star=2, sigma_w=1.2, sigma_b=0.1),
        Case("softplus", 64, 8, q_star=2, sigma_w=1.3),
    ),
}

TEST: Grid = {
    "homogeneous": (
        Case("relu", 256, 15),
        Case("relu", 64, 60),
        Case("relu", 512, 20, q_star=3, networks=120),
        Case("relu", 100, 50, sigma_w=1.43),
        Case("relu", 300, 40, sigma_w=1.342, sigma_b=0.316, networks=250),
        Case("relu", 64, 300, networks=300),
        Case("leaky-relu(0.2)", 64, 20),
        Case("leaky-relu(0.05)", 100, 60, sigma_w=1.398, sigma_b=0.141),
        Case("leaky-relu(0.5)", 200, 100, q_star=2, networks=200),
        Case("abs", 100, 20),
        Case("abs", 128, 200, q_star=3, networks=250),
        Case("abs", 300, 50, sigma_w=0.99, sigma_b=0.141, networks=150),
    ),
    "sparse, unclipped": (
        Case("shifted-relu(0.3)", 200, 30),
        Case("shifted-relu(0.8)", 300, 15),
        Case("shifted-relu(0.5)", 64, 10, q_star=2),
        Case("shifted-relu(0.7)", 128, 30, sigma_w=1.874, sigma_b=0.708),
        Case("shifted-relu(0.4)", 100, 40, sigma_w=1.7),
        Case("soft-threshold(0.2)", 100, 30),
        Case("soft-threshold(0.8)", 256, 20),
        Case("soft-threshold(0.5)", 1000, 20, networks=100),
        Case("soft-threshold(0.4)", 64, 60, sigma_w=1.143, sigma_b=0.584),
        Case("soft-threshold(0.8)", 200, 40, q_star=3, sigma_w=1.227, sigma_b=0.983, networks=300),
    ),
    "sparse, clipped": (
        Case("clipped-relu(0.8, 1)", 100, 30),
        Case("clipped-relu(0.8416, 1.3)", 200, 60, networks=300),
        Case("clipped-relu(1.2816, 1)", 300, 50, networks=200),
        Case("clipped-relu(1.2816, 1.61)", 1000, 15, q_star=2, networks=100),
        Case("clipped-relu(1.5, 1.5)", 128, 40, q_star=2),
        Case("clipped-relu(0.3, 1.5)", 64, 100),
        Case("clipped-relu(0.9, 1.2)", 100, 40, sigma_w=2.391, sigma_b=0.76),
        Case("clipped-relu(1.1, 1.1)", 150, 40, sigma_w=3.073, sigma_b=0.75),
        Case("clipped-relu(1.2, 2.4)", 200, 40, networks=300),
        Case("clipped-soft-threshold(1.2, 0.9)", 128, 40),
        Case("clipped-soft-threshold(1.6, 0.8)", 300, 40, networks=200),
        Case("clipped-soft-threshold(0.5, 1)", 64, 60),
        Case("clipped-soft-threshold(1.3, 1.5)", 200, 60, q_star=2, networks=250),
        Case("clipped-soft-threshold(0.9, 0.9)", 100, 50, sigma_w=2.013, sigma_b=0.73),
    ),
    "saturating": (
        Case("hard-tanh", 64, 60),
        Case("hard-tanh", 200, 150, q_star=0.5, networks=150),
        Case("hard-tanh", 100, 40, sigma_w=1.4),
        Case("hard-tanh", 300, 30, sigma_w=0.9, sigma_b=0.2, networks=250),
        Case("hard-tanh", 128, 120, q_star=2, sigma_w=1.42, sigma_b=0.84, networks=300),
        Case("hard-tanh(-2, 0.7)", 100, 150),
        Case("hard-sigmoid", 100, 20, sigma_w=3, sigma_b=0.3),
        Case("relu6", 64, 100, q_star=9),
        Case("relu6", 128, 40, q_star=2, sigma_w=1.378, sigma_b=0.316),
        Case("relu6", 256, 30, sigma_w=1.5, networks=300),
    ),
    "other straight": (
        Case("abs(x) - 0.5", 100, 200, networks=300),
        Case("abs(x) - 0.5", 64, 100, q_star=0.5, sigma_w=0.97, sigma_b=0.57),
        Case("points: (-1,0.3) (0.5,-0.2) (2,1); left=-0.6, right=0.2", 64, 150),
        Case("points: (-1,0.3) (0.5,-0.2) (2,1); left=-0.6, right=0.2", 64, 40, q_star=2, sigma_w=1.7),
        Case("points: (-0.5,-0.2) (0.5,0.2); left=1, right=0.3", 256, 30, networks=300),
        Case("points: (-0.5,-0.2) (0.5,0.2); left=1, right=0.3", 64, 50, sigma_w=1.505, sigma_b=0.428),
        Case("points: (-1.5,-1) (-0.5,0) (0.5,0) (1.5,1); left=0, right=0", 64, 120),
        Case("points: (0,0) (1,1) (2,0); left=0.1, right=0.1", 200, 40, networks=300),
    ),
    "jumps": (
        Case("ternary(1)", 64, 40, sigma_w=1, sigma_b=0.5),
        Case("where(x > 1, x, 0.2*x)", 100, 12, sigma_w=1.3, sigma_b=0.8),
    ),
    "smooth, bounded": (
        Case("tanh", 100, 200, networks=300),
        Case("tanh", 128, 60, q_star=3),
        Case("tanh", 256, 120, sigma_w=1.3, sigma_b=0.1, networks=120),
        Case("tanh", 128, 20, sigma_w=0.9),
        Case("erf", 64, 80, q_star=0.5),
        Case("erf", 128, 30, sigma_w=1, sigma_b=0.3),
        Case("erf", 64, 150, sigma_w=1.351, sigma_b=0.389),
    ),
    "smooth, with a dip": (
        Case("gelu", 64, 10),
        Case("gelu", 512, 30, networks=120),
        Case("gelu", 100, 40, q_star=2, sigma_w=1.356, sigma_b=0.552),
        Case("gelu", 128, 60, q_star=3, sigma_w=1.5),
        Case("silu", 128, 15),
        Case("silu", 300, 20, q_star=0.5, networks=300),
        Case("silu", 200, 60, q_star=2, sigma_w=1.436, sigma_b=0.594, networks=250),
        Case("silu", 1000, 10, networks=120),
        Case("mish", 100, 15),
        Case("mish", 200, 60, q_star=2, sigma_w=1.376, sigma_b=0.454, networks=250),
        Case("mish", 64, 40, sigma_w=1.355, sigma_b=0.411),
    ),
    "smooth, exponential": (
        Case("elu", 100, 60, q_star=2),
        Case("elu", 64, 80, sigma_w=1.18, sigma_b=0.32),
        Case("elu", 256, 100, sigma_w=1.25, sigma_b=0.05, networks=120),
        Case("selu", 100, 300, q_star=0.5, networks=200),
        Case("selu", 128, 150, sigma_w=0.985, sigma_b=0.172, networks=250),
        Case("softplus", 100, 5, sigma_w=0.9, sigma_b=0.3),
        Case("softplus", 200, 10, q_star=3, sigma_w=1.25),
    ),
}

ORTHOGONAL: Grid = {
    "orthogonal": (
        Case("relu", 64, 60, weights="orthogonal"),
        Case("leaky-relu(0.1)", 200, 30, networks=200, weights="orthogonal"),
        Case("shifted-relu(0.5244)", 100, 30, weights="orthogonal"),
        Case("soft-threshold(0.6745)", 200, 20, weights="orthogonal"),
        Case("clipped-relu(1.2816, 1.61)", 200, 30, networks=200, weights="orthogonal"),
        Case("clipped-relu(0.5, 1)", 100, 100, networks=300, weights="orthogonal"),
        Case("hard-tanh", 64, 150, weights="orthogonal"),
        Case("hard-tanh", 128, 60, sigma_w=1.2, sigma_b=0.2, weights="orthogonal"),
        Case("abs(x) - 0.5", 64, 150, weights="orthogonal"),
        Case("tanh", 100, 200, networks=200, weights="orthogonal"),
        Case("gelu", 128, 30, weights="orthogonal"),
        Case("silu", 128, 30, sigma_w=1.54, sigma_b=0.395, weights="orthogonal"),
        Case("elu", 64, 100, sigma_w=1.3, weights="orthogonal"),
        Case("erf", 64, 100, sigma_w=1.351, sigma_b=0.389, weights="orthogonal"),
    ),
}

#: By name.
GRIDS = {"calibration": CALIBRATION, "test": TEST, "orthogonal": ORTHOGONAL}
