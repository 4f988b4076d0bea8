"""Candidates that are compared on few rows before they are tried on all."""

import numpy as np
import pytest

from destructors.flows import RBIG
from destructors.greedy import (
    Greedy,
    Never,
    Progress,
    Race,
    Rung,
    Scores,
    Task,
    Trial,
)


class Contest(Task):
    """Candidates whose worth is known, on states that are numbers of rows."""

    def __init__(self, worth):
        self.worth, self.tried = worth, []

    def score(self, state):
        return Scores(0.0, 0.0, 0.0)

    def attempt(self, choice, states, place, params, progress):
        name = list(self.worth)[choice]
        self.tried += [(name, state) for state in states]
        gain = self.worth[name]
        return [Trial(name, state, Scores(gain, gain, gain)) for state in states]

    def size(self, state):
        return state

    def shorten(self, state, n_rows):
        return n_rows


def run(worth, n_rows, rungs, n_folds=1):
    task = Contest(worth)
    engine = Greedy(
        task,
        list(worth),
        schedule=Race(*worth, rungs=rungs),
        stopping=Never(),
        max_iter=1,
        progress=Progress(RBIG()),
    )
    with engine.progress.running(1):
        engine.grow([n_rows] * n_folds)
    return engine.steps[0].layer, task.tried


RUNGS = (Rung(100, 0.5, fraction=0.1, n_most=300), Rung(1000, 0.0))


@pytest.mark.parametrize(
    ("n_rows", "tried"),
    [
        # Too few for any comparison.
        (150, [("a", 150), ("b", 150), ("c", 150)]),
        # One comparison; c is too far behind.
        (1500, [("a", 150), ("b", 150), ("c", 150), ("a", 1500), ("b", 1500)]),
        # Two; the second leaves the best.
        (
            9000,
            [*((name, 300) for name in "abc"), ("a", 1000), ("b", 1000), ("b", 9000)],
        ),
    ],
)
def test_more_rows_are_for_those_that_are_not_far_behind(n_rows, tried):
    best, seen = run({"a": 1.0, "b": 1.2, "c": 0.1}, n_rows, RUNGS)
    assert best == "b"
    assert seen == tried


def test_who_is_alone_after_a_comparison_is_not_compared_again():
    best, seen = run({"a": 1.0, "b": 0.1}, 9000, RUNGS)
    assert best == "a"
    assert seen == [("a", 300), ("b", 300), ("a", 9000)]


def test_several_folds_are_compared_on_the_first():
    best, seen = run({"a": 1.0, "b": 0.1}, 150, RUNGS, n_folds=3)
    assert best == "a"
    assert seen == [("a", 100), ("b", 100), ("a", 150), ("a", 150), ("a", 150)]


def test_rungs_are_sized_by_the_rows():
    rung = Rung(2000, 0.4, fraction=0.1, n_most=10_000)
    assert [rung.at(n).n_rows for n in (500, 50_000, 10**6)] == [2000, 5000, 10_000]
    assert np.isinf(Rung(5, 0.0).n_most)
