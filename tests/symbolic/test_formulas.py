"""What is printed says what was derived: text read back, LaTeX compiled, programs run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sympy
from examples import activations
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, erfc, ndtr

import meanfield as mf
from meanfield.activations.catalogue import ACTIVATIONS
from meanfield.infinite_width import moments
from meanfield.infinite_width.edge import slope_on_edge
from meanfield.symbolic import code, derive
from meanfield.symbolic.bivariate import Phi2, density
from meanfield.symbolic.document import document
from meanfield.symbolic.names import latex_name, mathematica_names, text_name
from meanfield.symbolic.record import record
from meanfield.symbolic.stability import stability_sentence
from meanfield.symbolic.terminal import equations
from meanfield.symbolic.writing import lines, write

NAMES = [entry.signature for entry in ACTIVATIONS]
#: Activations whose formulas are long, of several kinds.
LONG = {
    "four symbols": ("clip(x, a, b) + c*max(x - d, 0)", ["a < b", "b < d"]),
    "two lines": ("where(x < 0, a_1*x + b_1, a_2*x + b_2)", []),
    "slopes and jumps": ("5*where(x < m, 2*(x - m), m*(x - m) + d)", []),
    "no sign known": ("max(x - a + b, 0)", []),
    "a sum below the line": ("clip(x, -a, b) + c*abs(x - 1/2)", ["b > 1/2"]),
}
SPECS = {**{name: (name, []) for name in NAMES}, **LONG}
VALUES = {"q": 1.3, "q_star": 1.3, "sigma_w": 1.1, "sigma_b": 0.4, "rho": 0.35, "tau": 0.7, "m": 1.2, "slope": -0.3}
VALUES |= {"a": 0.3, "b": 0.8, "c": 1.7, "d": 2.1, "a_1": 0.2, "b_1": -0.5, "a_2": 1.4, "b_2": 0.9}


@cache
def derivation(key: str, notation: str = "Phi") -> mf.symbolic.Derivation:
    spec, assume = SPECS[key]
    return derive(spec, "all", assume=assume, notation=notation)


def read_back(text: str, values: dict[str, float]) -> float:
    """A formula in Unicode, read as a person reads it, in doubles."""
    text = text.replace("q*", "q_star")
    text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: "**" + unicodedata.normalize("NFKC", m[1]), text)
    for old, new in (("Φ₂", "Phi2"), ("Φ", "ndtr"), ("ϕ", "density"), ("V(q)", "V"), (";", ",")):
        text = text.replace(old, new)
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"√(\w+)", r"sqrt(\1)", text).replace("√", "sqrt")
    text = text.replace("·", "*").replace("−", "-").replace("^", "**").replace("π", "pi")
    functions = {"Phi2": Phi2, "ndtr": ndtr, "density": density, "erf": erf, "erfc": erfc, "inf": np.inf}
    functions |= {name: getattr(np, name) for name in ("sqrt", "exp", "arcsin", "pi")}
    return float(eval(text.replace("∞", "inf"), {"__builtins__": {}}, {**functions, **values}))


def braced(latex: str, start: int) -> int:
    """Where the group ends that opens at a position."""
    depth = 0
    for i in range(start, len(latex)):
        depth += (latex[i] == "{") - (latex[i] == "}")
        if not depth:
            return i
    raise AssertionError(f"unbalanced: {latex[start:]}")


def latex_as_text(latex: str) -> str:
    """LaTeX as `read_back` takes it: fractions as quotients, products with their dots."""
    for command in (r"\left", r"\right", r"\Bigl", r"\Bigr", r"\Big", r"\,", r"{}"):
        latex = latex.replace(command, "")
    while (at := latex.find(r"\frac{")) >= 0:
        middle = braced(latex, at + 5)
        end = braced(latex, middle + 1)
        quotient = f"(({latex[at + 6 : middle]})/({latex[middle + 2 : end]}))"
        latex = latex[:at] + quotient + latex[end + 1 :]
    while (at := latex.find(r"\sqrt{")) >= 0:
        end = braced(latex, at + 5)
        latex = f"{latex[:at]} ROOT({latex[at + 6 : end]}){latex[end + 1 :]}"
    latex = re.sub(r"\\(?:operatorname|mathit)\{(\w+)\}", r"\1", latex)
    latex = re.sub(r"\^\{([^}]*)\}", r"^(\1)", latex)
    latex = re.sub(r"\\sigma_([wb])", r"sigma_\1", latex).replace("q^*", "q_star").replace(r"\Phi_2", "Phi2")
    latex = re.sub(r"_\{(\w+)\}", r"\1", latex).replace(r"\varphi", "density").replace(r"\Phi", "ndtr")
    latex = re.sub(r"\\([A-Za-z]+)", r" \1 ", latex).replace(" cdot ", "·").replace("V(q)", "V").replace(";", ",")
    called = r"(?:Phi2|density|ndtr|erfc|erf|exp|arcsin|ROOT)"
    latex = re.sub(rf"({called}) *\(", r"\1(", latex)
    # What stands side by side is multiplied.
    latex = re.sub(rf"\b({called})\(", r"\1[", latex)
    latex = re.sub(r"(?<=[\w)]) +(?=[\w(])|(?<=[\w)])(?=\()|(?<=\))(?=\w)", "·", latex).replace("[", "(")
    return latex.replace("ROOT", "sqrt").replace("infty", "inf")


def in_latex(values: dict[str, float]) -> dict[str, float]:
    """Values by the names that `latex_as_text` leaves."""
    return {latex_as_text(latex_name(name)).strip(): value for name, value in values.items()} | values


def in_text(values: dict[str, float]) -> dict[str, float]:
    """Values by the names that text gives them, in the alphabet that `read_back` ends in."""
    return {unicodedata.normalize("NFKC", text_name(name)): value for name, value in values.items()}


def numbers(d: mf.symbolic.Derivation, formula: object, values: dict[str, float]) -> dict[str, float]:
    """Every value that a printed formula may mention: parameters, definitions, and those of the table of symbols."""
    known = in_text({name: values[name] for name in d.symbols}) | {"q_star": values["q_star"]}
    for name, value in formula.definitions.items():
        known[unicodedata.normalize("NFKC", write(name).text).replace("V(q)", "V")] = float(
            read_back(write(value).text, known)
        )
    return known


def expected(d: Mapping[str, sympy.Expr], name: str, values: dict[str, float]) -> float:
    expression = d[name]
    exact = {s: sympy.Rational(str(values[s.name])) for s in expression.free_symbols}
    return float(expression.subs(exact).evalf(20))


def check_with_mathtext(d: mf.symbolic.Derivation) -> None:
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for latex in d.displays().values():
        rows = re.sub(r"\\(begin|end)\{aligned\}", "", latex).split(r"\\" + "\n")
        for row in rows:
            # mathtext knows no alignment, no \Bigl and \Bigr, and no \Big before a stroke.
            plain = re.sub(r"\\Big[lr]?", "", row).replace("={}&", "=").replace(r"&\quad {}", "")
            parser.parse(f"${plain.strip()}$")
            opened = len(re.findall(r"\{", row))
            assert opened == len(re.findall(r"\}", row))
        assert latex.count(r"\Bigl(") == latex.count(r"\Bigr)")


#: Of the other notation some are enough: it differs in Φ alone.
ERF = ("two lines", "no sign known", "slopes and jumps", "relu", "clipped-relu(tau, m)")
BOTH = [*((key, "Phi") for key in SPECS), *((key, "erf") for key in ERF)]


@pytest.mark.parametrize(("key", "notation"), BOTH)
def test_text_and_latex_say_what_was_derived_on_lines_that_fit(key: str, notation: str) -> None:
    d = derivation(key, notation)
    check_with_mathtext(d)
    for name, formula in d.formulas.items():
        value, known = expected(d, name, VALUES), numbers(d, formula, VALUES)
        for width in (1000, 100, 76, 56, 40):
            text = "".join(f" {line.text}" for line in lines(formula.short, width))
            assert read_back(text, known) == pytest.approx(value, rel=1e-11, abs=1e-12), (name, width, text)
        names = in_latex({**VALUES, **{s.name: float(read_back(write(v).text, known)) for s, v in scaled(formula)}})
        for width in (1000, 78, 40):
            latex = " ".join(line.latex for line in lines(formula.short, width))
            text = latex_as_text(latex)
            assert read_back(text, {**names, "V": known.get("V")}) == pytest.approx(value, rel=1e-11, abs=1e-12), latex
    for width in (98, 78):
        assert max(len(line) for formula in equations(d.formulas.values(), width) for line in formula) <= width


def scaled(formula: object) -> list[tuple[sympy.Symbol, sympy.Expr]]:
    """The definitions of h₁, h₂, …"""
    return [(name, value) for name, value in formula.definitions.items() if isinstance(name, sympy.Symbol)]


@given(phi=activations(), width=st.sampled_from([50, 76]))
@settings(max_examples=3)
def test_text_of_any_activation_says_what_was_derived(phi: mf.PiecewiseLinear, width: int) -> None:
    d = derive(phi, ["V", "d2V", "R", "d2R"])
    for name, formula in d.formulas.items():
        text = "".join(f" {line.text}" for line in lines(formula.short, width))
        found = read_back(text, numbers(d, formula, VALUES))
        assert found == pytest.approx(expected(d, name, VALUES), rel=1e-9, abs=1e-10), (name, text)


def test_a_formula_reads_as_on_paper() -> None:
    d = derive("shifted-relu(tau)", ["V", "dV_eoc", "d2V_eoc"])
    assert [" ".join(lines) for lines in equations(d.formulas.values(), 200)] == [
        "V(q) = σ_w²·((q + τ²)·Φ(−τ/√q) − τ·√q·ϕ(τ/√q)) + σ_b²",
        "V'(q*) = 1",
        "V''(q*) = σ_w²·τ·ϕ(τ/√q*)/(2·q*^(3/2))   with σ_w² = 1/Φ(−τ/√q*)",
    ]
    assert derive("leaky-relu(a)", "dR").displays()["dR"].splitlines()[1:3] == [
        r"  R'(\rho) ={}& \frac{\sigma_w^{2} q}{V(q)} \left(\frac{(1 + a)^{2}}{4} + "
        r"\frac{(1 - a)^{2} \arcsin(\rho)}{2 \pi}\right) \\",
        r"  V(q) ={}& \frac{\sigma_w^{2} q (1 + a^{2})}{2} + \sigma_b^{2}",
    ]


def core(name: str, phi: mf.PiecewiseLinear, v: dict[str, np.ndarray]) -> np.ndarray:
    """The core's value of a quantity, point by point."""

    def one(q: float, w: float, b: float, rho: float) -> float:
        network, slopes = mf.MeanField(phi, w, b), float(moments.slope_moment(phi, q, 2))
        return float(
            {
                "V": lambda: network.V(q),
                "dV": lambda: network.dV(q),
                "d2V": lambda: network.d2V(q),
                "chi1": lambda: network.chi1(q),
                "sparsity": lambda: network.sparsity(q),
                "mean": lambda: moments.mean(phi, q),
                "fourth": lambda: moments.fourth_moment(phi, q),
                "sigma_w2": lambda: 1 / slopes,
                "sigma_b2": lambda: q - moments.second_moment(phi, q) / slopes,
                "dV_eoc": lambda: slope_on_edge(phi, q),
                "d2V_eoc": lambda: moments.second_moment_d2(phi, q) / slopes,
                "R": lambda: network.R(rho, q),
                "dR": lambda: network.dR(rho, q),
                "d2R": lambda: network.d2R(rho, q),
                "kappa": lambda: network.kappa(q),
            }[name]()
        )

    return np.array([one(*row) for row in zip(v["q"], v["sigma_w"], v["sigma_b"], v["rho"], strict=True)])


