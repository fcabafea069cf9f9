"""Initialisers of frameworks, against their formulas and the weights that they drew; and the code that asks for σ_w."""

from __future__ import annotations

import doctest
import math
from types import SimpleNamespace
from typing import Any

import pytest
from command import ROOT
from mpmath import mp

import meanfield as mf
from meanfield.errors import DomainError
from meanfield.infinite_width import gains as gains_module, initialisers as initialisers_module
from meanfield.infinite_width.framework_code import DISTRIBUTIONS, FANS
from meanfield.infinite_width.initialisers import INITIALISERS, truncated_variance

CUT = truncated_variance()


def variance_within(cut: float) -> float:
    """Variance of a standard normal number within ±cut, from the definition."""
    with mp.workdps(50):
        density = mp.npdf
        inside = mp.quad(density, [-cut, cut])
        return float(mp.quad(lambda z: z * z * density(z), [-cut, cut]) / inside)


@pytest.mark.parametrize("cut", [1e-12, 1e-6, 0.1, 1.0, 2.0, 5.0, 10.0])
def test_the_variance_of_a_truncated_normal_number(cut: float) -> None:
    assert truncated_variance(cut) == pytest.approx(variance_within(cut), rel=1e-14)


def test_keras_and_jax_divide_by_the_root_of_that_variance() -> None:
    assert math.sqrt(truncated_variance()) == pytest.approx(0.87962566103423978, rel=1e-15)


#: An initialiser of a layer of 600 inputs and 400 outputs: σ_w² and σ_b² from its formula, and the σ_w of the 240 000
#: weights that PyTorch 2.13, Keras 3.15, JAX 0.10, Flax 0.12, Haiku 0.0.17 or Equinox drew for it.
DRAWN: dict[str, tuple[float, float | None, float]] = {
    "kaiming_uniform:a=2.236": (2 / (1 + 2.236**2), None, 0.57692),
    "kaiming_uniform": (2, None, 1.41358),
    "kaiming_normal": (2, None, 1.41435),
    "kaiming_normal:mode=fan_out,nonlinearity=relu": (2 * 600 / 400, None, 1.72962),
    "kaiming_normal:nonlinearity=linear": (1, None, 0.99761),
    "kaiming_normal:nonlinearity=sigmoid": (1, None, 0.99815),
    "kaiming_normal:nonlinearity=conv2d": (1, None, 1.00237),
    "kaiming_normal:nonlinearity=tanh": (25 / 9, None, 1.66688),
    "kaiming_normal:nonlinearity=selu": (9 / 16, None, 0.75116),
    "kaiming_normal:a=0.2": (2 / 1.04, None, 1.38765),
    "xavier_uniform": (600 / 500, None, 1.09705),
    "xavier_normal:gain=5/3": (25 / 9 * 600 / 500, None, 1.82357),
    "orthogonal:gain=1.5": (2.25, None, 1.5),
    "normal:std=0.02": (600 * 0.02**2, None, 0.48963),
    "uniform:a=-0.1,b=0.1": (600 * 0.1**2 / 3, None, 1.41437),
    # PyTorch cuts at ±2, not at two standard deviations: next to nothing of these, most of the third.
    "trunc_normal:std=0.02": (600 * 0.02**2, None, 0.49042),
    "trunc_normal": (600 * CUT, None, 21.52786),
    "trunc_normal:std=0.02,a=-0.02,b=0.02": (600 * 0.02**2 * variance_within(1), None, 0.26417),
    "HeNormal": (2, None, 1.41285),
    "he_uniform": (2, None, 1.41279),
    "GlorotNormal": (600 / 500, None, 1.09446),
    "glorot_uniform": (600 / 500, None, 1.09434),
    "lecun_normal": (1, None, 0.99882),
    "LecunUniform": (1, None, 0.99982),
    "VarianceScaling": (1, None, 0.99961),
    "VarianceScaling(scale=2, mode='fan_avg', distribution='uniform')": (2 * 600 / 500, None, 1.55042),
    "variance_scaling(2.0, 'fan_geo_avg', 'normal')": (2 * math.sqrt(600 / 400), None, 1.56277),
    "TruncatedNormal(stddev=0.05)": (600 * 0.05**2 * CUT, None, 1.08005),
    "truncated_normal(stddev=0.05, lower=-1, upper=1)": (600 * 0.05**2 * variance_within(1), None, 0.66013),
    "RandomNormal(stddev=0.05)": (600 * 0.05**2, None, 1.22347),
    "RandomUniform(minval=-0.05, maxval=0.05)": (600 * 0.05**2 / 3, None, 0.70681),
    "torch-default": (1 / 3, 1 / 3 / 600, 0.57782),
    "equinox-default": (1 / 3, 1 / 3 / 600, 0.57779),
    "keras-default": (600 / 500, 0, 1.09462),
    "flax-default": (1, 0, 1.00150),
    "haiku-default": (CUT, 0, 0.87881),
}


