"""One feature given those before it."""

from destructors.autoregressive._conditional import AutoregressiveDestructor
from destructors.autoregressive._regression import RegressionDestructor

__all__ = ["AutoregressiveDestructor", "RegressionDestructor"]
