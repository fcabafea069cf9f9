"""Mean-field theory of deep networks with any piecewise-linear activation.

    >>> import meanfield as mf
    >>> phi = mf.activation("soft-threshold", tau=0.5)
    >>> edge = mf.edge_of_chaos(phi)
    >>> edge.V_prime
    1.0

Names load when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meanfield import plot as plot
    from meanfield import symbolic as symbolic
    from meanfield.activations.family import Family as Family
    from meanfield.activations.piecewise_linear import PiecewiseLinear as PiecewiseLinear
    from meanfield.activations.spec import activation as activation
    from meanfield.design.design import Design as Design
    from meanfield.design.design import designs as designs
    from meanfield.design.design import safe_designs as safe_designs
    from meanfield.design.sparse_layers import ActiveUnits as ActiveUnits
    from meanfield.design.sparse_layers import active_units as active_units
    from meanfield.design.sweeps import DesignMap as DesignMap
    from meanfield.design.sweeps import SlopeCurve as SlopeCurve
    from meanfield.design.sweeps import design_map as design_map
    from meanfield.design.sweeps import slope_curve as slope_curve
    from meanfield.errors import ActivationError as ActivationError
    from meanfield.errors import ClusterError as ClusterError
    from meanfield.errors import DerivationError as DerivationError
    from meanfield.errors import DomainError as DomainError
    from meanfield.errors import ExpressionError as ExpressionError
    from meanfield.errors import MeanFieldError as MeanFieldError
    from meanfield.errors import NoDesign as NoDesign
    from meanfield.errors import NoEdgeOfChaos as NoEdgeOfChaos
    from meanfield.errors import NoFormula as NoFormula
    from meanfield.errors import NoSignal as NoSignal
    from meanfield.errors import UndecidedOrder as UndecidedOrder
    from meanfield.errors import UndefinedCorrelation as UndefinedCorrelation
    from meanfield.finite_width.escape import Escapes as Escapes
    from meanfield.finite_width.escape import Requirement as Requirement
    from meanfield.finite_width.escape import escapes as escapes
    from meanfield.finite_width.experiment import Experiment as Experiment
    from meanfield.finite_width.prediction import predict as predict
    from meanfield.finite_width.signal_paths import SignalPaths as SignalPaths
    from meanfield.finite_width.signal_paths import signal_paths as signal_paths
    from meanfield.finite_width.variance_law import escape_probability as escape_probability
    from meanfield.finite_width.verdict import FiniteWidth as FiniteWidth
    from meanfield.finite_width.verdict import at_width as at_width
    from meanfield.infinite_width.edge import EdgeOfChaos as EdgeOfChaos
    from meanfield.infinite_width.edge import edge_of_chaos as edge_of_chaos
    from meanfield.infinite_width.edge import edges_of_chaos as edges_of_chaos
    from meanfield.infinite_width.edge_points import EdgeCurve as EdgeCurve
    from meanfield.infinite_width.edge_points import edge_curve as edge_curve
    from meanfield.infinite_width.fixed_points import CorrelationFixedPoint as CorrelationFixedPoint
    from meanfield.infinite_width.fixed_points import FixedPoint as FixedPoint
    from meanfield.infinite_width.fixed_points import basin as basin
    from meanfield.infinite_width.mean_field import MeanField as MeanField
    from meanfield.infinite_width.phase_diagram import PhaseDiagram as PhaseDiagram
    from meanfield.infinite_width.phase_diagram import phase_diagram as phase_diagram
    from meanfield.infinite_width.stability import Diagnosis as Diagnosis
    from meanfield.infinite_width.stability import Verdict as Verdict
    from meanfield.infinite_width.stability import diagnose as diagnose
    from meanfield.infinite_width.stability import diagnose_edge as diagnose_edge
    from meanfield.infinite_width.stability import verdict as verdict
    from meanfield.simulation.comparison import Comparison as Comparison
    from meanfield.simulation.comparison import compare as compare
    from meanfield.simulation.comparison import departures as departures
    from meanfield.simulation.ensemble import Ensemble as Ensemble
    from meanfield.simulation.ensemble import simulate as simulate
    from meanfield.simulation.reading import read_ensemble as read_ensemble

__version__ = "0.1.0"

_HOMES = {
    "activation": "activations.spec",
    "PiecewiseLinear": "activations.piecewise_linear",
    "ActiveUnits": "design.sparse_layers",
    "active_units": "design.sparse_layers",
    "Design": "design.design",
    "designs": "design.design",
    "safe_designs": "design.design",
    "EdgeOfChaos": "infinite_width.edge",
    "edge_of_chaos": "infinite_width.edge",
    "edges_of_chaos": "infinite_width.edge",
    "EdgeCurve": "infinite_width.edge_points",
    "edge_curve": "infinite_width.edge_points",
    "ActivationError": "errors",
    "ClusterError": "errors",
    "DerivationError": "errors",
    "DomainError": "errors",
    "ExpressionError": "errors",
    "MeanFieldError": "errors",
    "NoEdgeOfChaos": "errors",
    "NoDesign": "errors",
    "NoFormula": "errors",
    "NoSignal": "errors",
    "UndecidedOrder": "errors",
    "UndefinedCorrelation": "errors",
    "Escapes": "finite_width.escape",
    "Requirement": "finite_width.escape",
    "escapes": "finite_width.escape",
    "escape_probability": "finite_width.variance_law",
    "Family": "activations.family",
    "FiniteWidth": "finite_width.verdict",
    "at_width": "finite_width.verdict",
    "CorrelationFixedPoint": "infinite_width.fixed_points",
    "FixedPoint": "infinite_width.fixed_points",
    "basin": "infinite_width.fixed_points",
    "MeanField": "infinite_width.mean_field",
    "SignalPaths": "finite_width.signal_paths",
    "signal_paths": "finite_width.signal_paths",
    "PhaseDiagram": "infinite_width.phase_diagram",
    "phase_diagram": "infinite_width.phase_diagram",
    "Comparison": "simulation.comparison",
    "compare": "simulation.comparison",
    "departures": "simulation.comparison",
    "Ensemble": "simulation.ensemble",
    "read_ensemble": "simulation.reading",
    "simulate": "simulation.ensemble",
    "Experiment": "finite_width.experiment",
    "predict": "finite_width.prediction",
    "Diagnosis": "infinite_width.stability",
    "Verdict": "infinite_width.stability",
    "diagnose": "infinite_width.stability",
    "diagnose_edge": "infinite_width.stability",
    "verdict": "infinite_width.stability",
    "DesignMap": "design.sweeps",
    "SlopeCurve": "design.sweeps",
    "design_map": "design.sweeps",
    "slope_curve": "design.sweeps",
}

__all__ = [*_HOMES, "__version__", "plot", "symbolic"]


def __getattr__(name: str) -> object:
    if name in ("plot", "symbolic"):
        return import_module(f"meanfield.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'meanfield' has no attribute {name!r}")
    value = getattr(import_module(f"meanfield.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
