"""What elementwise functions are called in numpy, PyTorch, JAX and Keras; what one of them lacks is written out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from meanfield.activations.primitives import TANHSHRINK

__all__ = ["LANGUAGES", "Framework", "Language"]

Framework = Literal["numpy", "torch", "flax", "keras"]


@dataclass(frozen=True)
class Language:
    """How a framework writes functions of an array.

    Attributes:
        imports: what its code begins with.
        space: where its functions are that all four call alike.
        calls: its own names of the others, {u} being the argument.
        native: code of whole activations: by their expressions in x if they are smooth, else by names of ours, with
            numbers {a}, {b} and a line {u}.
        table: the lines that choose a slope and an intercept of KNOTS, SLOPES and INTERCEPTS for every x.
        own: functions written out, by name, that only this framework lacks.
        begin: the line with which a function takes whatever becomes an array, if there is one.
        constant: a number {c} as a branch that x may take.
    """

    imports: str
    space: str
    calls: Mapping[str, str]
    native: Mapping[str, str]
    table: str
    own: Mapping[str, str] = field(default_factory=dict)
    begin: str = ""
    constant: str = "{c}"

    def call(self, name: str, argument: str) -> tuple[str, str]:
        """A primitive of an argument; and the function that has to be written out for it, "" if none has."""
        if name in self.calls:
            return self.calls[name].format(u=argument), ""
        source = self.own.get(name) or _WRITTEN_OUT.get(name, "").replace("SPACE", self.space)
        return (f"{name}({argument})" if source else f"{self.space}.{_ALIKE.get(name, name)}({argument})"), source


#: What all of them call otherwise than we do.
_ALIKE = {"atan": "arctan", "asinh": "arcsinh"}

#: Functions that none of them has, or none with all its digits. Where a branch does not count it is asked at a number
#: at which nothing overflows, for that would reach gradients.
_WRITTEN_OUT = {
    "tanhshrink": f'''def tanhshrink(u):
    """u - tanh(u), with all its digits near 0."""
    near = SPACE.where(SPACE.abs(u) < 1.0, u, 0.5)
    series = 0.0
    for c in (
{textwrap.indent(textwrap.fill(", ".join(map(repr, TANHSHRINK[::-1])), 110, break_on_hyphens=False), " " * 8)}
    ):
        series = series * near * near + c
    return SPACE.where(SPACE.abs(u) < 1.0, series * near**3 / SPACE.cosh(near), u - SPACE.tanh(u))
''',
    "logcosh": f'''def logcosh(u):
    """log(cosh(u)), with all its digits near 0, and without overflow."""
    near = SPACE.where(SPACE.abs(u) < 1.0, u, 0.5)
    far = SPACE.abs(u) + SPACE.log1p(SPACE.exp(-2.0 * SPACE.abs(u))) - {math.log(2)!r}
    return SPACE.where(SPACE.abs(u) < 1.0, SPACE.log1p(2.0 * SPACE.sinh(0.5 * near) ** 2), far)
''',
    "squareplus": '''def squareplus(u):
    """(u + sqrt(u**2 + 4))/2, with all its digits on the left."""
    root = SPACE.sqrt(u * u + 4.0)
    return SPACE.where(u > 0.0, 0.5 * (u + root), 2.0 / (root - SPACE.where(u > 0.0, 0.0, u)))
''',
}

_ROOT_HALF = math.sqrt(0.5)

LANGUAGES: dict[Framework, Language] = {
    "numpy": Language(
        imports="import numpy as np\n",
        space="np",
        calls={"softplus": "np.logaddexp(0.0, {u})", "logsigmoid": "(-np.logaddexp(0.0, -({u})))"},
        native={
            "relu": "np.maximum({u}, 0.0)",
            "clip": "np.clip({u}, {a}, {b})",
            "abs": "np.abs(x)",
        },
        table="""piece = np.digitize(x, KNOTS)
