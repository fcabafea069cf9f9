"""Ways to V, χ₁ and R of a network without biases and with σ_w = 1: meanfield, its peers, and what one writes by hand.

Each is called as its own documentation calls it; where that has no such call, by the function inside that computes it.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from scipy.integrate import dblquad, nquad, quad
from scipy.special import erf, expit, ndtr

import meanfield as mf

__all__ = ["KINKS", "MAKERS", "NAMES", "Way", "edge_by"]

Array = Any
Function = Callable[[Any], Any]
_DENSITY = 1 / math.sqrt(2 * math.pi)

#: As many R of those are timed as take a large part of a second each.
SLOW = 1


@dataclass(frozen=True)
class Way:
    """A way to arrays of V(q), χ₁(q) and R(ρ; q), each None where it has none; q is one number for R."""

    V: Callable[[str, Array], Array] | None
    chi1: Callable[[str, Array], Array] | None
    R: Callable[[str, Array, float], Array] | None
    #: As many V's, χ₁'s and R's are timed as an array.
    many: tuple[int, int, int]
    #: (σ_w, σ_b²) at q*.
    edge: Callable[[str, float], tuple[float, float]] | None = None

    @property
    def is_slow(self) -> bool:
        """Whether R is found one at a time, in a large part of a second or more."""
        return self.many[2] == SLOW


def edge_by(way: Way) -> Callable[[str, float], tuple[float, float]] | None:
    """Its own edge of chaos, or else what its V and χ₁ give: σ_w² = 1/χ₁, σ_b² = q* − V/χ₁."""
    if way.edge or not (way.V and way.chi1):
        return way.edge
    V, chi1 = way.V, way.chi1

    def edge(name: str, q_star: float) -> tuple[float, float]:
        at = np.array([q_star])
        gain = float(chi1(name, at)[0])
        return 1 / math.sqrt(gain), q_star - float(V(name, at)[0]) / gain

    return edge


#: Where φ has a kink.
KINKS: dict[str, tuple[float, ...]] = {
    "relu": (0.0,),
    "leaky-relu(0.1)": (0.0,),
    "soft-threshold(0.5)": (-0.5, 0.5),
    "clipped-relu(1, 1)": (1.0, 2.0),
    "hard-tanh": (-1.0, 1.0),
    "tanh": (),
    "gelu": (),
    "silu": (),
    "elu": (0.0,),
    "erf": (),
}
NAMES = tuple(KINKS)


def straight(xp: Any) -> dict[str, Function]:
    """The piecewise-linear ones in numpy, or what has its names."""
    return {
        "relu": lambda x: xp.maximum(x, 0.0),
        "leaky-relu(0.1)": lambda x: xp.maximum(x, 0.1 * x),
        "soft-threshold(0.5)": lambda x: xp.maximum(x - 0.5, 0.0) - xp.maximum(-x - 0.5, 0.0),
        "clipped-relu(1, 1)": lambda x: xp.minimum(xp.maximum(x - 1.0, 0.0), 1.0),
        "hard-tanh": lambda x: xp.minimum(xp.maximum(x, -1.0), 1.0),
    }


PHI: dict[str, Function] = {
    **straight(np),
    "tanh": np.tanh,
    "gelu": lambda x: x * ndtr(x),
    "silu": lambda x: x * expit(x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "erf": erf,
}
SLOPE: dict[str, Function] = {
    "relu": lambda x: (x > 0) * 1.0,
    "leaky-relu(0.1)": lambda x: np.where(x > 0, 1.0, 0.1),
    "soft-threshold(0.5)": lambda x: (np.abs(x) > 0.5) * 1.0,
    "clipped-relu(1, 1)": lambda x: ((x > 1) & (x < 2)) * 1.0,
    "hard-tanh": lambda x: (np.abs(x) < 1) * 1.0,
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "gelu": lambda x: ndtr(x) + x * np.exp(-x * x / 2) * _DENSITY,
    "silu": lambda x: expit(x) * (1 + x * expit(-x)),
    "elu": lambda x: np.exp(np.minimum(x, 0)),
    "erf": lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x),
}


def ours() -> Way:
    networks = {name: mf.MeanField(mf.activation(name), 1.0) for name in NAMES}

    def edge(name: str, q_star: float) -> tuple[float, float]:
        found = mf.edge_of_chaos(networks[name].activation, q_star)
        return found.sigma_w, found.sigma_b_squared

    return Way(
        lambda name, q: networks[name].V(q),
        lambda name, q: networks[name].chi1(q),
        lambda name, rho, q: networks[name].R(rho, q),
        (10**5, 10**5, 10**5),
        edge,
    )


def gauss_hermite() -> Way:
    """100 nodes, and their products."""
    z, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights * _DENSITY

    def average(of: dict[str, Function], name: str, q: Array) -> Array:
        return np.square(of[name](np.multiply.outer(np.sqrt(q), z))) @ weights

    def R(name: str, rho: Array, q: float) -> Array:
        phi, root, found = PHI[name], math.sqrt(q), []
        at_u = weights * phi(root * z)
        for r in rho:
            found.append(at_u @ phi(root * (r * z[:, None] + math.sqrt((1 - r) * (1 + r)) * z)) @ weights)
        return np.array(found) / average(PHI, name, q)

    return Way(partial(average, PHI), partial(average, SLOPE), R, (10**4, 10**4, 200))


def scipy_plain() -> Way:
    """As one writes it first: over the line and the plane, with scipy's own tolerances."""

    def average(of: dict[str, Function], name: str, q: Array) -> Array:
        phi = of[name]

        def integrand(z: float, root: float) -> float:
            return phi(root * z) ** 2 * math.exp(-z * z / 2) * _DENSITY

        return np.array([quad(integrand, -np.inf, np.inf, (math.sqrt(one),))[0] for one in q])

    def R(name: str, rho: Array, q: float) -> Array:
        phi, root, ends = PHI[name], math.sqrt(q), (-np.inf, np.inf)

        def integrand(y: float, x: float, r: float) -> float:
            other = r * x + math.sqrt((1 - r) * (1 + r)) * y
            return phi(root * x) * phi(root * other) * math.exp(-(x * x + y * y) / 2) * _DENSITY**2

        found = [dblquad(integrand, *ends, *ends, (float(r),))[0] for r in rho]
        return np.array(found) / average(PHI, name, np.array([q]))

    return Way(partial(average, PHI), partial(average, SLOPE), R, (20, 20, SLOW))


