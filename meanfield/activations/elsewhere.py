"""What activations are called elsewhere: names of libraries, and of functions that are no activations here.

All names are written as `key` has them: hardtanh.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LIBRARIES", "NOT_ELEMENTWISE", "NOT_EVERYWHERE", "UNNAMED", "key"]


def key(name: str) -> str:
    """The name as it is compared: without case, - and _."""
    return name.casefold().replace("-", "").replace("_", "")


#: Functions that people ask for and that have no line in the catalogue: naming one deserves a better answer than
#: "unknown", and none of them is a slip of another name.
UNNAMED = frozenset("cosh cube erfc expm1 gcu hardelish hardmish log1p pow sinh softexponential xielu".split())

#: What is not defined on all of the line, or has poles there.
NOT_EVERYWHERE = frozenset("acos acosh arccos arccosh arcsin arctanh asin atanh cot log logit sec sqrt tan".split())

#: What is no function of one number, and why.
NOT_ELEMENTWISE: Mapping[str, str] = dict.fromkeys(
    "adaptivelogsoftmaxwithloss batchnorm bilinear entmax fullsort geglu glu groupnorm groupsort gumbelsoftmax "
    "instancenorm kwta layernorm logsoftmax logsumexp maxmin maxout multiheadattention normalize onehot reglu rmsnorm "
    "softmax softmax2d softmin sparsemax standardize swiglu topk".split(),
    "it mixes the units of a layer",
) | dict.fromkeys("alphadropout dropout featurealphadropout gaussiandropout".split(), "it is random")

_TORCH = (
    "celu elu gelu hardshrink hardsigmoid hardswish hardtanh identity leakyrelu logsigmoid mish prelu relu relu6 rrelu "
    "selu sigmoid silu softplus softshrink softsign tanh tanhshrink threshold"
)
_JAX = (
    "celu elu gelu hardsigmoid hardsilu hardswish hardtanh identity leakyrelu logsigmoid mish relu relu6 selu sigmoid "
    "silu softplus softsign sparseplus sparsesigmoid squareplus swish tanh"
)
_KERAS = (
    "celu elu exponential gelu hardshrink hardsigmoid hardsilu hardswish hardtanh leakyrelu linear logsigmoid mish "
    "relu relu6 selu sigmoid silu softplus softshrink softsign sparseplus sparsesigmoid squareplus swish tanh "
    "tanhshrink threshold"
)

#: Libraries, by what stands before a name of theirs: what `usual` values go by, and the names, as `key` has
#: them.
LIBRARIES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("torch.nn", "torch.nn.functional", "nn", "f"), ("torch.nn", _TORCH)),
    "torch": (
        "torch",
        f"{_TORCH} abs arcsinh arctan asinh atan ceil cos erf exp floor heaviside round sign sin square",
    ),
    **dict.fromkeys(("jax.nn", "jnn"), ("jax.nn", _JAX)),
    **dict.fromkeys(("flax.linen", "linen", "flax.nnx", "nnx"), ("flax.linen", f"{_JAX} prelu")),
    **dict.fromkeys(
        ("keras.layers", "tf.keras.layers", "layers"), ("keras.layers", "elu leakyrelu prelu relu thresholdedrelu")
    ),
    **dict.fromkeys(("keras.activations", "tf.keras.activations", "keras.ops"), ("keras.activations", _KERAS)),
    "tf.nn": ("tf.nn", "elu gelu leakyrelu relu relu6 selu sigmoid silu softplus softsign swish tanh"),
}
