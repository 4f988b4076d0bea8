"""Fixtures that many tests share."""

import numpy as np
import pytest


@pytest.fixture
def X():
    """300 rows of two correlated features, the second one skewed."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=300)
    return np.stack([first, np.exp(0.5 * first + 0.5 * rng.normal(size=300))], axis=1)
