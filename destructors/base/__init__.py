"""The contract: one base class carries every public method of every destructor."""

from destructors.base._destructor import Destructor
from destructors.base._holdout import HoldoutDestructor

__all__ = ["Destructor", "HoldoutDestructor"]
