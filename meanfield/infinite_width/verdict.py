"""Can a network be trained? A verdict in three parts, on signal, gradient and inputs; the whole is the worst of them.

For any width and depth a part is stable, neutral or unstable; for given ones it is safe where at most the share asked
for of all random networks loses it, neutral, fragile where more do though each layer is sound, or unstable where a
mechanism runs away. docs/theory.md, section 18.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from meanfield.infinite_width.remedies import Remedy, in_words
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["GOOD", "Gradient", "Inputs", "Signal", "Verdict", "Word"]

Word = Literal["stable", "safe", "neutral", "fragile", "unstable"]

#: Words from good to bad, those of one rank together.
_RANKS: tuple[tuple[Word, ...], ...] = (("stable", "safe"), ("neutral",), ("fragile",), ("unstable",))
#: Words of networks that keep signal, gradient and inputs.
GOOD: tuple[Word, ...] = ("stable", "safe", "neutral")

Interval = tuple[float, float]


def _rank(word: Word) -> int:
    return next(rank for rank, words in enumerate(_RANKS) if word in words)


@dataclass(frozen=True)
class Signal:
    """What becomes of the variance q of the signal.

    `share_lost`, of random networks whose q at layer L is outside [q*/f, f q*], and its 95 % `interval`; None where no
    width and depth are given. What has left so is lost unless the word is neutral.
    """

    word: Word
    explanation: str
    share_lost: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True)
class Gradient:
    """What becomes of G = |∂loss/∂h⁰|²/|∂loss/∂h^L|², the square of a gradient over all layers.

    `share_lost`, of random networks in which |ln G| > ln f_g, and its 95 % `interval`; `mean` and `sd` of ln G over
    those that pass a gradient. None where no width and depth are given.
    """

    word: Word
    explanation: str
    share_lost: float | None = None
    interval: Interval | None = None
    mean: float | None = None
    sd: float | None = None


@dataclass(frozen=True)
class Inputs:
    """What is left of the difference of two inputs, as N → ∞.

    `rho`, their correlation at layer L, and `one_minus_rho`, which keeps its digits, from `rho0` at layer 0; without a
    depth `rho` is where correlations settle. `xi_c`: layers over which the distance to there falls by a factor e. None
    where it is not defined.
    """

    word: Word
    explanation: str
    rho: float | None = None
    one_minus_rho: float | None = None
    rho0: float | None = None
    xi_c: float | None = None


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """The three parts, and what would be better.

    Attributes:
        signal, gradient, inputs: each with a word of its own.
        share_lost, interval: of random networks that lose signal or gradient, with 95 %; a neutral signal may go where
            it likes. None where no width and depth are given.
        together: fragile where more networks lose one or the other than may, else stable.
        scope: what the verdict does not cover, in a sentence.
        remedies: changes that are each enough, the cheapest first.
        tried: what was looked at where there are none, in a sentence.
    """

    signal: Signal
    gradient: Gradient
    inputs: Inputs
    share_lost: float | None = None
    interval: Interval | None = None
    together: Word = "stable"
    scope: str = ""
    remedies: tuple[Remedy, ...] = ()
    tried: str = ""

    @property
    def parts(self) -> dict[str, Signal | Gradient | Inputs]:
        """By name."""
        return {"signal": self.signal, "gradient": self.gradient, "inputs": self.inputs}

    @property
    def word(self) -> Word:
        """The worst word of all, that of the signal where they are alike."""
        return max((*(part.word for part in self.parts.values()), self.together), key=_rank)

    @property
    def is_good(self) -> bool:
        """Whether signal, gradient and inputs are kept."""
        return self.word in GOOD

    @property
    def explanation(self) -> str:
        """Every part in words, one after the other."""
        return " ".join(part.explanation for part in self.parts.values()) + (f" {self.scope}" if self.scope else "")

    @property
    def remedy(self) -> str | None:
        """The remedies as a sentence; what was tried if there are none; None if none were looked for."""
        return in_words(self.remedies) or self.tried or None

    @property
    def paragraphs(self) -> list[tuple[str, str, str]]:
        """Heads, bodies and words: the remedies, each part with its mechanism, and what the verdict does not cover."""
        remedy = [("remedy:", self.remedy, "")] if self.remedy else []
        parts = [(f"{name}, {part.word}:", part.explanation, part.word) for name, part in self.parts.items()]
        return [*remedy, *parts, *([("scope:", self.scope, "")] if self.scope else [])]

    def __str__(self) -> str:
        return "\n".join([self.word, *(f"{head} {body}" for head, body, _ in self.paragraphs)])

    def record(self) -> Record:
        """The word, the explanation, what decides first, each part, and the remedies with a record each."""
        parts = {name: _listed(asdict(part)) for name, part in self.parts.items()}
        ways = [remedy.record() for remedy in self.remedies]
        return {"verdict": self.word, "explanation": self.explanation, **self._shares(), **parts, "remedies": ways}

    def _shares(self) -> Record:
        """One number of each part, beside that of the whole; none of a signal that may go where it likes."""
        return {
            "share_lost": self.share_lost,
            "share_interval": _list(self.interval),
            "signal_lost": None if self.signal.word == "neutral" else self.signal.share_lost,
            "gradient_lost": self.gradient.share_lost,
            "one_minus_rho": self.inputs.one_minus_rho,
        }


def _listed(part: Record) -> Record:
    return {key: _list(value) for key, value in part.items()}


def _list(value: Any) -> Any:
    """An interval as JSON knows it."""
    return list(value) if isinstance(value, tuple) else value
