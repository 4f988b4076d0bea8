"""When growth ends, and how much of it is kept."""

import numpy as np
import pytest

from destructors.greedy import Stopping


@pytest.mark.parametrize("unit", [1.0, 300.0, -1e6])
def test_of_prefixes_that_rounding_tells_apart_the_shortest_is_kept(unit):
    # As where layers change nothing, and sums are in another unit.
    scores = unit + np.array([-2.0, 1.0, 1.0, 1.0])
    for place in range(1, 4):
        rounded = scores.copy()
        rounded[place] = np.nextafter(rounded[place], np.inf)
        assert Stopping().best(rounded, rounded) == 1
        assert Stopping(least=2).best(rounded, rounded) == 2


def test_a_small_gain_is_one():
    scores = [-2.0, 1.0, 1.0 + 1e-8, 1.0]
    assert Stopping().best(scores, scores) == 2


def test_layers_without_a_score_are_passed_over():
    scores = [np.nan, np.nan, -np.inf, -np.inf]
    assert Stopping().best(scores, scores) == 2