def module(text: str) -> dict:
    namespace: dict = {}
    exec(compile(text, "generated", "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    ("spec", "notation"),
    [*((name, "Phi") for name in NAMES), ("clipped-soft-threshold(tau, m)", "erf"), ("relu", "erf")],
)
def test_generated_python_is_the_core_to_1e_12(spec: str, notation: str) -> None:
    random = np.random.default_rng(1)
    points = {"q": random.uniform(0.3, 3, 40), "sigma_w": random.uniform(0.5, 2, 40)}
    points |= {"sigma_b": random.uniform(0.1, 1, 40), "rho": random.uniform(-0.95, 0.95, 40)}
    points["q_star"] = points["q"]
    d = derive(spec, "all", notation=notation)
    parameters = {name: VALUES[name] for name in d.activation.parameters.symbols}
    phi = mf.activation(d.activation.formula, **parameters)
    generated = module(code.python(d.activation, d.formulas.values()))
    for name, formula in d.formulas.items():
        found = generated[name](*(points[a] for a in formula.quantity.arguments), **parameters)
        assert np.shape(found) == (40,)
        assert generated[name].__doc__.startswith(formula.quantity.called.symbol)
        want = core(name, phi, points)
        square = moments.second_moment(phi, points["q"])
        scale = {"dV": square / points["q"], "d2V": square / points["q"] ** 2, "mean": np.sqrt(square)}
        scale |= {"sigma_b2": points["q"], "d2V_eoc": square / points["q"] ** 2, "R": 1, "dR": 1, "d2R": 1}
        finite = np.isfinite(want)
        assert np.array_equal(finite, np.isfinite(found))
        allowed = 1e-12 * np.maximum(np.abs(want), scale.get(name, 0))
        assert (np.abs(found[finite] - want[finite]) <= allowed[finite]).all(), name


@pytest.mark.parametrize("spec", NAMES)
def test_generated_R_reaches_the_ends(spec: str) -> None:
    d = derive(spec, "R")
    parameters = {name: VALUES[name] for name in d.activation.parameters.symbols}
    network = mf.MeanField(mf.activation(d.activation.formula, **parameters), 1.1, 0.4)
    R = module(code.python(d.activation, d.formulas.values()))["R"]
    for rho in (-1.0, 1.0):
        assert R(rho, 1.3, 1.1, 0.4, **parameters) == pytest.approx(network.R(rho, 1.3), abs=1e-14)
    ends = R(np.array([-1, 1]), 1.3, 1.1, 0.4, **parameters)
    np.testing.assert_allclose(ends, network.R([-1, 1], 1.3), atol=1e-14)


def test_generated_python_needs_numpy_and_scipy_alone() -> None:
    text = code.python(
        derivation("clipped-soft-threshold(tau, m)").activation,
        derivation("clipped-soft-threshold(tau, m)").formulas.values(),
    )
    assert set(re.findall(r"^(?:import|from) (\S+)", text, re.M)) == {"numpy", "scipy.special"}
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", ["exp", "sqrt", "h", "h1", "s", "p", "w", "r", "idle", "N"])
def test_any_name_will_do_for_a_parameter(name: str) -> None:
    d = derive(f"clip(x - {name}, 0, 2)", ["V", "dR"])
    reference = derive("clip(x - tau, 0, 2)", ["V", "dR"])
    for quantity in d:
        assert expected(d, quantity, {**VALUES, name: 0.7}) == pytest.approx(expected(reference, quantity, VALUES))
    assert module(code.python(d.activation, d.formulas.values()))["V"](1.3, 1.1, 0.4, 0.7) == pytest.approx(
        expected(d, "V", {**VALUES, name: 0.7})
    )


@pytest.mark.parametrize("key", ["clipped-relu(tau, m)", "leaky-relu(slope)", "two lines"])
def test_sympy_output_builds_the_same_expressions(key: str) -> None:
    d = derivation(key)
    built = module(code.sympy(d.formulas.values()))
    for name in d:
        assert expected(d, name, VALUES) == pytest.approx(expected(built, name, VALUES), rel=1e-12)


@pytest.mark.parametrize("spec", NAMES)
def test_lambdify_makes_numpy_functions(spec: str) -> None:
    d = derive(spec, ["V", "R"])
    for name in d:
        symbols = sorted(d[name].free_symbols, key=str)
        function = sympy.lambdify(symbols, d[name])
        assert function(*(VALUES[s.name] for s in symbols)) == pytest.approx(expected(d, name, VALUES), rel=1e-12)


def test_mathematica_output_parses_and_says_the_same() -> None:
    from sympy.parsing.mathematica import parse_mathematica

    text = code.mathematica(derive("soft-threshold(tau)", "V").formulas.values())
    head, body = text.strip().split(" := ")
    assert head == "V[q_, sigmaw_, sigmab_, tau_]"
    normal, argument = sympy.Function("normal"), r"\[NormalDistribution\[\], ([^\]]*)\]"
    body = re.sub("CDF" + argument, r"normal[\1]", body)
    parsed = parse_mathematica(re.sub("PDF" + argument, r"(Exp[-(\1)^2/2]/(2*Pi)^(1/2))", body))
    values = {"q": 1.3, "sigmaw": 1.1, "sigmab": 0.4, "tau": 0.7}
    found = parsed.replace(normal, lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2).subs(values).evalf()
    assert float(found) == pytest.approx(expected(derive("soft-threshold(tau)", "V"), "V", VALUES))


def test_names_stay_apart_in_mathematica() -> None:
    names = ["q", "sigma_w", "sigmaw", "a_b", "ab", "E", "E0", "PDF"]
    written = mathematica_names(names)
    assert len(set(written.values())) == len(names)
    assert not set(written.values()) & {"E", "PDF"}


@pytest.mark.parametrize(
    ("name", "text", "latex"),
    [
        ("tau", "τ", r"\tau"),
        ("τ", "τ", r"\tau"),
        ("t1", "t₁", "t_{1}"),
        ("t_1", "t₁", "t_{1}"),
        ("lambda_min", "λ_min", r"\lambda_{min}"),
        ("width", "width", r"\mathit{width}"),
        ("m", "m", "m"),
        ("Omega2", "Ω₂", r"\Omega_{2}"),
    ],
)
def test_names_are_written_as_symbols(name: str, text: str, latex: str) -> None:
    assert (text_name(name), latex_name(name)) == (text, latex)


def latex_of(key: str, notation: str) -> str:
    return "\n".join(f"\\[\n{latex}\n\\]" for latex in derivation(key, notation).displays().values())


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX engine here; mathtext reads the formulas below")
@pytest.mark.parametrize("notation", ["Phi", "erf"])
def test_every_document_compiles_within_its_margins(tmp_path: Path, notation: str) -> None:
    keys = (
        ("four symbols", "slopes and jumps", "a sum below the line", "hard-threshold(tau)")
        if notation == "Phi"
        else ERF[:2]
    )
    for i, key in enumerate(keys):
        (tmp_path / f"{i}.tex").write_text(document(derivation(key, notation)), encoding="utf-8")
        run = ["pdflatex", "-draftmode", "-halt-on-error", "-interaction=nonstopmode", f"{i}.tex"]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
        assert done.returncode == 0, done.stdout[-2000:]
        too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
        assert max(too_wide, default=0) < 30, (key, too_wide)
    both = "\\documentclass{article}\\usepackage{amsmath,amssymb}\\begin{document}\n%s\n\\end{document}"
    (tmp_path / "all.tex").write_text(
        both % "\n\n".join(latex_of(key, notation) for key in (SPECS if notation == "Phi" else ERF))
    )
    run = ["pdflatex", "-draftmode", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    assert subprocess.run(run, cwd=tmp_path, capture_output=True, timeout=60).returncode == 0


def test_a_document_defines_what_it_uses() -> None:
    text = document(derivation("clipped-relu(tau, m)"))
    for part in (
        r"\begin{cases}",
        r"x - \tau & \tau \le x < m + \tau",
        r"\chi_1(q)",
        r"$\Phi_2(h, k; \rho)$",
        r"$m > 0$",
    ):
        assert part in text
    assert r"\Phi_2" not in document(derive("relu", "all"))
    assert r"\usepackage" in text and text.endswith("\\end{document}\n")


@pytest.mark.parametrize(
    ("spec", "assume", "said"),
    [
        ("relu", [], "random walk"),
        ("soft-threshold(tau)", [], "returns from below but runs away above"),
        ("clipped-relu(tau, m)", [], "$V'(q^*) < 1$ at every"),
        ("max(x, 0) + max(-x - tau, 0)", [], "runs away above"),
        ("abs(x) + tau*max(x - 1, 0)", [], "$V'(q^*) > 1$"),
        ("clip(x, 0, 1) + max(x - 3, 0)", [], "either sign"),
        ("max(x - 1/(a-b), 0)", ["a < b"], "would need"),
        ("max(x + 1/(a-b), 0)", ["a < b"], "returns from below but runs away above"),
        ("x + 1", [], "would need"),
        ("step(x)", [], "jumps"),
        ("x - x + tau", [], "constant"),
    ],
)
def test_the_stability_sentence_is_true(spec: str, assume: list[str], said: str) -> None:
    assert said in stability_sentence(derive(spec, "V", assume=assume).activation)


def test_the_stability_sentence_agrees_with_the_verdict() -> None:
    for name in NAMES:
        activation = derive(name, "V").activation
        values = {p: VALUES[p] for p in activation.parameters.symbols}
        try:
            verdict = mf.diagnose_edge(mf.edge_of_chaos(mf.activation(activation.formula, **values), 60.0)).verdict.word
        except mf.NoEdgeOfChaos:
            continue
        sentence = stability_sentence(activation)
        assert {"random walk": "neutral", "unstable, for": "unstable"}.get(
            next((words for words in ("random walk", "unstable, for") if words in sentence), ""), "stable"
        ) in (verdict, "stable")


def test_json_holds_every_notation() -> None:
    d = derive("clipped-relu(tau, m)", ["R", "dV_eoc"], assume=["tau > m"])
    data = json.loads(json.dumps(record(d)))
    assert list(data) == [
        "activation",
        "formula",
        "parameters",
        "assumptions",
        "notation",
        "quantities",
        "without_formula",
    ]
    assert data["parameters"] == {"tau": "positive", "m": "positive"}
    assert [q["quantity"] for q in data["quantities"]] == ["R", "dV_eoc"]
    for q in data["quantities"]:
        assert list(q) == [
            "quantity",
            "symbol",
            "meaning",
            "arguments",
            "text",
            "where",
            "latex",
            "sympy",
            "mathematica",
        ]
    assert set(data["quantities"][0]["where"]) == {"V(q)", "h₁", "h₂"}
    assert set(data["quantities"][1]["where"]) == {"σ_w²"}