@pytest.mark.parametrize("text", DRAWN)
def test_an_initialiser_amounts_to_what_its_framework_draws(text: str) -> None:
    square, biases, drawn = DRAWN[text]
    found = mf.initialisation(text, 600, 400)
    assert found.sigma_w**2 == pytest.approx(square, rel=1e-14)
    assert found.sigma_w == pytest.approx(drawn, rel=4e-3)
    assert found.weight_sd == pytest.approx(found.sigma_w / math.sqrt(600), rel=1e-14)
    assert found.sigma_b == (None if biases is None else pytest.approx(math.sqrt(biases), rel=1e-14))


def test_pytorchs_default_is_kaiming_uniform_with_a_root_of_five() -> None:
    default = mf.initialisation("torch-default", 256)
    assert default.sigma_w == pytest.approx(0.57735, abs=5e-6)
    assert default.sigma_b == pytest.approx(0.036084, abs=5e-7)
    for text in ("kaiming_uniform:a=sqrt(5)", "kaiming_uniform_(w, a=√5)", "nn.init.kaiming_uniform_(w, a=5**0.5)"):
        assert mf.initialisation(text).sigma_w == pytest.approx(default.sigma_w, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "sd"),
    [
        ("5%", 0.05),
        ("2*0.01", 0.02),
        ("sqrt(2)/10", math.sqrt(2) / 10),
        ("2*np.sqrt(3)/3", 2 / math.sqrt(3)),
        ("2*5**0.5", 2 * math.sqrt(5)),
        ("(1 + 1)**.5 / 10", math.sqrt(2) / 10),
        ("1e-2", 0.01),
    ],
)
def test_numbers_are_read_as_everywhere(text: str, sd: float) -> None:
    assert mf.initialisation(f"normal:std={text}", 100).sigma_w == pytest.approx(10 * sd, rel=1e-14)


def test_he_normal_before_its_correction_falls_short() -> None:
    assert mf.initialisation("he_normal").sigma_w == math.sqrt(2)
    for text in ("he_normal:corrected=no", "variance_scaling:scale=2,corrected=no"):
        assert mf.initialisation(text).sigma_w == pytest.approx(1.2439785, abs=5e-8)
    # What is not cut needs no correction.
    assert mf.initialisation("variance_scaling:scale=2,distribution=normal,corrected=no").sigma_w == math.sqrt(2)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(300, 300), (300, 900), (900, 300)])
def test_rows_or_columns_of_an_orthogonal_matrix_have_unit_length(fan_in: int, fan_out: int) -> None:
    # min(fan_in, fan_out) singular values 1: that many squares in fan_in·fan_out entries.
    variance = min(fan_in, fan_out) / (fan_in * fan_out)
    assert mf.initialisation("orthogonal", fan_in, fan_out).sigma_w ** 2 == pytest.approx(fan_in * variance, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        (
            "he_normal",
            ["HeNormal", "he-normal", "He_Normal", "keras.initializers.HeNormal()", "jax.nn.initializers.he_normal()"],
        ),
        ("kaiming_normal", ["kaiming_normal_", "torch.nn.init.kaiming_normal_(layer.weight)", "KaimingNormal"]),
        ("glorot_uniform", ["GlorotUniform", "glorot-uniform"]),
        ("torch-default", ["pytorch-default", "torch_default", "TorchDefault"]),
        ("keras-default", ["tensorflow-default"]),
        ("normal", ["random_normal", "RandomNormal"]),
    ],
)
def test_a_name_is_known_in_every_spelling(name: str, spellings: list[str]) -> None:
    inside = "(std=1)" if name == "normal" else ""
    asked = [mf.initialisation(text + inside if inside else text, 10, 20) for text in (name, *spellings)]
    assert len(set(asked)) == 1


