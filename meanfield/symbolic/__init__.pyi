from .derivation import Derivation as Derivation, derive as derive
from .functions import Phi as Phi, Phi2 as Phi2, phi as phi
