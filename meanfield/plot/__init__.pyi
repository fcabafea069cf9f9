from .activation_function import activation as activation
from .audited_layers import audit as audit
from .correlation_maps import correlation as correlation
from .design_plane import design as design
from .edge_slopes import slope as slope
from .page import Page as Page, save as save
from .phase_plane import phase as phase
from .single_page import summary as summary
from .trainable_plane import trainable as trainable
from .training_gains import training_gains as training_gains
from .training_log import training_log as training_log
from .training_results import training_results as training_results
from .trajectories import trajectory as trajectory
from .variance_maps import variance as variance
