"""The named activations, one line each: what it is called, what parameters it takes, and its formula.

A name means its formula and nothing else: the formula is read like any expression that a user writes, so a new
activation is a new line here. This module loads nothing heavy; shell completion reads its names.

Names are compared without regard to case, `-` and `_`: soft-threshold, SoftThreshold and soft_threshold are one. A
library may stand before one that it has: torch.nn.ReLU, jax.nn.hard_tanh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from meanfield.activations.elsewhere import LIBRARIES, NOT_ELEMENTWISE, NOT_EVERYWHERE, UNNAMED, key
from meanfield.activations.entry import Entry, Parameter

__all__ = ["ACTIVATIONS", "SMOOTH", "STRAIGHT", "find", "is_of_library", "nearest", "refusal", "usual"]

_tau = Parameter("tau", ">= 0")
_m = Parameter("m", "> 0", endless=True)
_low, _high = Parameter("low", example=-8), Parameter("high", example=8)
_BETWEEN = ("low", "high")
_alpha = Parameter("alpha", default=1)
_APPROXIMATE = {"approximate": {"tanh": "gelu-tanh", "True": "gelu-tanh", "none": "gelu", "False": "gelu"}}

#: The piecewise-linear activations. (PyTorch's names are those of torch.nn and torch.nn.functional.)
STRAIGHT: tuple[Entry, ...] = (
    Entry("relu", (), "max(x, 0)", "rectified linear unit", fuller="keras-relu"),
    Entry(
        "leaky-relu",
        (Parameter("slope"),),
        "max(x, 0) + slope*min(x, 0)",
        "ReLU with a slope for negative x; PyTorch's and JAX's leaky_relu, 0.01 where none is given",
        elsewhere={"negative_slope": "slope", "alpha": "slope"},
        usual={
            "leakyrelu": {"slope": 0.01},
            "keras.layers.leakyrelu": {"slope": 0.3},
            "keras.activations.leakyrelu": {"slope": 0.2},
            "tf.nn.leakyrelu": {"slope": 0.2},
        },
    ),
    Entry(
        "prelu",
        (Parameter("init"),),
        "max(x, 0) + init*min(x, 0)",
        "leaky ReLU whose slope is learned, at its first value; PyTorch's PReLU, 0.25 where none is given",
        elsewhere={"slope": "init", "negative_slope_init": "init", "weight": "init", "num_parameters": ""},
        usual={"prelu": {"init": 0.25}, "flax.linen.prelu": {"init": 0.01}, "keras.layers.prelu": {"init": 0}},
    ),
    Entry(
        "rrelu",
        (Parameter("lower", default=1 / 8), Parameter("upper", default=1 / 3)),
        "max(x, 0) + (lower + upper)/2*min(x, 0)",
        "leaky ReLU of random slope, at its mean as when it is evaluated; PyTorch's RReLU",
    ),
    Entry("abs", (), "abs(x)", "absolute value"),
    Entry("identity", (), "x", "no activation: a linear network", ("linear",)),
    Entry("shifted-relu", (_tau,), "max(x - tau, 0)", "ReLU past a threshold: zero up to tau", ("srelu",)),
    Entry(
        "soft-threshold",
        (_tau,),
        "max(x - tau, 0) - max(-x - tau, 0)",
        "shrinks x towards zero by tau; PyTorch's softshrink, by that name 0.5 where none is given",
        ("softshrink", "st"),
        {"lambd": "tau", "threshold": "tau"},
        usual={"softshrink": {"tau": 0.5}},
    ),
    Entry(
        "clipped-relu",
        (_tau, _m),
        "clip(x - tau, 0, m)",
        "shifted ReLU that stops growing at height m",
        ("crelu",),
        unclipped="max(x - tau, 0)",
    ),
    Entry(
        "clipped-soft-threshold",
        (_tau, _m),
        "clip(x - tau, 0, m) - clip(-x - tau, 0, m)",
        "soft threshold that stops growing at height m",
        ("cst",),
        unclipped="max(x - tau, 0) - max(-x - tau, 0)",
    ),
    Entry(
        "hard-threshold",
        (_tau,),
        "where(abs(x) > tau, x, 0)",
        "keeps x beyond tau, zero within; PyTorch's hardshrink, by that name 0.5 where none is given",
        ("hardshrink",),
        {"lambd": "tau", "threshold": "tau"},
        usual={"hardshrink": {"tau": 0.5}},
    ),
    Entry(
        "threshold",
        (Parameter("threshold"), Parameter("value", example=0)),
        "where(x > threshold, x, value)",
        "keeps x above threshold, else value; PyTorch's Threshold",
        elsewhere={"default_value": "value"},
    ),
    Entry(
        "thresholded-relu",
        (Parameter("theta", ">= 0", default=1),),
        "where(x > theta, x, 0)",
        "keeps x above theta, else zero; Keras 2's ThresholdedReLU",
    ),
    Entry(
        "hard-tanh",
        (Parameter("min_val", default=-1), Parameter("max_val", default=1)),
        "clip(x, min_val, max_val)",
        "identity between two bounds, flat outside; PyTorch's hardtanh, JAX's hard_tanh",
        elsewhere={"min_value": "min_val", "max_value": "max_val"},
        ascending=("min_val", "max_val"),
    ),
    Entry(
        "hard-sigmoid",
        (),
        "clip(x/6 + 1/2, 0, 1)",
        "ramp from 0 at -3 to 1 at 3; PyTorch's hardsigmoid, JAX's and Keras 3's hard_sigmoid",
    ),
    Entry("sparse-sigmoid", (), "clip(x/2 + 1/2, 0, 1)", "ramp from 0 at -1 to 1 at 1; JAX's sparse_sigmoid"),
    Entry("relu6", (), "clip(x, 0, 6)", "ReLU that stops growing at 6; PyTorch's and JAX's relu6"),
    Entry(
        "keras-relu",
        (
            Parameter("max_value", ">= 0", endless=True, default=math.inf),
            Parameter("negative_slope", default=0),
            Parameter("threshold", default=0),
        ),
        "where(x < threshold, negative_slope*(x - threshold), min(x, max_value))",
        "ReLU with Keras's parameters: relu(max_value=6) means it too",
        elsewhere={"alpha": "negative_slope"},
        unclipped="where(x < threshold, negative_slope*(x - threshold), x)",
    ),
    Entry("sign", (), "sign(x)", "-1 or 1", ("binarize",)),
    Entry("step", (), "step(x)", "0 or 1: the perceptron's", ("heaviside",)),
    Entry("ternary", (_tau,), "step(x - tau) - step(-x - tau)", "-1, 0 or 1, zero within tau", ("ternarize",)),
    Entry(
        "round", (_low, _high), "round(clip(x, low, high))", "nearest whole number, x clipped first", ascending=_BETWEEN
    ),
    Entry(
        "floor", (_low, _high), "floor(clip(x, low, high))", "whole number below, x clipped first", ascending=_BETWEEN
    ),
    Entry("ceil", (_low, _high), "ceil(clip(x, low, high))", "whole number above, x clipped first", ascending=_BETWEEN),
    Entry(
        "quantize",
        (
            Parameter("bits", "> 0", example=4, whole=(1, 12)),
            Parameter("low", default=-1),
            Parameter("high", default=1),
        ),
        "low + (high - low)/(2**bits - 1)*round((clip(x, low, high) - low)*(2**bits - 1)/(high - low))",
        "nearest of 2**bits levels, equally spaced from low to high, both among them",
        ("quantise",),
        ascending=_BETWEEN,
    ),
)

#: The smooth ones, analytic but for a few breaks; for some values of their parameters they are piecewise linear too.
SMOOTH: tuple[Entry, ...] = (
    Entry("tanh", (), "tanh(x)", "hyperbolic tangent"),
    Entry("sigmoid", (), "sigmoid(x)", "1/(1 + exp(-x))", ("logistic",)),
    Entry("erf", (), "erf(x)", "error function"),
    Entry(
        "gelu",
        (),
        "x*Phi(x)",
        "Gaussian error linear unit, exactly; JAX's and Flax's gelu is gelu-tanh where nothing is said",
        choices=_APPROXIMATE,
    ),
    Entry(
        "gelu-tanh",
        (),
        "x/2*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))",
        "GELU as approximate=tanh of PyTorch and approximate=True of JAX and Keras have it",
        ("gelu-new",),
        choices=_APPROXIMATE,
    ),
    Entry("quick-gelu", (), "x*sigmoid(1.702*x)", "GELU with a sigmoid; CLIP's"),
    Entry("silu", (), "x*sigmoid(x)", "sigmoid linear unit: swish of beta 1", fuller="swish"),
    Entry("swish", (Parameter("beta", default=1),), "x*sigmoid(beta*x)", "from x/2 at beta = 0 to ReLU for large beta"),
    Entry("mish", (), "x*tanh(softplus(x))", "self-regularised relative of SiLU"),
    Entry("elu", (_alpha,), "where(x > 0, x, alpha*expm1(x))", "exponential linear unit"),
    Entry(
        "selu",
        (),
        "1.0507009873554805*where(x > 0, x, 1.6732632423543773*expm1(x))",
        "scaled ELU, whose fixed point is mean 0 and variance 1",
    ),
    Entry(
        "celu",
        (Parameter("alpha", "> 0", default=1),),
        "where(x > 0, x, alpha*expm1(x/alpha))",
        "ELU with a continuous slope",
    ),
    Entry(
        "softplus",
        (Parameter("beta", "> 0", default=1),),
        "softplus(beta*x)/beta",
        "log(1 + exp(x)), smooth ReLU; PyTorch's threshold, past which it takes x, changes it by no more than 2.1e-9",
        elsewhere={"threshold": ""},
    ),
    Entry("softsign", (), "x/(1 + abs(x))", "tends to -1 and 1 slowly"),
    Entry("tanhshrink", (), "x - tanh(x)", "what tanh takes away"),
    Entry("logsigmoid", (), "logsigmoid(x)", "log(sigmoid(x)) = -softplus(-x)"),
    Entry("hard-swish", (), "x*clip(x/6 + 1/2, 0, 1)", "swish with hard-sigmoid; MobileNet's", ("hard-silu",)),
    Entry("relu2", (), "relu(x)**2", "squared ReLU", ("squared-relu", "relu-squared")),
    Entry(
        "squareplus",
        (Parameter("b", ">= 0", default=4),),
        "(x + sqrt(x**2 + b))/2",
        "algebraic softplus; ReLU at b = 0",
    ),
    Entry("sparse-plus", (), "where(x < 1, relu(x + 1)**2/4, x)", "parabola from 0 at -1 to x at 1; JAX's sparse_plus"),
    Entry(
        "smelu",
        (Parameter("beta", "> 0", default=1),),
        "where(x < beta, relu(x + beta)**2/(4*beta), x)",
        "ReLU rounded between -beta and beta",
    ),
    Entry("sin", (), "sin(x)", "sine", ("sine",)),
    Entry("cos", (), "cos(x)", "cosine", ("cosine",)),
    Entry("snake", (Parameter("a", "> 0", default=1),), "x + sin(a*x)**2/a", "x and a ripple, for what is periodic"),
    Entry("gaussian", (), "exp(-x**2)", "bell"),
    Entry("exp", (), "exp(x)", "exponential", ("exponential",)),
    Entry("square", (), "x**2", "parabola"),
    Entry("atan", (), "atan(x)", "arc tangent", ("arctan",)),
    Entry("asinh", (), "asinh(x)", "grows as log(2*x)", ("arcsinh",)),
    Entry("bent-identity", (), "(sqrt(x**2 + 1) - 1)/2 + x", "slope from 1/2 to 3/2"),
    Entry("log-cosh", (), "log(cosh(x))", "abs rounded at 0"),
    Entry("isru", (Parameter("alpha", "> 0", default=1),), "x/sqrt(1 + alpha*x**2)", "inverse square root unit"),
    Entry(
        "isrlu",
        (Parameter("alpha", "> 0", default=1),),
        "where(x < 0, x/sqrt(1 + alpha*x**2), x)",
        "ISRU for negative x, else x",
    ),
    Entry("lisht", (), "x*tanh(x)", "even, abs far out"),
    Entry("logish", (), "x*log(1 + sigmoid(x))", "relative of SiLU"),
    Entry("smish", (), "x*tanh(log(1 + sigmoid(x)))", "relative of Mish"),
    Entry("serf", (), "x*erf(softplus(x))", "relative of Mish"),
    Entry("phish", (), "x*tanh(x*Phi(x))", "GELU within tanh"),
    Entry("tanhexp", (), "x*tanh(exp(x))", "relative of Mish"),
    Entry("elish", (), "where(x < 0, expm1(x), x)*sigmoid(x)", "ELU times sigmoid"),
    Entry("sqnl", (), "clip(x, -2, 2) - clip(x, -2, 2)*abs(clip(x, -2, 2))/4", "tanh of two parabolas"),
)

#: Every named activation.
ACTIVATIONS = (*STRAIGHT, *SMOOTH)

#: Fewer letters begin too many names.
_SHORT = 3

#: Libraries that mean another line of the catalogue by a name than it does by itself.
_OF_LIBRARY = {"jax.nn.gelu": "gelu-tanh", "flax.linen.gelu": "gelu-tanh"}

_BY_KEY = {key(name): entry for entry in ACTIVATIONS for name in (entry.name, *entry.aliases)}


def is_of_library(name: str) -> bool:
    """Whether the name is written with a library before it, as in torch.nn.ReLU."""
    return name.rpartition(".")[0].casefold() in LIBRARIES


def find(name: str) -> Entry | None:
    """The activation of that name or alias, torch.nn.ReLU and the like among them, if there is one."""
    prefix, _, last = name.rpartition(".")
    if prefix and (prefix.casefold() not in LIBRARIES or key(last) not in LIBRARIES[prefix.casefold()][1].split()):
        return None
    return _BY_KEY.get(key(_OF_LIBRARY.get(_dotted(prefix, last), last)))


def usual(name: str) -> Mapping[str, float]:
    """The values that parameters of the activation of that name have where none is given."""
    entry = find(name)
    if not entry:
        return {}
    prefix, _, last = name.rpartition(".")
    return entry.usual.get(_dotted(prefix, last)) or entry.usual.get(key(last), {})


def _dotted(prefix: str, last: str) -> str:
    """The name with its library before it as it is compared; "" without a library."""
    return f"{LIBRARIES[prefix.casefold()][0]}.{key(last)}" if prefix else ""


def refusal(name: str) -> str:
    """Why a name that is in no line of the catalogue stands for no activation, and what would do."""
    last = name.rpartition(".")[2]
    known = key(last)
    instead = "'meanfield activations' lists the names; or write an expression in x"
    if known in NOT_EVERYWHERE:
        return f"is not a finite number for every x, and no activation: {instead}"
    if known in NOT_ELEMENTWISE:
        return f"is no function of one number ({NOT_ELEMENTWISE[known]}): {instead}"
    if known in UNNAMED:
        return f"has no line in the catalogue: write its formula as an expression in x; {instead.partition(';')[0]}"
    if (entry := find(last)) and is_of_library(name):
        return f"is no function of one number that is known there: for {entry.signature} leave the library out"
    close = nearest(last)
    return f"is not a known activation: {f'did you mean {close}? ' if close else ''}{instead}"


def nearest(name: str) -> str | None:
    """The name that a misspelt one most likely means, if any is close: never that of another function."""
    from difflib import get_close_matches

    slip = key(name)
    names = {key(name): name for entry in ACTIVATIONS for name in (*entry.aliases, entry.name)}
    beginnings = {_BY_KEY[known].name for known in names if known.startswith(slip)}
    if len(beginnings) == 1 and len(slip) > _SHORT:
        return beginnings.pop()
    # Slips begin with the right letter. What is closest to a function that has no line is a slip of that.
    begun = [known for known in (*names, *UNNAMED, *NOT_EVERYWHERE, *NOT_ELEMENTWISE) if known[:1] == slip[:1]]
    close = get_close_matches(slip, begun, n=1, cutoff=0.8)
    return names.get(close[0]) if close else None