slope, intercept = np.take(SLOPES, piece), np.take(INTERCEPTS, piece)
""",
        begin="x = np.asarray(x, dtype=float)",
        own={
            "sigmoid": '''def sigmoid(u):
    """1/(1 + exp(-u)), without overflow."""
    return np.exp(np.minimum(u, 0.0)) / (1.0 + np.exp(-np.abs(u)))
''',
            "erf": "erf = np.vectorize(math.erf, otypes=[float])\n",
            "Phi": f'''def Phi(u):
    """The normal distribution function."""
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-{_ROOT_HALF!r} * u)
''',
        },
    ),
    "torch": Language(
        imports="import torch\n",
        space="torch",
        calls={
            # Past the threshold it takes u itself: by default 20, where that is 2e-9 away.
            "softplus": "torch.nn.functional.softplus({u}, threshold=40.0)",
            "logsigmoid": "torch.nn.functional.logsigmoid({u})",
            "Phi": f"(0.5 * torch.erfc(-{_ROOT_HALF!r} * ({{u}})))",
        },
        native={
            "relu": "torch.relu({u})",
            "clip": "torch.clamp({u}, {a}, {b})",
            "abs": "torch.abs(x)",
            "leaky_relu": "torch.nn.functional.leaky_relu(x, {a})",
            "soft_shrink": "torch.nn.functional.softshrink(x, {a})",
            "x*Phi(x)": "torch.nn.functional.gelu(x)",
            "x*sigmoid(x)": "torch.nn.functional.silu(x)",
            "x*tanh(softplus(x))": "torch.nn.functional.mish(x)",
            "where(x < 0, expm1(x), x)": "torch.nn.functional.elu(x)",
        },
        table="""knots, slopes, intercepts = (
    torch.tensor(numbers, dtype=x.dtype, device=x.device) for numbers in (KNOTS, SLOPES, INTERCEPTS)
)
piece = torch.bucketize(x.detach().contiguous(), knots, right=True)
slope, intercept = slopes[piece], intercepts[piece]
""",
    ),
    "flax": Language(
        imports="import jax\nimport jax.numpy as jnp\n",
        space="jnp",
        calls={
            "sigmoid": "jax.nn.sigmoid({u})",
            "softplus": "jax.nn.softplus({u})",
            "logsigmoid": "jax.nn.log_sigmoid({u})",
            "erf": "jax.scipy.special.erf({u})",
            "Phi": "jax.scipy.special.ndtr({u})",
        },
        native={
            "relu": "jax.nn.relu({u})",
            "clip": "jnp.clip({u}, {a}, {b})",
            "abs": "jnp.abs(x)",
            "leaky_relu": "jax.nn.leaky_relu(x, {a})",
            "x*Phi(x)": "jax.nn.gelu(x, approximate=False)",
            "x*sigmoid(x)": "jax.nn.silu(x)",
            "where(x < 0, expm1(x), x)": "jax.nn.elu(x)",
        },
        table="""piece = jnp.digitize(x, jnp.asarray(KNOTS, x.dtype))
slope, intercept = jnp.asarray(SLOPES, x.dtype)[piece], jnp.asarray(INTERCEPTS, x.dtype)[piece]
""",
    ),
    "keras": Language(
        imports="import keras\n",
        space="keras.ops",
        calls={
            "sigmoid": "keras.ops.sigmoid({u})",
            # With PyTorch below it, softplus is 2e-9 away past 20, and logaddexp of single precision.
            "softplus": "(-keras.ops.log_sigmoid(-({u})))",
            "logsigmoid": "keras.ops.log_sigmoid({u})",
            "Phi": f"(0.5 * (1.0 + keras.ops.erf({_ROOT_HALF!r} * ({{u}}))))",
        },
        native={
            "relu": "keras.ops.relu({u})",
            "abs": "keras.ops.abs(x)",
            "leaky_relu": "keras.ops.leaky_relu(x, {a})",
            "x*Phi(x)": "keras.ops.gelu(x, approximate=False)",
            "x*sigmoid(x)": "keras.ops.silu(x)",
            "where(x < 0, expm1(x), x)": "keras.ops.elu(x)",
        },
        table="""knots, slopes, intercepts = (
    keras.ops.convert_to_tensor(numbers, dtype=x.dtype) for numbers in (KNOTS, SLOPES, INTERCEPTS)
)
piece = keras.ops.digitize(x, knots)
slope, intercept = keras.ops.take(slopes, piece), keras.ops.take(intercepts, piece)
""",
        # A number by itself becomes one of single precision.
        constant="keras.ops.full_like(x, {c})",
    ),
}
