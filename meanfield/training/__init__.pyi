from .accuracy_table import accuracies as accuracies
from .beside_the_edge import gained as gained
from .data import Data as Data, load as load
from .foretelling import forecast as forecast
from .log import read_log as read_log
from .results import Results as Results, read_results as read_results
from .run import train as train
from .setting import Setting as Setting
from .side_by_side import train_side_by_side as train_side_by_side
from .sparse_settings import settings_of as settings_of
from .trained import Trained as Trained