def scipy_told() -> Way:
    """Ten standard deviations to each side, the kinks as `points`, and as much accuracy as there is to ask for."""
    end = 10.0

    def inside(points: Sequence[float]) -> list[float]:
        return [point for point in points if abs(point) < end]

    def average(of: dict[str, Function], name: str, q: Array) -> Array:
        phi = of[name]

        def one(root: float) -> float:
            def integrand(z: float) -> float:
                return phi(root * z) ** 2 * math.exp(-z * z / 2) * _DENSITY

            points = inside([kink / root for kink in KINKS[name]]) or None
            return quad(integrand, -end, end, points=points, epsabs=0, epsrel=1e-13, limit=200)[0]

        return np.array([one(math.sqrt(each)) for each in q])

    def R(name: str, rho: Array, q: float) -> Array:
        phi, root = PHI[name], math.sqrt(q)
        kinks = [kink / root for kink in KINKS[name]]

        def one(r: float) -> float:
            rest = math.sqrt((1 - r) * (1 + r))

            def integrand(y: float, x: float) -> float:
                return phi(root * x) * phi(root * (r * x + rest * y)) * math.exp(-(x * x + y * y) / 2) * _DENSITY**2

            # nquad has `points` of the inner variable at each value of the outer one.
            tolerances = {"epsabs": 1e-14, "epsrel": 1e-10, "limit": 100}
            inner = lambda x: {**tolerances, "points": inside([(kink - r * x) / rest for kink in kinks])}  # noqa: E731
            outer = {**tolerances, "points": inside(kinks)}
            return nquad(integrand, [(-end, end)] * 2, opts=[inner, outer])[0]

        return np.array([one(float(r)) for r in rho]) / average(PHI, name, np.array([q]))

    return Way(partial(average, PHI), partial(average, SLOPE), R, (20, 20, SLOW))


