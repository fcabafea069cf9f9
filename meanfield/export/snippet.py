"""φ and its initialiser as a module that runs without meanfield, and as a record for other tools.

The module's docstring says where its numbers come from. Nothing that a user has written stands elsewhere in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from meanfield.activations.spec import NamedActivation, read_activation
from meanfield.errors import DomainError, printable, shortened
from meanfield.export.functions import Functions
from meanfield.export.languages import LANGUAGES, Framework
from meanfield.infinite_width.framework_code import framework_code, numpy_code
from meanfield.infinite_width.operating_point import Subject
from meanfield.infinite_width.stability import Diagnosis, diagnose
from meanfield.lettering import docstring_text
from meanfield.papers import short
from meanfield.quantities import quantity
from meanfield.tables.records import Record
from meanfield.version import __version__

__all__ = ["Exported", "snippet"]

#: What the numbers rest on: the maps, the edge of chaos, V'(q*) of sparse activations, and its part in training.
_PAPERS = ("poole2016exponential", "schoenholz2017deep", "price2024deep", "dent2026how")
_NUMBERS = ("sigma_w", "sigma_b", "q_star", "sparsity", "chi_1", "V_prime", "V_double_prime")
#: Characters of a line of code, but for long formulas.
_LINE = 120


def snippet(subject: Subject, framework: Framework, start: float = 1.0) -> str:
    """φ and the initialiser of a network as a Python module that imports a framework and nothing else.

    Args:
        subject: an edge of chaos, a network, or a network at a fixed point.
        framework: "numpy", "torch", "flax" or "keras"; what each module holds is told at `Exported.snippet`.
        start: variance of the signal asked about, of a network.

    Raises:
        DomainError: an unknown framework, or `start` is not a finite number > 0.
        ActivationError: no more is known of φ than its values.
    """
    judged = diagnose(subject, start, with_remedies=False)
    return Exported(read_activation(judged.point.network.activation), judged).snippet(framework)


@dataclass(frozen=True)
class Exported:
    """An activation with the initialisation of a network of it, to be written out.

    Attributes: `named`, the activation; `judged`, the network at its fixed point, with its verdict; `width` and
    `depth`, for which the verdict holds, None for any; `command`, what was asked, if it was by a command.
    """

    named: NamedActivation
    judged: Diagnosis
    width: int | None = None
    depth: int | None = None
    command: str = ""

    def record(self) -> Record:
        """φ as a file of an activation has it, σ_w and σ_b, and what they bring about."""
        found = self.judged.record()
        return {
            "activation": self.named.label,
            "formula": self.named.formula,
            "phi": {"name": self.named.label, **self.named.phi.as_record()},
            **{key: found[key] for key in _NUMBERS},
            "phase": self.judged.phase,
            "width": self.width,
            "depth": self.depth,
            "verdict": self.judged.verdict.word,
            "version": __version__,
            "command": self.command or None,
            "papers": [short(key) for key in _PAPERS],
        }

    def snippet(self, framework: Framework) -> str:
        """A Python module of φ and the initialiser, which imports the framework alone.

        numpy's has `activation(x)`, `slope(x)` and `layer(rng, fan_in, fan_out)`; PyTorch's `activation(x)`, the module
        `Activation` and `initialise(model, generator=None)`; JAX's, for Flax and whatever else takes such initialisers,
        `activation(x)`, `kernel_init` and `bias_init`; Keras's `activation(x)` and `initialisers()`.

        Raises:
            ActivationError: no more is known of φ than its values.
        """
        if framework not in LANGUAGES:
            raise DomainError(f"there is no code for {shortened(framework)}: give one of {', '.join(LANGUAGES)}")
        language = LANGUAGES[framework]
        functions = Functions(self.named.phi, language)
        value = _function("activation(x)", "φ(x), elementwise, exactly 0 where φ is 0.", functions.value())
        parts = [value, self._initialiser(framework)]
        if framework == "numpy":
            told = "φ'(x), elementwise; at a break that on its right."
            parts.insert(1, _function("slope(x)", told, functions.slope()))
        above = [*functions.above.values()]
        standard = "import math\n\n" if any("math." in text for text in above) else ""
        head = "\n".join([self._docstring(_USES[framework]), standard + language.imports])
        return "\n\n".join([head, *above, *parts])

    def _docstring(self, use: str) -> str:
        record = self.record()
        rows = [(quantity(key), record[key]) for key in _NUMBERS if record[key] is not None]
        values = [f"{value:.17g}" for _, value in rows]
        parts = ", ".join(f"{name} {part.word}" for name, part in self.judged.verdict.parts.items())
        at = "at any width and depth" if self.width is None else f"at width {self.width} and depth {self.depth}"
        told = [
            f"{self.named.label}, and an initialisation of networks of it.",
            "",
            f"φ(x) = {self.named.formula}",
            "",
            *(
                f"    {called.symbol:8}   {value:23}   {called.meaning}".rstrip()
                for (called, _), value in zip(rows, values, strict=True)
            ),
            f"    verdict    {record['verdict']:23}   {parts}, {at}",
            "",
            f"{self.judged.phase[0].upper()}{self.judged.phase[1:]}. {self._start()}".rstrip(),
            use,
            "",
            f"Made by meanfield {__version__}" + (f": {self.command}" if self.command else "."),
            *(f"{'Theory: ' if not i else '        '}{paper}" for i, paper in enumerate(record["papers"])),
        ]
        return '"""' + "\n".join(docstring_text(printable(line)) for line in told) + '\n"""\n'

    def _start(self) -> str:
        """Which inputs have the variance q* at the first layer."""
        network, q = self.judged.point.network, self.judged.point.q_star
        if q is None or q <= network.sigma_b**2:
            return ""
        size = (q - network.sigma_b**2) / network.sigma_w**2
        return f"Inputs whose mean square is {size:.6g} have the variance q* at the first layer."

    def _initialiser(self, framework: Framework) -> str:
        scales = self.judged.point.network.sigma_w, self.judged.point.network.sigma_b
        if framework == "numpy":
            weights, biases = numpy_code(*scales)
        else:
            code = framework_code(*scales, exact=True, generator="generator")
            weights, biases = code[_CODE[framework]]
        text = _INITIALISERS[framework].format(weights=weights, biases=biases)
        return "".join(map(_broken, text.splitlines(keepends=True)))


#: What `framework_code` calls them.
_CODE = {"torch": "pytorch", "flax": "jax", "keras": "keras"}

_USES: dict[Framework, str] = {
    "numpy": "layer(rng, fan_in, fan_out) draws a layer, activation(x) is φ and slope(x) its derivative.",
    "torch": "initialise(model) sets every Linear and Conv of a model; Activation() is activation(x) as a layer.",
    "flax": "nn.Dense(300, kernel_init=kernel_init, bias_init=bias_init) in flax.linen, and likewise nnx.Linear.",
    "keras": "keras.layers.Dense(300, activation=activation, **initialisers()), and likewise any layer with a kernel.",
}

_INITIALISERS: dict[Framework, str] = {
    "numpy": '''def layer(rng, fan_in, fan_out):
    """Weights of shape (fan_out, fan_in) and biases, drawn by a numpy.random.Generator: h = W φ + b."""
    weights = {weights}
    biases = {biases}
    return weights, biases
''',
    "torch": '''class Activation(torch.nn.Module):
    """φ as a layer."""

    def forward(self, x):
        return activation(x)


@torch.no_grad()
def initialise(model, generator=None):
    """Draw the weights and biases of every Linear and Conv layer anew, transposed ones apart; return the model."""
    for layer in model.modules():
        if isinstance(layer, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)):
            {weights}
            if layer.bias is not None:
                {biases}
    return model
''',
    "flax": """#: W_ij ~ N(0, σ_w²/fan_in) and b_i ~ N(0, σ_b²).
kernel_init = {weights}
bias_init = {biases}
""",
    "keras": '''def initialisers():
    """Arguments of a layer. Ask anew for each: an initialiser of Keras draws the same numbers at every call."""
    return {{
        "kernel_initializer": {weights},
        "bias_initializer": {biases},
    }}
''',
}


def _function(signature: str, told: str, lines: list[str]) -> str:
    return "\n".join([f"def {signature}:", f'    """{told}"""', *(f"    {line}" for line in lines), ""])


def _broken(line: str) -> str:
    """A call that is too long for a line, with its arguments in one of their own."""
    if len(line) <= _LINE:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    head, _, inside = line.partition("(")
    inside, _, end = inside.rpartition(")")
    return f"{head}(\n{indent}    {inside}\n{indent}){end}"
