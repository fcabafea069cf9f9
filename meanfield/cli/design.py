"""`meanfield design`: parameters of an activation from what it should do at q*, and the activation reshaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, paragraph
from meanfield.cli.output import emit, printing, progress, require_columns
from meanfield.cli.reshape import C0, Depths, Eta, Method, Reshape, Zeta, print_reshaped, require_no_shape
from meanfield.cli.training_designs import TRAINED, ForTraining, trained_record, training_tables
from meanfield.cli.verdicts import sized
from meanfield.errors import ActivationError, DomainError, NoDesign, shortened
from meanfield.lettering import counted
from meanfield.quantities import CHAINS, GRADIENT_WITHIN, RISK, WITHIN, quantity
from meanfield.tables.records import Record, answered

if TYPE_CHECKING:
    from meanfield.activations.family import Family
    from meanfield.design.design import Design
    from meanfield.finite_width.escape import Requirement

__all__ = ["design"]

Act = Annotated[
    str,
    typer.Option(
        "--act", help="A name, or an expression in x, with parameters open.", autocompletion=options.complete_activation
    ),
]
Sparsity = Annotated[str | None, typer.Option("--sparsity", help="P(φ = 0) at q*; default 0.85.", show_default=False)]
Share = Annotated[
    str | None,
    typer.Option("--share", help="Of a smooth φ: the share of |φ| up to --below times its rms.", show_default=False),
]
Below = Annotated[
    float | None, typer.Option("--below", help="What --share calls near 0; default 0.1.", show_default=False)
]
Slope = Annotated[
    str | None,
    typer.Option("--slope", help="V'(q*) to have; default 0.7, with --reshape 1, or free.", show_default=False),
]
Curvature = Annotated[
    str | None,
    typer.Option(
        "--curvature",
        help="R''(1) to have, of a φ without kinks; with --reshape, tat, over all layers, default 0.3.",
        show_default=False,
    ),
]
QStar = Annotated[
    str | None,
    typer.Option("--q-star", help="q*, default 1; these five may be 0.5,1,2 or START:STOP:COUNT.", show_default=False),
]
SafeFor = Annotated[
    str | None,
    typer.Option(
        "--safe-for",
        metavar="width=N,depth=L",
        help="Instead of --slope: the clip at which fewest networks lose signal or gradient, at most half of --risk.",
        show_default=False,
    ),
]
MaxSparsity = Annotated[
    bool, typer.Option("--max-sparsity", help="With --safe-for: the largest sparsity that can be had safely.")
]
Solve = Annotated[
    str | None,
    typer.Option(
        "--solve",
        help="Names of the open parameters: first for sparsity, then for slope; default tau,m, or the only one.",
        show_default=False,
    ),
]

#: What was asked for, where the edge of chaos does not hold it.
_BESIDE = ("near_zero_share", "R_double_prime")
_COLUMNS = {"slope": "V_prime", "curvature": "R_double_prime"}
_ROW = (
    *("activation", "q_star", "sigma_w", "sigma_b", "sparsity", "chi_1", "V_prime", "V_double_prime"),
    *("q_V_double_prime", "q_chi_1_prime", "basin"),
)
#: Of designs that are safe at a width and depth.
_SAFE = (
    *("width", "depth", "escape_probability", "escape_interval", "signal_lost", "gradient_lost", "share_lost"),
    *("share_interval", "log_gain_mean", "log_gain_sd", "m_range"),
)
#: What sparse networks train well with (Price et al. 2024).
_SPARSITY, _SLOPE = "0.85", "0.7"
#: Sparsities looked at until the largest that is safe is found.
_SPARSITIES = 10
#: Clip levels looked at for one that is safe, and sparsities where none is.
_LEVELS = 40
_RESHAPED = "{} asks nothing of a reshaped activation, whose q* is 1: leave it out"
_UNITS = "({0}, q*) and ({1}, c²q*) are one network in other units"
_FREEDOM = "to choose q* at a fixed {0} is to choose {0} at a fixed q*. What counts is {0}/√q*, here {1}."
_SCALING = (
    "σ_w, V', q*V'', q*χ₁', sparsity and relative basins do not change, V'' and σ_b do. Compare networks of different "
    "q* by the second table."
)
_BY_LAW = "What is lost, ln G and the range of levels are by the law of networks of this width"
_NO_CLIP = "where the range ends at ∞ networks are safe however large {0} is: a clip is not needed."


def design(
    context: typer.Context,
    act: Act = "clipped-relu",
    sparsity: Sparsity = None,
    share: Share = None,
    below: Below = None,
    slope: Slope = None,
    curvature: Curvature = None,
    q_star: QStar = None,
    chi: options.Chi = 1.0,
    safe_for: SafeFor = None,
    to_train: ForTraining = None,
    max_sparsity: MaxSparsity = False,
    solve: Solve = None,
    reshape: Reshape = False,
    method: Method = None,
    depth: Depths = None,
    zeta: Zeta = None,
    eta: Eta = None,
    c0: C0 = None,
    tau: options.Tau = None,
    m: options.M = None,
    param: options.Params = None,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
    escapes: options.Escapes = CHAINS,
    seed: options.Seed = 0,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """Parameters and initialisation of an activation from what it should do; or the activation, reshaped.

    \b
    Examples:
      meanfield design --act clipped-relu --sparsity 0.85 --slope 0.7
      meanfield design --sparsity 0.6,0.7,0.8,0.85,0.9 --slope 0.5,0.7,0.9
      meanfield design --act clipped-soft-threshold --q-star 0.5:8:4 --format csv
      meanfield design --safe-for width=300,depth=20 --sparsity 0.85 --escapes 1024
      meanfield design --max-sparsity --safe-for width=300,depth=30
      meanfield design --for-training width=300,depth=30 --sparsity 0.85
      meanfield design --for-training width=300,depth=30 --act relu
      meanfield design --act "clip(x - a, 0, b)" --solve a,b
      meanfield design --act swish --share 0.3
      meanfield design --act "tanh(a*x)" --slope 0.6,0.7,0.8
      meanfield design --act tanh --reshape --depth 50
      meanfield design --act leaky-relu --reshape --method tat --depth 50,100
    """
    from meanfield.activations.spec import read_activation
    from meanfield.design.design import designs
    from meanfield.design.for_training import as_it_is, for_training
    from meanfield.design.near_zero import BELOW
    from meanfield.design.safe_designs import largest_safe_sparsity, safe_designs
    from meanfield.domain import MOST_DESIGNS, MOST_SAFE_DESIGNS, require_cells
    from meanfield.finite_width.escape import Requirement

    how = printing(format, digits, columns, caption, tex_label, output)
    given = options.read_parameters({"tau": tau, "m": m}, param, options.number)
    shaping = {"--method": method, "--depth": depth, "--zeta": zeta, "--eta": eta, "--c0": c0}
    needs_size = "{} is of networks of a size: add --safe-for width=N,depth=L, or --for-training width=N,depth=L"
    if safe_for is None and to_train is None:
        options.require_left_out(context, ("within", "gradient_within", "risk", "escapes", "seed"), needs_size)
    if safe_for is None:
        options.require_left_out(context, ("max_sparsity",), "{} is of --safe-for: add --safe-for width=N,depth=L")
    if reshape:
        options.require_left_out(context, ("chi",), _RESHAPED)
        _require_none(
            {
                **{"--sparsity": sparsity, "--share": share, "--below": below, "--q-star": q_star},
                **{"--safe-for": safe_for, "--for-training": to_train},
            },
            _RESHAPED,
        )
        print_reshaped(
            act,
            how,
            given,
            solve=solve,
            slope=slope,
            method=method,
            depth=depth,
            zeta=zeta,
            eta=eta,
            curvature=curvature,
            c0=c0,
        )
        return
    require_no_shape(shaping)
    if safe_for is not None and to_train is not None:
        raise DomainError("--safe-for and --for-training ask for different gains: leave one of them out")
    drawn = Requirement(1, 1, within, risk, escapes, seed, gradient_within)
    requirement = None if safe_for is None else _sized(drawn, "--safe-for", safe_for)
    trained = None if to_train is None else _sized(drawn, "--for-training", to_train)
    stars = options.numbers("--q-star", "1" if q_star is None else q_star)
    if trained:
        options.require_left_out(context, ("chi",), "{} is chosen by --for-training: leave one of them out")
        require_cells("designs", len(stars), MOST_SAFE_DESIGNS)
    if trained and solve is None and not _left_open(act, given):
        _require_none(
            {"--sparsity": sparsity, "--share": share, "--below": below, "--slope": slope, "--curvature": curvature},
            f"{{}} would set a parameter, and {act} leaves none open: leave it out",
        )
        named = read_activation(act, **given)
        require_columns(how, (*_ROW, *TRAINED))
        rows = [trained_record(as_it_is(named, trained.depth, q_star=q), trained) for q in stars]
        emit(rows, training_tables(named.label, (), rows, trained, digits), how, paper=_fitting((), rows))
        return
    family = _family(act, solve, given)
    if max_sparsity and sparsity is not None:
        raise DomainError("--max-sparsity finds the sparsity: leave --sparsity out")
    asked = _asked(act, family, requirement, solve, sparsity, share, slope, curvature)
    row = (*_ROW, *family.open, *(_COLUMNS.get(name, name) for name in asked), *(_SAFE if requirement else ()))
    require_columns(how, (*row, *TRAINED) if trained else row)
    if below is not None and share is None:
        raise DomainError("--below says what --share calls near 0: give --share too, or leave it out")
    found: list[Design] = []
    rows = []
    refusals: dict[str, None] = {}
    cells = len(stars) * math.prod(map(len, asked.values()))
    require_cells("designs", cells, MOST_SAFE_DESIGNS if requirement or trained else MOST_DESIGNS)
    each = _SPARSITIES if max_sparsity else _LEVELS if requirement else 1
    with progress("designs", cells * each) as advance:
        looked_at = 0

        def look(done: int) -> None:
            nonlocal looked_at
            looked_at += done
            advance(done)

        for n, (q, *values) in enumerate(product(stars, *asked.values()), 1):
            wanted = dict(zip(asked, values, strict=True))
            try:
                if requirement and max_sparsity:
                    solutions = largest_safe_sparsity(family, requirement, q_star=q, chi_1=chi, advance=look)
                elif requirement:
                    solutions = safe_designs(family, requirement, **wanted, q_star=q, chi_1=chi, advance=look)
                else:
                    near = BELOW if below is None else below
                    solutions = designs(family, **wanted, below=near, q_star=q, chi_1=chi)
                if trained:
                    solutions = [for_training(design, trained.depth) for design in solutions]
                found += solutions
                rows += [trained_record(design, trained) if trained else design.record() for design in solutions]
            except NoDesign as refusal:
                refusals |= dict.fromkeys(refusal.args)
                told = {_COLUMNS.get(name, name): value for name, value in wanted.items()}
                rows.append({"activation": family.spec, "q_star": q, **told, "error": str(refusal)})
            # What was foreseen and not looked at is done too.
            look(n * each - looked_at)
    if refusals and output is not None:
        # A file holds all that was asked for, or is not written.
        raise NoDesign(*refusals)
    if found:
        if trained:
            tables = training_tables(family.spec, family.open, answered(rows), trained, digits)
        else:
            tables = _tables(family, found, chi, digits)
        emit(rows, tables, how, paper=_fitting(family.open, rows))
    if refusals:
        raise NoDesign(*refusals)


def _require_none(given: dict[str, object], refusal: str) -> None:
    for option, value in given.items():
        if value is not None:
            raise DomainError(refusal.format(option))


def _asked(
    act: str,
    family: Family,
    requirement: Requirement | None,
    solve: str | None,
    sparsity: str | None,
    share: str | None,
    slope: str | None,
    curvature: str | None,
) -> dict[str, list[float]]:
    """What is asked for, by the arguments of `designs`, each with all its values."""
    if requirement and slope is not None:
        raise DomainError("--slope and --safe-for both set the clip level: give one of them")
    if requirement and (share is not None or curvature is not None):
        raise DomainError("--safe-for sets the clip level, and --sparsity what is before it: give no more")
    both = len(family.open) == 2
    texts = {"sparsity": sparsity, "near_zero_share": share, "slope": slope, "curvature": curvature}
    if share is None and curvature is None:
        # With one parameter open it is found from what is given, by default the sparsity.
        by_clip = both or requirement is not None or slope is not None or family.open == ("m",)
        if not both and by_clip and sparsity is not None:
            raise DomainError(
                f"{act} has one open parameter, {family.open[0]}, which cannot meet two conditions: give one, or leave "
                "another parameter open"
            )
        if requirement and not both and solve is None and family.open != ("m",):
            raise DomainError(
                f"{act} has no clip level m left open for --safe-for: take clipped-relu, or name one with --solve"
            )
        if both or not by_clip:
            texts["sparsity"] = _SPARSITY if sparsity is None else sparsity
        if by_clip and not requirement:
            texts["slope"] = _SLOPE if slope is None else slope
    option = {"near_zero_share": "--share"}
    return {
        name: options.numbers(option.get(name, f"--{name}"), text) for name, text in texts.items() if text is not None
    }


def _family(act: str, solve: str | None, given: dict[str, float]) -> Family:
    from meanfield.activations.family import Family
    from meanfield.activations.spec import formula_of, read_activation

    if solve is not None:
        names = tuple(name.strip() for name in solve.split(","))
    else:
        names = _left_open(act, given)
        if names[2:] or (len(names) == 2 and names != ("tau", "m")):
            names = ()
        if not names:
            # What is no activation is told as everywhere.
            formula = formula_of(read_activation(act, **given).phi)
            raise ActivationError(
                f"{act} has no tau and no m left open: name what to solve for, as in --solve a,b; where nothing is, "
                f'take clipped-relu, which leaves both, or leave something, as in --act "clip({formula}, -m, m)", '
                "or ask for --reshape"
            )
    return Family(act, names, tuple(given.items()))


def _left_open(act: str, given: dict[str, float]) -> tuple[str, ...]:
    """The parameters that are found where none is named: τ and m, or what has no value."""
    from meanfield.activations.family import left_open

    names = left_open(act, given)
    return tuple(name for name in ("tau", "m") if name in names) or names


def _sized(drawn: Requirement, option: str, given: str) -> Requirement:
    """The requirement at the width and depth in the text of an option."""
    pairs = [[part.strip() for part in pair.split("=")] for pair in given.split(",")]
    if sorted(pair[0] for pair in pairs) != ["depth", "width"] or any(len(pair) != 2 for pair in pairs):
        raise DomainError(f"{option} {shortened(given)} is not a width and a depth: write {option} width=300,depth=100")
    sizes = {name: _whole(f"{option} {name}={shortened(text)}", text) for name, text in pairs}
    return replace(drawn, width=sizes["width"], depth=sizes["depth"])


def _whole(given: str, text: str) -> int:
    from meanfield.activations.numbers import NotANumber, read_whole

    try:
        return read_whole(text)
    except NotANumber as fault:
        raise DomainError(f"{given} {fault}") from None


def _fitting(open_names: Sequence[str], rows: list[Record]) -> list[str]:
    """The columns that fit on a page: what was asked for and what to set, and q* where it differs."""
    several = len({row["q_star"] for row in answered(rows)}) > 1
    asked = [key for key in (*_BESIDE, "share_lost", "m_range") if key in answered(rows)[0]]
    sparsity = ["sparsity"] if any(row["sparsity"] for row in answered(rows)) else []
    gain = ["chi_1"] if any(row["chi_1"] != 1 for row in answered(rows)) else []
    return [*sparsity, "V_prime", *(["q_star"] if several else []), *open_names, *gain, "sigma_w", "sigma_b", *asked]


def _tables(family: Family, found: list[Design], chi: float, digits: int | None) -> list[Block]:
    from meanfield.design.design import are_lengths
    from meanfield.infinite_width.edge import gain_in_words

    records = [d.record() for d in found]
    sparsity = ["sparsity"] if any(record["sparsity"] for record in records) else []
    keys = [*sparsity, *family.open, "q_star", "sigma_w", "sigma_b", "V_prime", "V_double_prime"]
    if found[0].margins:
        keys += ["signal_lost", "gradient_lost"] if len(found) == 1 else []
        keys += ["share_lost", "m_range"]
        keys += ["share_interval", "log_gain_mean", "log_gain_sd"] if len(found) == 1 else []
    keys += [key for key in _BESIDE if key in records[0]]
    required = found[0].networks.requirement if found[0].networks else None
    tables = [
        heading(sized(f"{family.spec} {gain_in_words(chi)}", required)),
        grid(records, keys, digits or (6 if len(found) == 1 else 4 if len(keys) > 8 else 5)),
    ]
    if required:
        drawn = "95 % of lost is of" if len(found) == 1 else "confirmed by"
        told = f"at most {required.careful.risk:g} is lost, half of the risk. {_BY_LAW}; {drawn} "
        told += f"{counted(required.chains, 'network')} drawn, seed {required.seed}."
        tables.append(paragraph("safe:", told, "safe"))
    if any(d.margins and math.isinf(d.margins.m_range[1]) for d in found):
        tables.append(paragraph("clip:", _NO_CLIP.format(quantity(family.open[-1]).symbol)))
    if not all(are_lengths(family, d.values, d.edge.q_star) for d in found):
        return tables
    symbols = [quantity(name).symbol for name in family.open]
    units = _UNITS.format(", ".join(symbols), ", ".join(f"c{symbol}" for symbol in symbols))
    if found[0].margins:
        levels = {f"{d.relative_values[family.open[-1]]:.3g}" for d in found}
        freedom = _FREEDOM.format(symbols[-1], " or ".join(sorted(levels, key=float)))
        tables.append(paragraph("units:", f"{units}: {freedom}"))
    if len({d.edge.q_star for d in found}) == 1:
        return tables
    relative = [_relative(d) for d in found]
    compared = paragraph("", f"{units}: {_SCALING}")
    return [*tables, heading("In units of q*"), grid(relative, list(relative[0]), digits or 4), compared]


def _relative(found: Design) -> Record:
    """The row in units in which q* = 1, so that nobody reads a change of units as stability."""
    return {
        "q_star": found.edge.q_star,
        "V_prime": found.edge.V_prime,
        **{f"{quantity(name).symbol}/√q*": value for name, value in found.relative_values.items()},
        "sigma_w": found.edge.sigma_w,
        "relative_sigma_b": found.relative_sigma_b,
        "q_V_double_prime": found.q_V_double_prime,
        "q_chi_1_prime": found.q_chi_1_prime,
        "relative_basin": list(found.relative_basin),
    }
