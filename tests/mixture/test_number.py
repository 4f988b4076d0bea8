"""Which numbers of components are tried."""

import numpy as np
import pytest

from destructors.greedy import Scores, Step
from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._number import _Doublings


def turn(numbers, scores, enough=0.01):
    """Return what is tried after numbers of these held-out scores."""
    history = [Step(0, None, {}, Scores(np.nan, score, score), {}) for score in scores]
    return list(_Doublings(numbers, enough).turn(history))


@pytest.mark.parametrize(
    ("last", "gain", "is_tried"),
    [
        # A ninth more is a sixth of a doubling.
        (18, 0.05, False),
        (18, 0.07, True),
        # The pace says nothing of more than half a doubling.
        (23, -0.05, True),
        (22, -0.05, False),
        (22, 0.03, True),
    ],
)
def test_a_last_number_is_tried_where_the_pace_says_that_it_gains(last, gain, is_tried):
    numbers = [1, 2, 4, 8, 16, last]
    scores = [-9.0, -8.0, -7.0, -7.0, -7.0 + gain]
    assert turn(numbers, scores) == ([f"{last} components"] if is_tried else [])
    # Those that a user names are all tried.
    assert turn(numbers, scores, -np.inf)
    # Others are tried whatever the pace.
    assert turn([*numbers, 2 * last], scores) == [f"{last} components"]


def test_numbers_that_are_given_are_all_tried():
    X = np.random.default_rng(0).normal(size=(200, 2))
    model = GaussianMixtureDestructor([2, 3, 4], random_state=0).fit(X)
    assert list(model.validation_score_) == [2, 3, 4]
    # At the pace of the third the fourth would not have been tried.
    assert model.validation_score_[3] < model.validation_score_[2]
