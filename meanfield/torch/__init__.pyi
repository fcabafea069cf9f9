from .activation import Activation as Activation
from .audit import Audit as Audit, AuditedLayer as AuditedLayer, audit as audit
from .initialise import (
    Initialised as Initialised,
    InitialisedLayer as InitialisedLayer,
    edge_of_chaos_ as edge_of_chaos_,
)