@pytest.mark.parametrize(
    ("glorot", "xavier"), [("glorot_normal", "xavier_normal"), ("glorot_uniform", "xavier_uniform")]
)
def test_glorot_and_xavier_are_one_person(glorot: str, xavier: str) -> None:
    assert mf.initialisation(glorot, 30, 50).sigma_w == mf.initialisation(xavier, 30, 50).sigma_w


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kaming_normal", "did you mean kaiming_normal"),
        ("zeros", "names are kaiming_uniform"),
        ("", "write a name"),
        ("a" + " " * 100_000 + "!", "write a name"),
        ("he_normal:a=1", "no parameter a"),
        *((f"kaiming_uniform:a={no}", "no number: give one such as 1.5 or 1/3") for no in ("x", "inf", "nan", "1/0")),
        ("kaiming_uniform:a=2**3**0.5", "no number"),
        ("kaiming_uniform:a=1e400", "larger than 1.8e308"),
        ("kaiming_uniform:a=1,a=2", "given twice"),
        ("kaiming_normal:mode=sideways", "fan_in, fan_out"),
        ("kaiming_normal:nonlinearity=gelu", "leaky_relu"),
        ("normal", "normal:std=…"),
        ("normal(0.02)", "0.02 has no name"),
        ("normal:std=-1", "give a number > 0"),
        ("normal:mean=1,std=1", "weights of mean 0"),
        ("normal:std=1e200", "square is a double"),
        ("uniform:a=0,b=1", "a = -b"),
        ("trunc_normal:std=0.02,a=-1,b=2", "a = -b"),
        ("truncated_normal:std=1,lower=-1", "lower = -upper"),
        ("variance_scaling:scale=0", "scale > 0"),
        ("torch-default:gain=2", "takes none"),
    ],
)
def test_what_is_no_initialiser_is_refused_in_a_line(text: str, said: str) -> None:
    with pytest.raises(DomainError) as refusal:
        mf.initialisation(text, 10, 10)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "fan_in", "fan_out", "said"),
    [
        ("torch-default", None, None, "fan_in"),
        ("normal:std=0.1", None, 10, "fan_in"),
        ("xavier_normal", 10, None, "fan_out"),
        ("orthogonal", 10, None, "fan_out"),
        ("kaiming_normal", 0, None, "fan_in = 0"),
        ("kaiming_normal", 10, 2.5, "fan_out = 2.5"),
    ],
)
def test_a_fan_is_asked_for_where_it_counts(text: str, fan_in: Any, fan_out: Any, said: str) -> None:
    with pytest.raises(DomainError, match=said):
        mf.initialisation(text, fan_in, fan_out)


@pytest.mark.parametrize(
    "name", [name for name in INITIALISERS if name.startswith(("he_", "lecun", "kaiming", "flax"))]
)
def test_where_the_fans_do_not_count_none_are_needed(name: str) -> None:
    assert mf.initialisation(name).sigma_w == mf.initialisation(name, 30, 7).sigma_w


@pytest.mark.parametrize("name", ["xavier_uniform", "glorot_normal", "orthogonal", "keras-default"])
def test_without_fans_a_layer_is_square(name: str) -> None:
    found = mf.initialisation(name)
    assert (found.sigma_w, found.square, found.weight_sd) == (1, True, None)
    assert not mf.initialisation(name, 50, 50).square


