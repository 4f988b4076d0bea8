"""Callbacks for `fit`: see ``set_callbacks`` of each destructor."""

from sklearn.callback import ProgressBar

from destructors.callbacks._monitor import LikelihoodMonitor
from destructors.callbacks._time_limit import TimeLimit
from destructors.greedy import Checkpoint

__all__ = ["Checkpoint", "LikelihoodMonitor", "ProgressBar", "TimeLimit"]
