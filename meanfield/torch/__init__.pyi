from .activation import Activation as Activation
