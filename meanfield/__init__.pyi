from . import plot as plot, symbolic as symbolic, torch as torch, training as training
from .activations.family import Family as Family
from .activations.piecewise_linear import PiecewiseLinear as PiecewiseLinear
from .activations.spec import activation as activation
from .design.design import Design as Design, designs as designs
from .design.for_training import for_training as for_training
from .design.near_zero import near_zero_share as near_zero_share
from .design.reshaping import (
    Reshaped as Reshaped,
    kernel_shape as kernel_shape,
    reshape as reshape,
    tailored_rectifier as tailored_rectifier,
    tailored_shape as tailored_shape,
)
from .design.safe_designs import largest_safe_sparsity as largest_safe_sparsity, safe_designs as safe_designs
from .design.shape import Shape as Shape
from .design.sparse_layers import ActiveUnits as ActiveUnits, active_units as active_units
from .design.sweeps import (
    DesignMap as DesignMap,
    SlopeCurve as SlopeCurve,
    design_map as design_map,
    slope_curve as slope_curve,
)
from .design.trainable import TrainableDepths as TrainableDepths, trainable_depths as trainable_depths
from .errors import (
    ActivationError as ActivationError,
    ClusterError as ClusterError,
    DerivationError as DerivationError,
    DomainError as DomainError,
    ExpressionError as ExpressionError,
    MeanFieldError as MeanFieldError,
    NoDesign as NoDesign,
    NoEdgeOfChaos as NoEdgeOfChaos,
    NoFormula as NoFormula,
    NoSignal as NoSignal,
    OutputError as OutputError,
    UndecidedOrder as UndecidedOrder,
    UndefinedCorrelation as UndefinedCorrelation,
)
from .export.snippet import snippet as snippet
from .finite_width.escape import Escapes as Escapes, Requirement as Requirement, escapes as escapes
from .finite_width.experiment import Experiment as Experiment
from .finite_width.loss_law import LossLaw as LossLaw, loss_law as loss_law
from .finite_width.prediction import predict as predict
from .finite_width.variance_law import escape_probability as escape_probability
from .finite_width.verdict import FiniteWidth as FiniteWidth, at_width as at_width
from .infinite_width.edge import (
    EdgeCurve as EdgeCurve,
    EdgeOfChaos as EdgeOfChaos,
    edge_curve as edge_curve,
    edge_of_chaos as edge_of_chaos,
    edges_of_chaos as edges_of_chaos,
)
from .infinite_width.fixed_points import (
    CorrelationFixedPoint as CorrelationFixedPoint,
    FixedPoint as FixedPoint,
    basin as basin,
    correlation_fixed_points as correlation_fixed_points,
    fixed_points as fixed_points,
)
from .infinite_width.framework_code import framework_code as framework_code, framework_gain as framework_gain
from .infinite_width.gains import Gain as Gain, Gains as Gains, gains as gains
from .infinite_width.initialisers import Initialisation as Initialisation, initialisation as initialisation
from .infinite_width.mean_field import MeanField as MeanField
from .infinite_width.operating_point import (
    OperatingPoint as OperatingPoint,
    operating_point as operating_point,
    operating_point_of as operating_point_of,
)
from .infinite_width.outputs import (
    output_correlation as output_correlation,
    output_covariance as output_covariance,
    output_variance as output_variance,
)
from .infinite_width.phase_diagram import PhaseDiagram as PhaseDiagram, phase_diagram as phase_diagram
from .infinite_width.remedies import Remedy as Remedy
from .infinite_width.stability import Diagnosis as Diagnosis, diagnose as diagnose, verdict as verdict
from .infinite_width.tangent_kernel import (
    contrast as contrast,
    gain_for_training as gain_for_training,
    tangent_correlation as tangent_correlation,
)
from .infinite_width.verdict import Verdict as Verdict
from .simulation.comparison import Comparison as Comparison, compare as compare, departures as departures
from .simulation.ensemble import Ensemble as Ensemble, simulate as simulate
from .simulation.reading import read_ensemble as read_ensemble
from .version import __version__ as __version__