def dks() -> Way:
    """Martens et al. (2021): the functions inside that its transformations are solved with, which are at q = 1."""
    from autograd import numpy
    from dks.base.activation_getter import get_activation_function
    from dks.base.activation_transform import _calc_c_map, _calc_c_slope, _estimate_gaussian_mean

    theirs = {"relu": "relu", "tanh": "tanh", "gelu": "gelu_exact", "silu": "swish", "elu": "elu", "erf": "erf"}
    functions = {**straight(numpy), **{name: get_activation_function(own) for name, own in theirs.items()}}
    leaky = get_activation_function("leaky_relu")
    functions["leaky-relu(0.1)"] = lambda x: leaky(x, negative_slope=0.1)

    def scaled(name: str, q: float) -> Function:
        return lambda x: functions[name](math.sqrt(q) * x)

    def one(name: str, q: float) -> float:
        phi = scaled(name, q)
        return float(_estimate_gaussian_mean(lambda x: phi(x) ** 2))

    return Way(
        lambda name, q: np.array([one(name, float(each)) for each in q]),
        lambda name, q: np.array([float(_calc_c_slope(scaled(name, each), q_output=each)) for each in q]),
        lambda name, rho, q: np.array([float(_calc_c_map(scaled(name, q), c=float(r))) for r in rho]),
        (5, 5, SLOW),
    )


def anyinit(panels: int | None = None) -> Way:
    """Its profile of a function: V. With finer panels, for its search keeps no two kinks closer than 1.9."""
    from anyinit import ActivationProfile
    from anyinit.core.profile import QuadratureConfig

    config = QuadratureConfig(panels=panels) if panels else None
    profiles = {name: ActivationProfile(name, PHI[name], config=config) for name in NAMES}
    return Way(
        lambda name, q: np.array([profiles[name].moments(0.0, float(each)).m2 for each in q]),
        None,
        None,
        (50, 0, 0),
    )


def neural_tangents(degree: int, digits: int) -> Way:
    """Its kernel of a layer: closed forms of ReLU, leaky ReLU, GELU and erf, Gauss-Hermite of all else; compiled."""
    # TensorFlow, which it loads, has much to say.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import jax
    from jax import numpy as jnp
    from jax.experimental import disable_x64, enable_x64
    from neural_tangents import stax

    precision = enable_x64 if digits == 64 else disable_x64
    functions = {**straight(jnp), "tanh": jnp.tanh, "silu": jax.nn.silu, "elu": jax.nn.elu}

    @cache
    def kernel(name: str) -> Any:
        closed = {
            "relu": stax.Relu,
            "leaky-relu(0.1)": lambda: stax.LeakyRelu(0.1),
            "gelu": stax.Gelu,
            "erf": stax.Erf,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer = closed[name]() if name in closed else stax.ElementwiseNumerical(functions[name], degree)
        return stax.serial(stax.Dense(1), layer)[2]

    @cache
    def compiled_V(name: str) -> Any:
        return jax.jit(lambda x: kernel(name)(x, None, "cov1"))

    @cache
    def compiled_chi1(name: str) -> Any:
        return jax.jit(jax.vmap(lambda x: kernel(name)(x[None], None, "ntk")[0, 0]))

    @cache
    def compiled_R(name: str) -> Any:
        def R(x: Any, y: Any) -> Any:
            found = kernel(name)(x, y, ("nngp", "cov1", "cov2"))
            return found.nngp[0] / jnp.sqrt(found.cov1 * found.cov2)

        return jax.jit(R)

    def V(name: str, q: Array) -> Array:
        with precision():
            return np.asarray(compiled_V(name)(np.sqrt(q)[:, None]), dtype=float)

    def chi1(name: str, q: Array) -> Array:
        with precision():
            # One layer's tangent kernel is q χ₁.
            return np.asarray(compiled_chi1(name)(np.sqrt(q)[:, None]), dtype=float) / q

    def R(name: str, rho: Array, q: float) -> Array:
        size, rho = math.sqrt(2 * q), np.asarray(rho)
        one = np.array([[size, 0.0]])
        others = size * np.stack([rho, np.sqrt((1 - rho) * (1 + rho))], axis=1)
        with precision():
            return np.asarray(compiled_R(name)(one, others), dtype=float)

    return Way(V, chi1, R, (10**4, 500, 500))


#: How each is made, by its name, in the order of the tables: what a peer has as its default, or as what its
#: documentation starts from, and then its best.
MAKERS: dict[str, Callable[[], Way]] = {
    "meanfield": ours,
    "neural-tangents, degree 25, 32 bits": lambda: neural_tangents(25, 32),
    "neural-tangents, degree 100, 64 bits": lambda: neural_tangents(100, 64),
    "dks": dks,
    "anyinit": anyinit,
    "anyinit, 1024 panels": lambda: anyinit(1024),
    "Gauss-Hermite, 100 nodes": gauss_hermite,
    "scipy quad, dblquad": scipy_plain,
    "scipy, told the kinks": scipy_told,
}
