"""The greedy engine, its schedules and its stopping rules."""

from destructors.greedy._checkpoint import Checkpoint
from destructors.greedy._destructor import GreedyDestructor
from destructors.greedy._engine import Greedy, layer_seed
from destructors.greedy._first_layers import ScoredByFirstLayers
from destructors.greedy._progress import Progress
from destructors.greedy._schedules import (
    Cycle,
    InOrder,
    Race,
    Retire,
    Rung,
    Schedule,
    Stages,
    TryAll,
)
from destructors.greedy._stack_task import StackTask, set_random_states
from destructors.greedy._stopping import Never, Stopping
from destructors.greedy._task import Scores, Step, Task, Trial

__all__ = [
    "Checkpoint",
    "Cycle",
    "Greedy",
    "GreedyDestructor",
    "InOrder",
    "Never",
    "Progress",
    "Race",
    "Retire",
    "Rung",
    "Schedule",
    "ScoredByFirstLayers",
    "Scores",
    "StackTask",
    "Stages",
    "Step",
    "Stopping",
    "Task",
    "Trial",
    "TryAll",
    "layer_seed",
    "set_random_states",
]
