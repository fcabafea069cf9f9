"""An audit of a model as its record holds it, made up: figures of it need no torch."""

from __future__ import annotations

from typing import Any


def audited(layers: int, departs: int | None = None) -> dict[str, Any]:
    """So many layers of q that falls by a fifth and ρ that grows; q is 30 times theory's at the layer `departs`."""
    rows = []
    for i in range(1, layers + 1):
        theory, there = 0.8**i, i == departs
        q = theory * (30 if there else 1 + 0.05 * (-1) ** i)
        rho = 1 - 0.9**i
        last = i == layers
        rows.append(
            {
                "module": f"blocks.{i // 3}.projection_{i % 3}",
                "q": q,
                "q_theory": None if i == 2 else theory,
                "q_sd": None if i == 2 else 0.1 * theory,
                "q_z": None if i == 2 else 9.0 if there else 0.5 * (-1) ** i,
                "rho": rho,
                "rho_theory": None if i == 1 else rho - 0.01,
                "rho_sd": None if i == 1 else 0.02,
                "rho_z": None if i == 1 else 0.3,
                "log_gradient": 0.2 * (layers - i),
                "log_gradient_theory": None if last else 0.21 * (layers - i),
                "log_gradient_sd": None if last else 0.3,
                "log_gradient_z": None if last else -0.4,
            }
        )
    name = None if departs is None else rows[departs - 1]["module"]
    return {"examples": 16, "level": 0.01, "threshold": 3.5, "departs": name, "verdict": "", "layers": rows}
