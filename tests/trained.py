"""Runs in training as their logs and results hold them, made up: figures of them need no torch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from meanfield.training.setting import Setting

SETTING = Setting("clipped-relu(tau=1, m=1)", 2.7, 0.8, depth=5, width=40, data="digits", epochs=3)
#: By activation: σ_w, σ_b of an edge of chaos at q* = 1, to a digit or two, and the verdict.
NETWORKS = {
    "relu": (1.414, 0.0, "neutral"),
    "clipped-relu(tau=1, m=1)": (2.7, 0.8, "safe"),
    "clipped-relu(tau=0.5, m=2)": (2.0, 0.5, "fragile"),
    "shifted-relu(1)": (2.5, 0.7, "unstable"),
}
#: By activation: accuracies of its runs and their sparsities, None for one that diverged.
ENDED: dict[str, list[tuple[float, float] | None]] = {
    "relu": [(0.95, 0.5), (0.97, 0.52)],
    "clipped-relu(tau=1, m=1)": [(0.9, 0.84), (0.94, 0.86)],
    "clipped-relu(tau=0.5, m=2)": [(0.8, 0.7), None],
    "shifted-relu(1)": [None, None],
}


def header(setting: Setting = SETTING) -> dict[str, Any]:
    """The first line of a log."""
    return {"format": "meanfield training 1", "setting": setting.as_record(), "foretold": {"verdict": "safe"}}


def lines(outcome: str | None = "finished", setting: Setting = SETTING) -> list[dict[str, Any]]:
    """Those behind it: looks at steps 0, 20 and 40, and how the run ended at 40, or at 27 in layer 4."""
    layers = range(1, setting.depth + 1)
    tested = "validation" if setting.validation else "test"
    looks = []
    for step in (0, 20, 40):
        learnt = step / 50
        look = {
            "step": step,
            **({"loss": 2.3 - 2 * learnt} if step else {}),
            "q": [1 + 0.02 * step * layer / setting.depth for layer in layers],
            "sparsity": [0.85 - 0.001 * step * layer for layer in layers],
            "gradient_norm": [2.0 ** (setting.depth - layer - step / 20) for layer in layers],
            **{"train_accuracy": 0.1 + learnt, "train_loss": 2.3 - 2.5 * learnt, "train_sparsity": 0.8},
            **{f"{tested}_accuracy": 0.1 + 0.9 * learnt, f"{tested}_loss": 2.4 - 2 * learnt, f"{tested}_sparsity": 0.8},
        }
        looks.append(look)
    if outcome is None:
        return looks
    measured = ("train_accuracy", "train_loss", "train_sparsity", "test_accuracy", "test_loss", "test_sparsity")
    end: dict[str, Any] = {"step": 40, "outcome": outcome, "steps": 40, "first_layer": None, "test_on": tested}
    end |= dict.fromkeys(measured, 0.8125) | {"seconds": 0.1, "machine": "mine, one thread"}
    if outcome == "finished":
        return [*looks, end | {name: looks[-1][name] for name in ("q", "sparsity", "gradient_norm")}]
    silent = setting.depth - 4
    away = {
        "q": [1.0, 1.1, 1.2, 1e30, *[None] * silent],
        "sparsity": [0.85, 0.85, 0.85, 0.5, *[0.0] * silent],
        "gradient_norm": [0.0, 0.0, 3.0, 4.0, *[None] * silent],
    }
    return [*looks[:2], end | dict.fromkeys(measured) | away | {"step": 27, "steps": 27, "first_layer": 4}]


def write_log(path: Path, outcome: str | None = "finished", setting: Setting = SETTING) -> Path:
    """A log of such a run."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in (header(setting), *lines(outcome, setting))))
    return path


def results(**rest: Any) -> list[dict[str, Any]]:
    """The lines of an experiment with the networks above; `rest` are of `Setting`."""
    found = []
    for activation, (sigma_w, sigma_b, verdict) in NETWORKS.items():
        setting = replace(SETTING, activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, **rest)
        record = setting.as_record()
        subject = ("activation", "sigma_w", "sigma_b", "q_star", "depth", "width", "model", "weights")
        found.append({"foretold": {**{name: record[name] for name in subject}, "verdict": verdict}})
        # One that it was chosen by.
        found.append(_run(replace(setting, validation=100), (0.01, 0.01)))
        found += [_run(replace(setting, seed=seed), end) for seed, end in enumerate(ENDED[activation], 1)]
    return found


def _run(setting: Setting, end: tuple[float, float] | None) -> dict[str, Any]:
    accuracy, sparsity = end or (None, None)
    result = {"outcome": "finished" if end else "diverged", "steps": 40, "first_layer": None, "test_on": "test"}
    result |= {"train_accuracy": accuracy, "train_loss": accuracy, "train_sparsity": sparsity}
    result |= {"test_accuracy": accuracy, "test_loss": accuracy, "test_sparsity": sparsity}
    return {"run": setting.as_record(), "result": {**result, "seconds": 0.1, "machine": "mine, one thread"}}


def write_results(path: Path, **rest: Any) -> Path:
    """A file of them."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in results(**rest)))
    return path
