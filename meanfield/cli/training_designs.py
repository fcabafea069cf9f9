"""`meanfield design --for-training`: what is said of designs at the gain at which networks of a depth learn best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli.layout import Block, grid, heading, paragraph
from meanfield.cli.verdicts import sized
from meanfield.quantities import DECISIVE
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.design.design import Design
    from meanfield.finite_width.escape import Requirement

__all__ = ["TRAINED", "ForTraining", "trained_record", "training_tables"]

ForTraining = Annotated[
    str | None,
    typer.Option(
        "--for-training",
        metavar="width=N,depth=L",
        help="Instead of --chi: the gain χ₁ at which networks of this depth learn best under Adam, as far as their "
        "tangent kernel tells; what else is asked for holds on the edge of chaos.",
        show_default=False,
    ),
]

#: The columns that such designs have besides.
TRAINED = ("width", "depth", *DECISIVE, "contrast", "contrast_on_edge")
_RESTS_ON = (
    "φ is as asked for on the edge of chaos; χ₁ is then that at which the tangent kernel tells inputs apart best under "
    "Adam at this depth, the largest contrast (docs/theory.md, section 19). That networks learn best near it was "
    "measured, not proved: docs/experiments.md. The verdict counts gradients that shrink evenly as lost, which Adam "
    "makes up for."
)


def trained_record(found: Design, required: Requirement) -> Record:
    """The row of a design for training: its verdict, and the contrast that its gain is chosen by."""
    from meanfield.finite_width.verdict import at_width
    from meanfield.infinite_width.stability import diagnose
    from meanfield.infinite_width.tangent_kernel import contrast

    verdict = at_width(diagnose(found.edge, with_remedies=False), required, with_remedies=False).record()
    phi, q, gain, depth = found.activation.phi, found.edge.q_star, found.edge.chi_1, required.depth
    return {
        **found.record(),
        "width": required.width,
        "depth": depth,
        **{key: verdict[key] for key in DECISIVE},
        **dict(zip(("contrast", "contrast_on_edge"), contrast(phi, q, [gain, 1.0], depth).tolist(), strict=True)),
    }


def training_tables(
    spec: str, open_names: Sequence[str], rows: Sequence[Record], required: Requirement, digits: int | None
) -> list[Block]:
    """The table of such designs, and what their gain rests on."""
    sparsity = ["sparsity"] if any(row["sparsity"] for row in rows) else []
    keys = [*sparsity, *open_names, "q_star", "chi_1", "sigma_w", "sigma_b", "V_prime", "verdict", "share_lost"]
    keys += ["share_interval", "contrast", "contrast_on_edge"] if len(rows) == 1 else []
    return [
        heading(sized(f"{spec} for training", required)),
        grid(rows, keys, digits or (6 if len(rows) == 1 else 4)),
        paragraph("training:", _RESTS_ON),
    ]
