"""Errors and times of smooth activations, beside other ways to the same numbers. Run: make accuracy.

Errors are against mpmath, sums in extended precision (smooth_reference.py), and 25-digit values
(tests/data/smooth.json); those of C are in units of E φ². The peers `dks` and `anyinit` take part where they are
installed: DKS has C and χ₁ at q = 1 of any function, and so at any q of φ(√q x); AnyInit has V alone.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf
from rich.console import Console
from rich.table import Table
from scipy.integrate import IntegrationWarning, dblquad, quad
from scipy.special import erf, ndtr
from smooth_reference import DEFINED, sine_loss, sine_moments
from stopwatch import seconds

import meanfield as mf
from meanfield.infinite_width import moments
from meanfield.infinite_width.covariance import covariance, covariance_loss

REFERENCE = json.loads((Path(__file__).parent.parent / "tests/data/smooth.json").read_text())
VARIANCES = (1e-6, 1e-3, 1.0, 1e3, 1e6)
#: Variances and ε's where sums over two variables take seconds.
FEW, EPSILONS = (1e-6, 1.0, 1e6), (1e-10, 1e-2, 1.0)
MOMENTS = ("second_moment", "slope_moment", "second_moment_d1", "squared_curvature")
SINE = "sin(20*x)"


def relative(found: float, exact: Any, size: Any = None) -> float:
    """|found − exact|, in units of the exact value or of what is given."""
    with mp.workdps(40):
        return float(abs(mpf(found) - exact) / (exact if size is None else size))


def moment_errors(name: str) -> list[float]:
    """The largest of V, χ₁, V' (in units of the larger of V' and E φ²/q) and R''(1) over the variances."""
    phi, worst = mf.activation(name), [0.0] * len(MOMENTS)
    for q in VARIANCES:
        exact = sine_moments(20, q) if name == SINE else DEFINED[name].moments(q)
        for i, moment in enumerate(MOMENTS):
            size = max(exact[moment], exact["second_moment"] / mpf(q)) if moment == "second_moment_d1" else None
            found = phi_moment(phi, moment, q)
            if math.isfinite(found):
                worst[i] = max(worst[i], relative(found, exact[moment], size))
            else:
                worst[i] = math.inf
    return worst


def phi_moment(phi: Any, moment: str, q: float) -> float:
    """A moment as `infinite_width.moments` has it."""
    of = getattr(moments, moment)
    return float(of(phi, q, 2) if moment == "slope_moment" else of(phi, q))


def pair_errors(name: str) -> tuple[float, float]:
    """The largest of C, and of 1 − R(1 − ε)."""
    phi, of_product, of_loss = mf.activation(name), 0.0, 0.0
    for entry in REFERENCE:
        if entry["activation"] != name or "covariance" not in entry:
            continue
        square = mpf(entry["second_moment"])
        for rho, exact in entry["covariance"].items():
            of_product = max(of_product, relative(covariance(phi, float(rho), entry["q"]), mpf(exact), square))
            # erf has no extended precision; the difference of closer inputs has too few digits.
            if name == "gelu" and 1e-7 < (eps := 1 - float(rho)):
                loss = covariance_loss(phi, eps, entry["q"])
                of_loss = max(of_loss, relative(loss, square - mpf(exact)))
    if name == "gelu":
        return of_product, of_loss
    for q in FEW[:2] if name == SINE else FEW:
        square = mpf(moments.second_moment(phi, q))
        for rho in (-0.9, 0.5, 0.99):
            exact = _sine_covariance(rho, q) if name == SINE else DEFINED[name].covariance(rho, q)
            of_product = max(of_product, relative(covariance(phi, rho, q), exact, square))
        for eps in EPSILONS:
            exact = sine_loss(20, eps, q) if name == SINE else DEFINED[name].loss(eps, q)
            of_loss = max(of_loss, relative(covariance_loss(phi, eps, q), exact))
    return of_product, of_loss


def _sine_covariance(rho: float, q: float) -> mpf:
    size = 400 * mpf(q)
    return (mp.exp(-size * (1 - mpf(rho))) - mp.exp(-size * (1 + mpf(rho)))) / 2


class Way(NamedTuple):
    """A way to E φ², E φ'² and C(ρ), on arrays or one at a time; None what it has not."""

    variance: Callable[[str, Any], Any]
    gain: Callable[[str, float], float] | None
    product: Callable[[str, Any, float], Any] | None
    #: How many q's and ρ's are timed.
    variances: int
    correlations: int


#: φ and φ' in numpy.
PLAIN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "gelu": (lambda x: x * ndtr(x), lambda x: ndtr(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x))),
    "erf": (erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0))),
}
SHOWN = ("tanh", "gelu", "elu")


