"""The questions that a piecewise analytic activation answers, against mpmath and against what is known on paper."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp, mpf

from meanfield.activations.activation import Activation
from meanfield.activations.analytic import X, call, number, product
from meanfield.activations.catalogue import ACTIVATIONS
from meanfield.activations.clipping import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.records import from_record
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import activation, description_of, formula_of, read_activation
from meanfield.errors import ActivationError


def _sigmoid(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: mpf) -> mpf:
    return mp.log1p(mp.exp(x))


def _normal(x: mpf) -> mpf:
    return mp.erfc(-x / mp.sqrt(2)) / 2


#: Each smooth line of the catalogue at its defaults.
EXACT: dict[str, Callable[[mpf], mpf]] = {
    "tanh": mp.tanh,
    "sigmoid": _sigmoid,
    "erf": mp.erf,
    "gelu": lambda x: x * _normal(x),
    "gelu-tanh": lambda x: x * _sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3)),
    "quick-gelu": lambda x: x * _sigmoid(mpf("1.702") * x),
    "silu": lambda x: x * _sigmoid(x),
    "swish": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * mp.tanh(_softplus(x)),
    "elu": lambda x: x if x > 0 else mp.expm1(x),
    "selu": lambda x: (
        mpf("1.0507009873554804934193349852946")
        * (x if x > 0 else mpf("1.6732632423543772848170429916717") * mp.expm1(x))
    ),
    "celu": lambda x: x if x > 0 else mp.expm1(x),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "tanhshrink": lambda x: x - mp.tanh(x),
    "logsigmoid": lambda x: -_softplus(-x),
    "hard-swish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "relu2": lambda x: max(x, 0) ** 2,
    "squareplus": lambda x: (x + mp.sqrt(x * x + 4)) / 2,
    "sparse-plus": lambda x: 0 if x <= -1 else (x + 1) ** 2 / 4 if x < 1 else x,
    "smelu": lambda x: 0 if x <= -1 else (x + 1) ** 2 / 4 if x < 1 else x,
    "sin": mp.sin,
    "cos": mp.cos,
    "snake": lambda x: x + mp.sin(x) ** 2,
    "gaussian": lambda x: mp.exp(-x * x),
    "exp": mp.exp,
    "square": lambda x: x * x,
    "atan": mp.atan,
    "asinh": mp.asinh,
    "bent-identity": lambda x: x + (mp.sqrt(x * x + 1) - 1) / 2,
    "log-cosh": lambda x: mp.log(mp.cosh(x)),
    "isru": lambda x: x / mp.sqrt(1 + x * x),
    "isrlu": lambda x: x / mp.sqrt(1 + x * x) if x < 0 else x,
    "lisht": lambda x: x * mp.tanh(x),
    "logish": lambda x: x * mp.log1p(_sigmoid(x)),
    "smish": lambda x: x * mp.tanh(mp.log1p(_sigmoid(x))),
    "serf": lambda x: x * mp.erf(_softplus(x)),
    "phish": lambda x: x * mp.tanh(x * _normal(x)),
    "tanhexp": lambda x: x * mp.tanh(mp.exp(x)),
    "elish": lambda x: (x if x > 0 else mp.expm1(x)) * _sigmoid(x),
    "sqnl": lambda x: mp.sign(x) if abs(x) > 2 else x - mp.sign(x) * x * x / 4,
}
#: The same written naively, as users do.
NAIVE = {
    "x/(1+exp(-x))": "silu",
    "x*tanh(log(1+exp(x)))": "mish",
    "log(1+exp(x))": "softplus",
    "-log(1+exp(-x))": "logsigmoid",
    "(exp(x)-exp(-x))/(exp(x)+exp(-x))": "tanh",
    "(exp(2*x)-1)/(exp(2*x)+1)": "tanh",
    "2/(1+exp(-2*x))-1": "tanh",
    "1/(1+exp(-x))": "sigmoid",
    "exp(x)/(1+exp(x))": "sigmoid",
    "0.5+0.5*tanh(x/2)": "sigmoid",
    "0.5*x*(1+erf(x/sqrt(2)))": "gelu",
    "x*erfc(-x/sqrt(2))/2": "gelu",
    "0.5*x*(1+tanh(sqrt(2/pi)*(x+0.044715*x**3)))": "gelu-tanh",
    "x - tanh(x)": "tanhshrink",
    "x/(1+abs(x))": "softsign",
    "(x + sqrt(x**2 + 4))/2": "squareplus",
    "log((exp(x)+exp(-x))/2)": "log-cosh",
    "x + (1 - cos(2*x))/2": "snake",
    "max(x,0) + min(exp(x)-1,0)": "elu",
    "x*relu(x+3)/6 - x*relu(x-3)/6": "hard-swish",
    "relu(x)*x": "relu2",
    "exp(-x*x)": "gaussian",
}
FUNCTIONS = {**{name: name for name in EXACT}, **NAIVE}
FAR = [s * x for s in (-1.0, 1.0) for x in (1e-8, 3e-4, 0.021, 0.3, 0.77, 1.9, 4.4, 13.0, 31.0, 108.0, 1e3)]


def test_every_smooth_line_of_the_catalogue_is_here() -> None:
    given = {entry.name for entry in ACTIVATIONS if all(p.default is not None for p in entry.parameters)}
    assert {name for name in given if isinstance(activation(name), Smooth)} == set(EXACT)


@pytest.mark.parametrize("text", FUNCTIONS)
def test_values_are_right_to_the_last_digits_up_to_a_thousand(text: str) -> None:
    phi, exact = activation(text), EXACT[FUNCTIONS[text]]
    assert isinstance(phi, Smooth)
    x = np.array(FAR)
    found, slopes = phi(x), phi.jet(x)[1]
    # 1 + exp(−1000) has 435 digits.
    with mp.workdps(460):
        for point, value, slope in zip(FAR, found, slopes, strict=True):
            true = exact(mpf(point))
            if mpf("1e-300") < abs(true) < mpf("1e300"):
                # Where φ is steep for its size, as exp(−x²) is, the rounding of what it is taken of shows.
                steep = abs(point * slope / value)
                assert abs(mpf(float(value)) - true) <= (1e-15 + 4e-16 * steep) * abs(true), point
            else:
                assert abs(value) <= 1e-300 or value == float(true), point


@pytest.mark.parametrize("text", FUNCTIONS)
def test_derivatives_are_exact(text: str) -> None:
    phi, exact = activation(text), EXACT[FUNCTIONS[text]]
    points = [-9.3, -2.4, -0.6, 0.013, 0.8, 2.7, 11.0]
    _, slopes, bends = phi.jet(np.array(points))
    with mp.workdps(60):
        for x, slope, bend in zip(points, slopes, bends, strict=True):
            f, d1, d2 = (abs(part) if n == 0 else part for n, part in enumerate(mp.diffs(exact, mpf(x), 2)))
            size = max(f, abs(d1), abs(d2))
            assert abs(mpf(float(slope)) - d1) <= 4e-15 * size * (1 + abs(x))
            assert abs(mpf(float(bend)) - d2) <= 1e-14 * size * (1 + x * x)


@pytest.mark.parametrize("text", [*FUNCTIONS, "where(x < -1, 2, where(x < 2, x, exp(-x)))"])
def test_what_is_asked_for_alone_is_the_same_and_of_the_shape_of_x(text: str) -> None:
    phi = activation(text)
    x = np.array([FAR, np.resize([*phi.breaks, *np.nextafter(phi.breaks, -np.inf), 0.0], len(FAR))])
    f, slopes, _ = phi.jet(x)
    assert f.shape == x.shape
    np.testing.assert_array_equal(phi.values(x), f)
    np.testing.assert_array_equal(phi.with_slopes(x), [f, slopes])
    np.testing.assert_array_equal(phi.marks(x), slopes)


@pytest.mark.parametrize("text", [*FUNCTIONS, "max(tanh(x), x/2)", "abs(sin(clip(3*x, -9, 9)))", "1/3*tanh(x/7 - 1/3)"])
def test_a_record_and_a_formula_read_back_as_the_same_function(text: str) -> None:
    phi = activation(text)
    assert from_record(json.loads(json.dumps(phi.as_record()))) == phi
    again = activation(formula_of(phi))
    assert again == phi
    assert hash(again) == hash(phi)
    assert repr(phi) == text


def test_a_piece_is_read_where_it_counts() -> None:
    phi = activation("where(x > 0, log(1 + x), x)")
    assert phi.as_record() == {"breaks": [0.0], "pieces": ["x", "log1p(x)"]}
    assert from_record(phi.as_record()) == phi
    assert from_record(activation("relu").as_record()) == activation("relu")
    for record in (
        {},
        {"breaks": [0], "pieces": ["x"]},
        {"breaks": "a", "pieces": ["x"]},
        {"breaks": [], "pieces": ["1/x"]},
    ):
        with pytest.raises(ActivationError):
            from_record(record)


@pytest.mark.parametrize(
    ("text", "supremum"),
    [
        ("tanh", 1.0),
        ("3*atan(x) + 1", 1 + 1.5 * math.pi),
        ("sin(x)/2 - 1/4", 0.75),
        ("sin(x) + cos(x)", math.sqrt(2)),
        ("x*exp(-x**2)", math.exp(-0.5) / math.sqrt(2)),
        ("x/(1 + x**2)", 0.5),
        ("exp(-10000*(x - 50)**2)", 1.0),
        ("where(x < 0, 2*tanh(x), x*exp(-x))", 2.0),
        ("clip(exp(x), 0, 3) + tanh(x)", 3 + math.tanh(math.log(3)) + (1 - math.tanh(math.log(3)))),
        ("gelu", math.inf),
        ("asinh", math.inf),
        ("log(1 + log(1 + x**2))", math.inf),
        ("x*sin(x)", math.inf),
        ("relu2", math.inf),
    ],
)
def test_the_supremum_is_found_to_rounding(text: str, supremum: float) -> None:
    phi = activation(text)
    assert phi.supremum == pytest.approx(supremum, rel=1e-15)
    assert phi.is_bounded == math.isfinite(supremum)


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("gelu", 0, 1),
        ("selu", 0, 1.0507009873554805),
        ("bent-identity", 0.5, 1.5),
        ("squareplus", 0, 1),
        ("x*atan(x)", -math.pi / 2, math.pi / 2),
        ("relu2", 0, math.inf),
        ("exp", 0, math.inf),
        ("x*log(1 + x**2)", math.inf, math.inf),
        ("asinh", 0, 0),
        ("sin", math.nan, math.nan),
        ("snake", math.nan, math.nan),
        ("where(x < 0, cos(x), x)", math.nan, 1),
    ],
)
def test_slopes_far_out_are_limits(text: str, left: float, right: float) -> None:
    found = activation(text).outer_slopes
    assert found == pytest.approx((left, right), rel=1e-12, abs=1e-15, nan_ok=True)


ODD = ["tanh", "erf", "softsign", "tanhshrink", "sin", "atan", "asinh", "isru", "sqnl"]
EVEN = ["cos", "gaussian", "square", "log-cosh", "lisht", "x**2*sigmoid(x)*sigmoid(-x)", "x*erf(x) - cos(3*x)"]


def test_symmetries_are_those_of_the_function() -> None:
    assert {name for name in EXACT if activation(name).is_odd} == set(ODD)
    assert {name for name in EXACT if activation(name).is_even} == set(EVEN) & set(EXACT)
    assert all(activation(text).is_even for text in EVEN)
    for nearly in ("tanh(x) + 1e-13*x**2", "tanh(x + 1e-14)", "where(x > 30, tanh(x) + 1e-13, tanh(x))"):
        assert not activation(nearly).is_odd


@pytest.mark.parametrize(
    ("text", "jumps", "kinks"),
    [
        ("elu", {}, {0: 0.0}),
        ("elu(alpha=2)", {}, {0: -1.0}),
        ("selu", {}, {0: 1.0507009873554804934 * (1 - 1.6732632423543772848)}),
        ("hard-swish", {}, {-3: -0.5, 3: -0.5}),
        ("relu2", {}, {0: 0.0}),
        ("where(x < 1/3, sin(x), sin(1/3) + cos(x) - cos(1/3))", {}, {1 / 3: -math.sin(1 / 3) - math.cos(1 / 3)}),
        ("where(x < 0, exp(x), x)", {0: -1.0}, {0: 0.0}),
        ("where(x < 2, 0, tanh(x))", {2: math.tanh(2)}, {2: 1 / math.cosh(2) ** 2}),
        ("abs(tanh(x - 5))", {}, {5: 2.0}),
    ],
)
def test_jumps_and_kinks_at_breaks(text: str, jumps: dict[float, float], kinks: dict[float, float]) -> None:
    phi = activation(text)
    assert phi.discontinuities == tuple(jumps)
    assert phi.is_continuous == (not jumps)
    assert dict(zip(phi.breaks, phi.kinks, strict=True)) == pytest.approx(kinks, rel=1e-14, abs=0)
    for t, jump in zip(phi.breaks, phi.jumps, strict=True):
        below, above = phi.limits(t)
        assert above - below == jump == pytest.approx(jumps.get(t, 0.0), rel=1e-14)
        assert phi(t) == pytest.approx(above, rel=1e-15)
    assert phi.limits(0.123)[0] == phi.limits(0.123)[1] == pytest.approx(phi(0.123), rel=1e-15)


def test_a_zero_piece_is_zero_and_slopes_are_kept_as_marks() -> None:
    phi = activation("max(exp(x) - 1, 0)")
    x = np.array([[-3.0, -1e-9, 0.0], [1e-9, 2.0, 5.0]])
    assert (phi(x)[0, :2] == 0).all()
    assert phi.zero_pieces == phi.flat_pieces == {0}
    assert activation("where(x < 0, 2, tanh(x))").flat_pieces == {0}
    np.testing.assert_array_equal(phi.slopes_at(phi.marks(x)), np.where(x < 0, 0.0, np.exp(x)))
    assert phi(2.0) == math.expm1(2) and isinstance(phi(2.0), float)
    assert phi.has_slope and not phi.is_homogeneous
    assert not Smooth((0.0,), (number(1), number(2))).has_slope


@pytest.mark.parametrize("scale", [1e-6, 1.0, 40.0])
@pytest.mark.parametrize("text", ["tanh(x/a)", "gelu(x/a)", "sin(x/a)", "exp(-(x/a)**2)", "asinh(x/a)"])
def test_scales_follow_the_function(text: str, scale: float) -> None:
    text = text.replace("gelu(x/a)", "x/a*Phi(x/a)")
    (least, largest), (unit_least, unit_largest) = activation(text, a=scale).scales, activation(text, a=1.0).scales
    assert 0.2 <= unit_least <= 4 and unit_least < unit_largest <= 2e4 * unit_least
    assert 0.45 <= least / (scale * unit_least) <= 2.1
    assert 0.4 <= largest / (scale * unit_largest) <= 2.5


def test_breaks_are_scales_and_what_has_none_has_none() -> None:
    assert set(activation("hard-swish").scales) >= {3.0}
    assert activation("relu2").scales == activation("square").scales == ()
    assert set(activation("abs(tanh(x - 5))").scales) >= {5.0}


def test_raised_and_clipped_are_what_they_say() -> None:
    x = np.linspace(-9, 9, 1001)
    for name in ("gelu", "elu", "tanh", "relu2"):
        phi = activation(name)
        np.testing.assert_allclose(phi.raised(0.3)(x), phi(x) + 0.3, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(clipped(phi, -0.1, 0.7)(x), np.clip(phi(x), -0.1, 0.7), rtol=1e-15)
        assert clipped(phi, -0.1, 0.7).is_continuous
        assert clipped(phi, -math.inf, math.inf) == phi
    assert isinstance(clipped(activation("relu2"), 0, 0.25), Smooth)
    assert clipped(activation("relu2"), -1, 0.25).breaks == (0.0, 0.5)
    with pytest.raises(ActivationError, match="no end of breaks"):
        clipped(activation("sin"), -0.5, 0.5)
    with pytest.raises(ActivationError, match="zero everywhere"):
        clipped(activation("softplus"), -1, 0)
    with pytest.raises(ActivationError):
        activation("gelu").raised(math.nan)


def test_a_graph_stays_open_at_jumps() -> None:
    curves = activation("where(x < 0, exp(x), 1 + sin(x) + step(x - 1))").graph(-2, 3)
    assert [(x[0], x[-1]) for x, _ in curves] == [(-2, 0), (0, 1), (1, 3)]
    (_, left), (_, middle), (_, right) = curves
    assert left[-1] == middle[0] == 1
    assert right[0] - middle[-1] == pytest.approx(1)
    assert all(len(x) == len(y) > 100 for x, y in curves)
    for (x, _), (x2, _) in pairwise(curves):
        assert x[-1] == x2[0]


def test_words_for_what_has_no_name() -> None:
    phi = activation("where(x < 0, expm1(x), x)")
    made = Smooth((0.0,), (call("expm1", X), X))
    assert made == phi and repr(made) == "where(x < 0, expm1(x), x)"
    named = read_activation(made)
    assert (named.label, named.formula, named.phi) == ("piecewise analytic", repr(made), made)
    assert read_activation(phi).label == phi.name
    told = description_of(activation("max(tanh(x), x/2) + step(x - 1)"))
    assert told.startswith(
        "5 analytic pieces with slope 0 far on the left and 0.5 far on the right, 1 jump, 4 breaks in"
    )
    assert description_of(activation("sin(x)/3")) == "1 analytic piece, bounded"


def test_a_smooth_activation_made_by_hand_is_checked() -> None:
    for breaks, pieces in (((0.0,), (X,)), ((1.0, 0.0), (X, X, X)), ((0.0, 0.0), (X, X, X)), ((), (number(0),))):
        with pytest.raises(ActivationError):
            Smooth(breaks, pieces)
    with pytest.raises(ActivationError, match="a Smooth takes no parameters"):
        activation(Smooth((), (product([X, X]),)), a=1.0)


def test_what_is_piecewise_linear_is_so_however_it_is_written() -> None:
    same: dict[str, str] = {
        "x*step(x)": "max(x, 0)",
        "where(x > 0, x*x/x, 0)": "max(x, 0)",
        "(x**2 - 1)/(x - 1)": "x + 1",
        "(x + 1)**2 - x**2 - 2*x": "1",
        "sqrt(x**2)": "abs(x)",
        "sqrt(4*x**2) + 0*tanh(x)": "2*abs(x)",
        "log(exp(x))": "x",
        "x*exp(x)*exp(-x)": "x",
        "where(tanh(x - 1/3) > 0, x, 0)": "where(x > 1/3, x, 0)",
        "sign(x**3)": "sign(x)",
        "x*tanh(x)/tanh(x)": "x",
        "sin(x)**2 + cos(x)**2 + x": "x + 1",
    }
    for written, straight in same.items():
        phi: Activation = activation(written)
        assert isinstance(phi, PiecewiseLinear), written
        assert phi == activation(straight)
    root: Activation = activation("sqrt(2)*max(x, 0)")
    assert isinstance(root, PiecewiseLinear) and root.slopes == (0, math.sqrt(2))
