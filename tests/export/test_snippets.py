"""Modules for numpy do what the library does, and say where their numbers come from; records for other tools."""

from __future__ import annotations

import ast
import json
from typing import Any

import numpy as np
import pytest
from export.exported import SUBJECTS, code, imported, is_near, network, points, ran, size, slope_size

import meanfield as mf
from meanfield.activations.records import from_record
from meanfield.activations.spec import NamedActivation, read_activation
from meanfield.errors import ActivationError, DomainError
from meanfield.export.languages import LANGUAGES
from meanfield.export.snippet import Exported

WIDE = 400


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_module_for_numpy_has_the_same_function_and_slope(name: str) -> None:
    phi, module = SUBJECTS[name], ran(code(name, "numpy"))
    x = points(phi)
    exact, slopes = phi.with_slopes(x)
    with np.errstate(all="ignore"):
        found, sloping = module["activation"](x), module["slope"](x)
    assert is_near(found, exact, size(phi, x), 1e-14)
    assert is_near(sloping, slopes, slope_size(phi, x), 1e-12)
    assert found.shape == sloping.shape == x.shape
    assert (found[exact == 0] == 0).all()
    breaks = np.array(phi.breaks)
    # On the right of a break, where the library is too.
    assert is_near(module["activation"](breaks), phi(breaks), 1 + size(phi, breaks), 1e-14)
    assert module["activation"](1).shape == ()


@pytest.mark.parametrize("framework", LANGUAGES)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_module_imports_its_framework_alone_and_fits_on_the_page(name: str, framework: Any) -> None:
    text = code(name, framework)
    expected = {"numpy": {"numpy"}, "torch": {"torch"}, "flax": {"jax"}, "keras": {"keras"}}[framework]
    assert imported(text) - {"math"} == expected
    assert ("math" in imported(text)) == ("math." in text)
    assert all(len(line) <= 120 or line.lstrip().startswith(("return", "y = ")) for line in text.splitlines())


def test_weights_and_biases_have_the_variance_told() -> None:
    subject = network(SUBJECTS["tanh"])
    weights, biases = ran(mf.snippet(subject, "numpy"))["layer"](np.random.default_rng(1), WIDE, 3 * WIDE)
    assert weights.shape == (3 * WIDE, WIDE) and biases.shape == (3 * WIDE,)
    for drawn, variance in ((weights, subject.sigma_w**2 / WIDE), (biases, subject.sigma_b**2)):
        assert abs(np.mean(drawn**2) / variance - 1) < 4 * (2 / drawn.size) ** 0.5
    _, none = ran(mf.snippet(mf.MeanField(SUBJECTS["tanh"], 1.0), "numpy"))["layer"](np.random.default_rng(1), 2, 3)
    assert (none == 0).all() and none.shape == (3,)


def test_a_network_of_what_is_written_stays_at_its_fixed_point() -> None:
    edge = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1, m=1)"), 1.0)
    text = mf.snippet(edge, "numpy")
    module, rng = ran(text), np.random.default_rng(5)
    size = float(text.partition("mean square is ")[2].split()[0])
    y = rng.normal(0, size**0.5, 2000)
    for _ in range(3):
        weights, biases = module["layer"](rng, y.size, 2000)
        h = weights @ y + biases
        # A layer's mean of h² has a standard error of √((2 + what V' hands on)/N) at most.
        assert np.mean(h**2) == pytest.approx(1, abs=4 * (6 / 2000) ** 0.5)
        y = module["activation"](h)
    assert np.mean(y == 0) == pytest.approx(edge.sparsity, abs=0.05)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("relu", {"torch": "torch.relu(x)", "flax": "jax.nn.relu(x)", "keras": "keras.ops.relu(x)"}),
        ("hard-tanh", {"torch": "torch.clamp(x, -1.0, 1.0)", "flax": "jnp.clip(x, -1.0, 1.0)"}),
        ("soft-threshold", {"torch": "torch.nn.functional.softshrink(x, 0.5)"}),
        ("leaky-relu", {"torch": "torch.nn.functional.leaky_relu(x, 0.5)"}),
        ("gelu", {"torch": "torch.nn.functional.gelu(x)", "flax": "jax.nn.gelu(x, approximate=False)"}),
        ("mish", {"torch": "torch.nn.functional.mish(x)"}),
        ("silu", {"flax": "jax.nn.silu(x)", "keras": "keras.ops.silu(x)"}),
    ],
)
def test_what_a_framework_has_is_called_by_its_name(name: str, written: dict[Any, str]) -> None:
    for framework, call in written.items():
        assert f"    return {call}\n" in code(name, framework)


def test_the_docstring_tells_numbers_command_version_and_papers() -> None:
    named = read_activation("soft-threshold", tau=0.5)
    edge = mf.edge_of_chaos(named.phi)
    told = ran(Exported(named, mf.diagnose(edge)).snippet("numpy"))["__doc__"]
    assert told.startswith("soft-threshold(tau=0.5), and")
    assert "φ(x) = max(x - 0.5, 0) - max(-x - 0.5, 0)\n" in told
    for number in (edge.sigma_w, edge.sigma_b, edge.V_double_prime, edge.sparsity):
        assert f"   {number:.17g}   " in told
    assert "verdict    unstable" in told and "at any width and depth" in told
    assert f"Made by meanfield {mf.__version__}." in told
    assert "Poole et al. (2016), arXiv:1606.05340\n" in told and "Dent and Tanner (2026), arXiv:2602.05779" in told


@pytest.mark.parametrize("framework", LANGUAGES)
def test_nothing_that_a_user_writes_is_code(framework: Any) -> None:
    evil = '""" + boom() + """\\\n\'\'\'\nboom() # \u2028 \\"'
    phi = mf.activation("relu")
    text = Exported(NamedActivation(evil, evil, phi), mf.diagnose(network(phi)), command=evil).snippet(framework)
    told = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in evil)
    assert f"{ast.get_docstring(ast.parse(text), clean=False)}".count(told) == 3
    assert "boom" not in text.partition('"""\n\nimport')[2]


def test_a_record_holds_the_activation_and_what_the_network_does() -> None:
    edge = mf.edge_of_chaos(mf.activation("clipped-relu(tau=1, m=1)"))
    named = read_activation(edge.activation)
    record = json.loads(json.dumps(Exported(named, mf.diagnose(edge)).record()))
    assert record["phi"].pop("name") == "clipped-relu(tau=1, m=1)"
    assert from_record(record["phi"]) == edge.activation
    assert [record[key] for key in ("sigma_w", "V_prime", "verdict")] == [edge.sigma_w, edge.V_prime, "stable"]


def test_what_is_known_by_its_values_alone_has_a_record_and_no_code() -> None:
    phi = mf.activation(lambda x: np.tanh(x) * x)
    with pytest.raises(ActivationError, match=r"no more is known of .* than its values.*give it as an expression"):
        mf.snippet(network(phi), "torch")


def test_there_is_code_for_no_other_framework() -> None:
    with pytest.raises(DomainError, match="no code for caffe: give one of numpy, torch, flax, keras"):
        mf.snippet(network(mf.activation("relu")), "caffe")  # type: ignore[arg-type]