def ours() -> Way:
    phis = {name: mf.activation(name) for name in SHOWN}
    return Way(
        lambda name, q: moments.second_moment(phis[name], q),
        lambda name, q: moments.slope_moment(phis[name], q, 2),
        lambda name, rho, q: covariance(phis[name], rho, q),
        10**5,
        10**5,
    )


def gauss_hermite() -> Way:
    """100 nodes, and their products."""
    z, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / math.sqrt(2 * math.pi)

    def average(phi: Callable[[Any], Any], q: Any) -> Any:
        return np.square(phi(np.multiply.outer(np.sqrt(q), z))) @ weights

    def product(name: str, rho: Any, q: float) -> Any:
        phi, root, found = PLAIN[name][0], math.sqrt(q), []
        for r in np.atleast_1d(rho):
            v = r * z[:, None] + math.sqrt((1 - r) * (1 + r)) * z
            found.append((weights * phi(root * z)) @ phi(root * v) @ weights)
        return np.array(found) if np.ndim(rho) else found[0]

    return Way(
        lambda name, q: average(PLAIN[name][0], q), lambda name, q: average(PLAIN[name][1], q), product, 10**5, 500
    )


def by_quad() -> Way:
    """scipy's adaptive rules, at what accuracy they are willing to reach."""

    def average(phi: Callable[[Any], Any], q: Any) -> Any:
        def integrand(z: float, root: float) -> float:
            return phi(root * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        means = [
            quad(integrand, -10, 10, (math.sqrt(one),), epsabs=0, epsrel=1e-13, limit=200)[0] for one in np.ravel(q)
        ]
        return np.array(means) if np.ndim(q) else means[0]

    def product(name: str, rho: Any, q: float) -> Any:
        phi, root = PLAIN[name][0], math.sqrt(q)

        def integrand(y: float, x: float, r: float) -> float:
            other = r * x + math.sqrt((1 - r) * (1 + r)) * y
            return phi(root * x) * phi(root * other) * math.exp(-(x * x + y * y) / 2) / (2 * math.pi)

        found = [dblquad(integrand, -10, 10, -10, 10, (float(r),), 0, 1e-9)[0] for r in np.ravel(rho)]
        return np.array(found) if np.ndim(rho) else found[0]

    return Way(lambda name, q: average(PLAIN[name][0], q), lambda name, q: average(PLAIN[name][1], q), product, 200, 1)


def by_dks() -> Way:
    """DKS, Martens et al. (2021): 100,000 Gauss-Legendre nodes in one variable, scipy's dblquad in two."""
    from autograd import elementwise_grad
    from dks.base.activation_getter import get_activation_function
    from dks.base.activation_transform import _calc_c_map, _estimate_gaussian_mean

    names = {"gelu": "gelu_exact"}

    def scaled(name: str, q: float) -> Callable[[Any], Any]:
        phi, root = get_activation_function(names.get(name, name)), math.sqrt(q)
        return lambda x: phi(root * x)

    def one(name: str, q: float) -> float:
        phi = scaled(name, q)
        return float(_estimate_gaussian_mean(lambda x: phi(x) ** 2))

    def variance(name: str, q: Any) -> Any:
        return np.array([one(name, each) for each in np.ravel(q)]) if np.ndim(q) else one(name, q)

    def gain(name: str, q: float) -> float:
        slope = elementwise_grad(scaled(name, q))
        return float(_estimate_gaussian_mean(lambda x: slope(x) ** 2)) / q

    def product(name: str, rho: Any, q: float) -> Any:
        found = [float(_calc_c_map(scaled(name, q), c=float(r), q_output=1.0)) for r in np.ravel(rho)]
        return np.array(found) if np.ndim(rho) else found[0]

    return Way(variance, gain, product, 10, 1)


def by_anyinit() -> Way:
    from anyinit.core import activations
    from anyinit.core.profile import ActivationProfile

    profiles = {name: ActivationProfile(name, getattr(activations, name)) for name in SHOWN}

    def variance(name: str, q: Any) -> Any:
        found = [profiles[name].moments(0.0, float(each)).m2 for each in np.ravel(q)]
        return np.array(found) if np.ndim(q) else found[0]

    return Way(variance, None, None, 500, 0)


def ways() -> Iterator[tuple[str, Way]]:
    yield "meanfield", ours()
    yield "Gauss-Hermite, 100 nodes", gauss_hermite()
    yield "scipy quad and dblquad", by_quad()
    if find_spec("dks"):
        yield "DKS", by_dks()
    if find_spec("anyinit"):
        yield "AnyInit", by_anyinit()


def compared(way: Way) -> list[str]:
    """Errors of V, χ₁ and C over tanh, GELU and ELU, and times of V and R with tanh."""
    errors = [0.0, 0.0, 0.0]
    for entry in REFERENCE:
        name, q = entry["activation"], entry["q"]
        if name not in SHOWN or q < 0.1:
            continue
        square = mpf(entry["second_moment"])
        errors[0] = max(errors[0], relative(way.variance(name, q), square))
        if way.gain:
            errors[1] = max(errors[1], relative(way.gain(name, q), mpf(entry["slope_second_moment"])))
        if way.product and q == 10:
            exact = mpf(entry["covariance"]["0.5"])
            errors[2] = max(errors[2], relative(way.product(name, 0.5, q), exact, square))
    q, each = np.random.default_rng(0).uniform(0.1, 10, way.variances), count(1)
    # Other q's every time: AnyInit remembers.
    variance = seconds(lambda: way.variance("tanh", q * (1 + 1e-6 * next(each))), 3) / q.size
    scalar = seconds(lambda: way.variance("tanh", 1 + 1e-6 * next(each)), 20)
    cells = [f"{errors[0]:.0e}", f"{errors[1]:.0e}" if way.gain else "", f"{errors[2]:.0e}" if way.product else ""]
    cells += [micro(variance), micro(scalar)]
    if way.product:
        rho, product = np.linspace(-0.99, 0.99, way.correlations), way.product
        cells.append(micro(seconds(lambda: product("tanh", rho, 1.7), 3) / rho.size))
    return cells


def micro(duration: float) -> str:
    """A time in µs, two digits."""
    return f"{duration * 1e6:.2g}" if duration < 1e-4 else f"{duration * 1e6:.0f}"


def own_times(name: str) -> list[str]:
    """V of 10⁵ variances each, a scalar V, R of 10⁵ correlations each, and what the first of them take at a new q."""
    network, q, each = (
        mf.MeanField(mf.activation(name), 1.0),
        np.random.default_rng(0).uniform(0.01, 10, 10**5),
        count(1),
    )
    variance = seconds(lambda: network.V(q)) / q.size
    scalar = seconds(lambda: network.V(1 + 1e-6 * next(each)), 200)
    rho, first = np.linspace(-1, 1, 10**5), []
    for at in (0.3, 1.7, 7.0):
        first.append(seconds(lambda at=at: network.R(rho, at), 1))
    again = seconds(lambda: network.R(rho, 1.7))
    return [
        micro(variance),
        micro(scalar),
        micro(again / rho.size),
        f"{min(first) - again:.2f} to {max(first) - again:.2f}",
    ]


COMMANDS = {
    "meanfield eoc --act gelu": (["eoc", "--act", "gelu"], "≤ 1.5"),
    "meanfield check --act gelu --sigma-w 1.5": (["check", "--act", "gelu", "--sigma-w", "1.5"], "≤ 1 s"),
}


def command_times(arguments: list[str]) -> tuple[float, float, float]:
    """Processor time of a command and of the imports that it needs, in turns, and the command's time on the clock."""
    base = [sys.executable, "-c", "import numpy, scipy.special, typer, rich.table"]
    run = [sys.executable, "-m", "meanfield", *arguments]
    pairs = [(_processor_time(run), _processor_time(base)) for _ in range(7)]
    clock = seconds(lambda: subprocess.run(run, stdout=subprocess.DEVNULL, check=True))
    return min(command for command, _ in pairs), min(imports for _, imports in pairs), clock


def _processor_time(command: list[str]) -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the tables."""
    console = Console(width=110)
    # Times first, while nothing is remembered.
    table = Table("φ", "V, each", "V, one", "R, each", "its set-up, s", title="Times, µs")
    for name in ("tanh", "gelu", "silu", "mish", "elu", "selu", "hardswish"):
        table.add_row(name, *own_times(name))
    console.print(table)
    table = Table("", "V", "χ₁", "C", "V, each", "V, one", "R, each", title="Errors, and times in µs")
    for name, way in ways():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IntegrationWarning)
            table.add_row(name, *compared(way))
    console.print(table)
    table = Table("command", "processor time / imports", "seconds", "bar")
    for name, (arguments, bar) in COMMANDS.items():
        command, imports, clock = command_times(arguments)
        table.add_row(name, f"{command / imports:.2f}", f"{clock:.2f}", bar)
    console.print(table)
    table = Table("φ", "V", "χ₁", "V'", "R''(1)", "C", "1 - R(1 - ε)", title="Largest errors")
    for name in (*DEFINED, SINE):
        errors = [*moment_errors(name), *pair_errors(name)]
        table.add_row(name, *("∞" if math.isinf(error) else f"{error:.1e}" for error in errors))
    console.print(table)


if __name__ == "__main__":
    mp.dps = 40
    main()
