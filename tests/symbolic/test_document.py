"""A document says what holds: it defines what it uses, and its sentence on stability is true. A record is data."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sympy
from symbolic.derived import SPECS, derived, parameters_of

import meanfield as mf
from meanfield.infinite_width import moments
from meanfield.infinite_width.edge import slope_on_edge
from meanfield.symbolic import Phi, Phi2, derive, phi
from meanfield.symbolic.document import document
from meanfield.symbolic.record import record


def pdflatex(folder: Path, text: str) -> str:
    """What the engine says of a document; it must compile."""
    (folder / "document.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-draftmode", "-halt-on-error", "-interaction=nonstopmode", "document.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


needs_latex = pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="no LaTeX engine here; mathtext reads the formulas in test_writing"
)


@needs_latex
@pytest.mark.parametrize(
    ("key", "notation"),
    [
        *((key, "Phi") for key in ("four symbols", "slopes and jumps", "a sum below the line", "hard-threshold(tau)")),
        *((key, "erf") for key in ("two lines", "no sign known")),
    ],
)
def test_a_document_compiles_within_its_margins(tmp_path: Path, key: str, notation: str) -> None:
    said = pdflatex(tmp_path, document(derived(key, notation)))
    assert max(map(float, re.findall(r"Overfull \\hbox \(([\d.]+)pt", said)), default=0) < 30


@needs_latex
def test_every_display_compiles(tmp_path: Path) -> None:
    displays = "\n\n".join(f"\\[\n{latex}\n\\]" for key in SPECS for latex in derived(key).displays().values())
    head = "\\documentclass{article}\\usepackage{amsmath,amssymb}\\begin{document}"
    pdflatex(tmp_path, f"{head}\n{displays}\n\\end{{document}}")


def test_a_document_defines_what_it_uses() -> None:
    text = document(derived("clipped-relu(tau, m)"))
    for part in (
        r"\begin{cases}",
        r"x - \tau & \tau \le x < m + \tau",
        r"\chi_1(q)",
        r"$\Phi_2(h, k; \rho)$",
        r"$m > 0$",
    ):
        assert part in text
    assert r"\Phi_2" not in document(derived("relu"))
    assert r"\usepackage" in text and text.endswith("\\end{document}\n")


def test_what_was_typed_is_set_as_it_was_typed() -> None:
    text = document(derive("max(x - α_1, 0)/β", "V", assume=["α_1 < 2*β"]))
    assert r"\texttt{max(x - $\alpha$\_1, 0)/$\beta$}" in text
    assert r"\texttt{$\alpha$\_1 < 2*$\beta$}" in text


#: Words of the sentence, and what they claim of V'(q*) and V''(q*) at several q*.
CLAIMS = {
    "$V'(q^*) < 1$ at every": lambda slope, curvature: (slope < 1).all(),
    "$V'(q^*) > 1$ at every": lambda slope, curvature: (slope > 1).all(),
    "sign of $V'(q^*) - 1$ may depend": lambda slope, curvature: slope.min() < 1 < slope.max(),
    "random walk": lambda slope, curvature: np.allclose(slope, 1) and not curvature.any(),
    "returns from below but runs away above": lambda slope, curvature: np.allclose(slope, 1) and (curvature > 0).all(),
}


@pytest.mark.parametrize(
    ("spec", "assume", "said"),
    [
        ("relu", [], "random walk"),
        ("leaky-relu(slope)", [], "random walk"),
        ("shifted-relu(tau)", [], "returns from below but runs away above"),
        ("soft-threshold(tau)", [], "returns from below but runs away above"),
        ("clipped-relu(tau, m)", [], "$V'(q^*) < 1$ at every"),
        ("clipped-soft-threshold(tau, m)", [], "$V'(q^*) < 1$ at every"),
        ("hard-tanh", [], "$V'(q^*) < 1$ at every"),
        ("max(x, 0) + max(-x - tau, 0)", [], "returns from below but runs away above"),
        ("abs(x) + tau*max(x - 1, 0)", [], "$V'(q^*) > 1$ at every"),
        ("clip(x, 0, 1) + 5*max(x - 3, 0)", [], "sign of $V'(q^*) - 1$ may depend"),
        ("max(x + 1/(a-b), 0)", ["a < b"], "returns from below but runs away above"),
    ],
)
def test_what_is_said_of_stability_holds_in_numbers(spec: str, assume: list[str], said: str) -> None:
    d = derive(spec, "V", assume=assume)
    text = document(d)
    assert [words for words in CLAIMS if words in text] == [said]
    core, variances = mf.activation(d.activation.formula, **parameters_of(d)), np.geomspace(0.2, 20, 30)
    slope = np.array([slope_on_edge(core, q) for q in variances])
    assert CLAIMS[said](slope, moments.second_moment_d2(core, variances))


@pytest.mark.parametrize(
    ("spec", "assume", "said"),
    [
        ("max(x - 1/(a-b), 0)", ["a < b"], "would need"),
        ("x + 1", [], "would need"),
        ("step(x)", [], "jumps"),
        ("hard-threshold(tau)", [], "jumps"),
        ("x - x + tau", [], "constant"),
    ],
)
def test_where_there_is_no_edge_of_chaos_the_document_says_why(spec: str, assume: list[str], said: str) -> None:
    d = derive(spec, "V", assume=assume)
    assert re.search(rf"Stability.*{said}.*has n", document(d))
    core = mf.activation(d.activation.formula, **parameters_of(d))
    for variance in (1e-4, 0.1, 1, 10, 1e4):
        with pytest.raises(mf.NoEdgeOfChaos):
            mf.edge_of_chaos(core, variance)


def test_a_record_holds_every_notation() -> None:
    d = derive("clipped-relu(tau, m)", ["R", "dV_eoc"], assume=["tau > m"])
    data = json.loads(json.dumps(record(d)))
    assert data["parameters"] == {"tau": "positive", "m": "positive"}
    assert (data["assumptions"], data["notation"], data["without_formula"]) == (["tau > m"], "Phi", {})
    assert [told["quantity"] for told in data["quantities"]] == ["R", "dV_eoc"]
    assert [set(told["where"]) for told in data["quantities"]] == [{"V(q)", "h₁", "h₂"}, {"σ_w²"}]
    for told in data["quantities"]:
        assert sympy.sympify(told["sympy"], {"Phi": Phi, "Phi2": Phi2, "phi": phi}) == d[told["quantity"]]
        assert told["text"] and told["latex"] and told["symbol"] and told["meaning"]
        assert f"[{', '.join(name.replace('_', '') + '_' for name in told['arguments'])}] := " in told["mathematica"]
