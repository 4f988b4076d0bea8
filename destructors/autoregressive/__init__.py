"""One feature given those before it."""

from destructors.autoregressive._regression import RegressionDestructor

__all__ = ["RegressionDestructor"]
