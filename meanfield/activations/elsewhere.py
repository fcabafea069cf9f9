"""What activations are called elsewhere: names of libraries, and of functions that are not piecewise linear.

All names are written as `key` has them: hardtanh.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LIBRARIES", "NOT_ELEMENTWISE", "SMOOTH", "key"]


def key(name: str) -> str:
    """The name as it is compared: without case, - and _."""
    return name.casefold().replace("-", "").replace("_", "")


#: Functions that people ask for and that have no pieces: naming one deserves a better answer than "unknown". A few have
#: a relative of straight pieces.
SMOOTH: Mapping[str, str] = dict.fromkeys(
    "acos acosh arccos arcsin arctan asin asinh atan atanh bentidentity celu cos cosh cube elish elu erf erfc exp "
    "expm1 gaussian gelu geluapproximate gelutanh hardelish hardmish hardsilu hardswish isrlu isru lisht log log1p "
    "logish logit logsigmoid mish phish pow quickgelu relu2 relusquared selu serf silu sin sine sinh smelu smish snake "
    "softexponential softplus softsign sparseplus sqnl sqrt square squaredrelu squareplus swish tan tanhexp tanhshrink "
    "xielu".split(),
    "",
) | {"tanh": "hard-tanh", "sigmoid": "hard-sigmoid", "logistic": "hard-sigmoid"}

#: What is no function of one number, and why.
NOT_ELEMENTWISE: Mapping[str, str] = dict.fromkeys(
    "adaptivelogsoftmaxwithloss batchnorm bilinear entmax fullsort geglu glu groupnorm groupsort gumbelsoftmax "
    "instancenorm kwta layernorm logsoftmax logsumexp maxmin maxout multiheadattention normalize onehot reglu rmsnorm "
    "softmax softmax2d softmin sparsemax standardize swiglu topk".split(),
    "it mixes the units of a layer",
) | dict.fromkeys("alphadropout dropout featurealphadropout gaussiandropout".split(), "it is random")

_TORCH = "hardshrink hardsigmoid hardtanh identity leakyrelu prelu relu relu6 rrelu softshrink threshold"
_JAX = "hardsigmoid hardtanh identity leakyrelu relu relu6 sparsesigmoid"
_KERAS = "hardshrink hardsigmoid hardtanh leakyrelu linear relu relu6 softshrink sparsesigmoid threshold"

#: Libraries, by what stands before a name of theirs: what `usual` values go by, and the names, as `key` has
#: them.
LIBRARIES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("torch.nn", "torch.nn.functional", "nn", "f"), ("torch.nn", _TORCH)),
    "torch": ("torch", f"{_TORCH} abs ceil floor heaviside round sign"),
    **dict.fromkeys(("jax.nn", "jnn"), ("jax.nn", _JAX)),
    **dict.fromkeys(("flax.linen", "linen", "flax.nnx", "nnx"), ("flax.linen", f"{_JAX} prelu")),
    **dict.fromkeys(
        ("keras.layers", "tf.keras.layers", "layers"), ("keras.layers", "leakyrelu prelu relu thresholdedrelu")
    ),
    **dict.fromkeys(("keras.activations", "tf.keras.activations", "keras.ops"), ("keras.activations", _KERAS)),
    "tf.nn": ("tf.nn", "leakyrelu relu relu6"),
}
