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
    from meanfield.activations.piecewise_linear import PiecewiseLinear as PiecewiseLinear
    from meanfield.activations.spec import activation as activation
    from meanfield.design import Design as Design
    from meanfield.design import designs as designs
    from meanfield.design import safe_designs as safe_designs
    from meanfield.edge import EdgeOfChaos as EdgeOfChaos
    from meanfield.edge import edge_of_chaos as edge_of_chaos
    from meanfield.edge import edges_of_chaos as edges_of_chaos
    from meanfield.edge_points import EdgeCurve as EdgeCurve
    from meanfield.edge_points import edge_curve as edge_curve
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
    from meanfield.escape import Escapes as Escapes
    from meanfield.escape import Requirement as Requirement
    from meanfield.escape import escapes as escapes
    from meanfield.escape_law import escape_probability as escape_probability
    from meanfield.family import Family as Family
    from meanfield.finite_width import FiniteWidth as FiniteWidth
    from meanfield.finite_width import at_width as at_width
    from meanfield.fixed_points import CorrelationFixedPoint as CorrelationFixedPoint
    from meanfield.fixed_points import FixedPoint as FixedPoint
    from meanfield.fixed_points import basin as basin
    from meanfield.mean_field import MeanField as MeanField
    from meanfield.paths import SignalPaths as SignalPaths
    from meanfield.paths import signal_paths as signal_paths
    from meanfield.phases import PhaseDiagram as PhaseDiagram
    from meanfield.phases import phase_diagram as phase_diagram
    from meanfield.simulation.comparison import Comparison as Comparison
    from meanfield.simulation.comparison import compare as compare
    from meanfield.simulation.comparison import departures as departures
    from meanfield.simulation.ensemble import Ensemble as Ensemble
    from meanfield.simulation.ensemble import simulate as simulate
    from meanfield.simulation.experiment import Experiment as Experiment
    from meanfield.simulation.prediction import predict as predict
    from meanfield.simulation.reading import read_ensemble as read_ensemble
    from meanfield.sparse_layers import ActiveUnits as ActiveUnits
    from meanfield.sparse_layers import active_units as active_units
    from meanfield.stability import Diagnosis as Diagnosis
    from meanfield.stability import Verdict as Verdict
    from meanfield.stability import diagnose as diagnose
    from meanfield.stability import diagnose_edge as diagnose_edge
    from meanfield.stability import verdict as verdict
    from meanfield.sweeps import DesignMap as DesignMap
    from meanfield.sweeps import SlopeCurve as SlopeCurve
    from meanfield.sweeps import design_map as design_map
    from meanfield.sweeps import slope_curve as slope_curve

__version__ = "0.1.0"

_HOMES = {
    "activation": "activations.spec",
    "PiecewiseLinear": "activations.piecewise_linear",
    "ActiveUnits": "sparse_layers",
    "active_units": "sparse_layers",
    "Design": "design",
    "designs": "design",
    "safe_designs": "design",
    "EdgeOfChaos": "edge",
    "edge_of_chaos": "edge",
    "edges_of_chaos": "edge",
    "EdgeCurve": "edge_points",
    "edge_curve": "edge_points",
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
    "Escapes": "escape",
    "Requirement": "escape",
    "escapes": "escape",
    "escape_probability": "escape_law",
    "Family": "family",
    "FiniteWidth": "finite_width",
    "at_width": "finite_width",
    "CorrelationFixedPoint": "fixed_points",
    "FixedPoint": "fixed_points",
    "basin": "fixed_points",
    "MeanField": "mean_field",
    "SignalPaths": "paths",
    "signal_paths": "paths",
    "PhaseDiagram": "phases",
    "phase_diagram": "phases",
    "Comparison": "simulation.comparison",
    "compare": "simulation.comparison",
    "departures": "simulation.comparison",
    "Ensemble": "simulation.ensemble",
    "read_ensemble": "simulation.reading",
    "simulate": "simulation.ensemble",
    "Experiment": "simulation.experiment",
    "predict": "simulation.prediction",
    "Diagnosis": "stability",
    "Verdict": "stability",
    "diagnose": "stability",
    "diagnose_edge": "stability",
    "verdict": "stability",
    "DesignMap": "sweeps",
    "SlopeCurve": "sweeps",
    "design_map": "sweeps",
    "slope_curve": "sweeps",
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