class _Pytorch:
    """torch.nn.init, keeping the variance that each function would draw, as PyTorch's pages tell."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        self.fans, self.drawn = (fan_in, fan_out), {}
        weight, bias = _Tensor("weight", fan_in, fan_out), _Tensor("bias", 1, fan_out)
        self.layer = SimpleNamespace(weight=weight, bias=bias)
        self.nn = SimpleNamespace(init=self)

    def normal_(self, tensor: _Tensor, std: float) -> None:
        self.drawn[tensor.name] = std**2

    def uniform_(self, tensor: _Tensor, a: float, b: float) -> None:
        assert a == -b
        self.drawn[tensor.name] = (b - a) ** 2 / 12

    def trunc_normal_(self, tensor: _Tensor, std: float, a: float, b: float) -> None:
        assert a == -b
        self.drawn[tensor.name] = std**2 * variance_within(b / std)

    def xavier_normal_(self, tensor: _Tensor, gain: float) -> None:
        self.drawn[tensor.name] = gain**2 * 2 / sum(self.fans)

    xavier_uniform_ = xavier_normal_

    def zeros_(self, tensor: _Tensor) -> None:
        self.drawn[tensor.name] = 0.0


class _Tensor:
    """A weight of fan_out rows, as far as code asks for its size."""

    def __init__(self, name: str, fan_in: int, fan_out: int) -> None:
        self.name, self.fan_in, self.fan_out = name, fan_in, fan_out

    def __getitem__(self, index: object) -> SimpleNamespace:
        size = self.fan_in if index == 0 else self.fan_out
        return SimpleNamespace(numel=lambda: size)


@pytest.mark.parametrize("weights", DISTRIBUTIONS)
@pytest.mark.parametrize("fan", FANS)
@pytest.mark.parametrize("fans", [(256, 256), (784, 100), (100, 784)])
def test_code_asks_every_framework_for_the_same_weights_and_biases(
    weights: Any, fan: Any, fans: tuple[int, int]
) -> None:
    sigma_w, sigma_b = 1.7, 0.3
    code = mf.framework_code(sigma_w, sigma_b, weights, fan, *fans)
    torch = _Pytorch(*fans)
    for line in code["pytorch"]:
        eval(line, {"torch": torch, "layer": torch.layer})
    assert torch.drawn == pytest.approx({"weight": sigma_w**2 / fans[0], "bias": sigma_b**2}, rel=1e-8)
    for framework in ("keras", "jax"):
        weight, bias = code[framework]
        assert f'"fan_{fan}"' in weight
        # Read back as a framework would.
        assert mf.initialisation(weight, *fans).sigma_w == pytest.approx(sigma_w, rel=1e-8)
        assert mf.initialisation(bias, 1).sigma_w == pytest.approx(sigma_b, rel=1e-8)


def test_without_biases_code_makes_them_zero() -> None:
    code = mf.framework_code(1.0)
    assert [bias for _, bias in code.values()] == [
        "torch.nn.init.zeros_(layer.bias)",
        "keras.initializers.Zeros()",
        "jax.nn.initializers.zeros",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"weights": "cauchy"}, "normal, truncated, uniform"),
        ({"fan": "sideways"}, "in, out, avg"),
        ({"fan": "out", "fan_in": 10}, "needs fan_out"),
        ({"fan": "avg", "fan_out": 10}, "needs fan_in"),
        ({"fan_in": 0}, "fan_in = 0"),
        ({"sigma_w": -1.0}, "sigma_w"),
    ],
)
def test_code_is_of_weights_that_exist(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError, match=said):
        mf.framework_code(**{"sigma_w": 1.0, **asked})


@pytest.mark.parametrize(("fan", "square"), [("in", 1.0), ("out", 0.25), ("avg", 0.625)])
def test_a_gain_over_another_fan_is_that_of_the_same_variance(fan: Any, square: float) -> None:
    # g²/fan = σ_w²/fan_in, of 400 inputs and 100 outputs.
    assert mf.framework_gain(3.0, fan, 400, 100) ** 2 == pytest.approx(9 * square, rel=1e-14)
    assert mf.framework_gain(3.0, fan) == 3.0


def test_the_examples_of_docstrings_are_as_printed() -> None:
    assert not doctest.testmod(gains_module).failed and not doctest.testmod(initialisers_module).failed


def test_the_page_lists_every_initialiser() -> None:
    page = (ROOT / "docs/initialisers.md").read_text()
    assert all(f"`{name}`" in page for name in INITIALISERS)
