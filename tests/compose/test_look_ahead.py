"""Candidates that are judged by what the next layers make of them."""

import numpy as np
import pytest

from destructors.compose import IterativeDestructor
from destructors.greedy import Greedy, Progress, Scores, Stopping, Task, Trial, TryAll
from destructors.greedy._ahead import LookAhead
from destructors.linear import FixedRotation, PCARotation, RandomRotation
from destructors.marginal import SplineGaussianizer


class Path(Task):
    """A tree of layers with known heights: the state is the path so far."""

    def __init__(self, heights):
        self.heights, self.fits = heights, []

    def score(self, state):
        height = self.heights[state]
        return Scores(height, height, height)

    def attempt(self, choice, states, place, params, progress):
        after = states[0] + "ab"[choice]
        assert place == len(states[0])
        self.fits.append(after)
        if self.heights[after] is None:
            raise ValueError("no such layer")
        return [Trial(after, after, self.score(after))]


# "a" gains more at once, "b" leads higher.
HEIGHTS = {
    "": 0.0, "a": 2.0, "b": 1.0, "aa": 2.1, "ab": 2.2, "ba": 3.0, "bb": 1.5,
    "aaa": 2.1, "aab": 2.1, "aba": 2.3, "abb": 2.2, "baa": 3.1, "bab": 3.0,
    "bba": 2.0, "bbb": 2.0,
}  # fmt: skip


def grow(heights, **ahead):
    task = Path(heights)
    engine = Greedy(
        task,
        ["a", "b"],
        schedule=TryAll("a", "b"),
        stopping=Stopping(5, 0.0),
        max_iter=2,
        progress=Progress(None),
        ahead=LookAhead(**ahead),
    )
    with engine.progress.running(2):
        engine.grow([""])
    return "".join("ab"[step.choice] for step in engine.steps), task.fits


def test_one_layer_ahead_finds_what_greed_misses():
    assert grow(HEIGHTS)[0] == "ab"
    assert grow(HEIGHTS, n_layers=1)[0] == "ba"
    # Nothing is fitted twice, and nothing beyond the last layer.
    _, fits = grow(HEIGHTS, n_layers=1)
    assert sorted(fits) == ["a", "aa", "ab", "b", "ba", "bb"]


def test_only_the_best_are_looked_beyond():
    path, fits = grow(HEIGHTS, n_layers=1, n_beams=1)
    assert path == "ab"
    assert sorted(fits) == ["a", "aa", "ab", "b"]


def test_the_path_counts_where_it_was_highest():
    # What would be cut back anyway does not count against a candidate.
    heights = HEIGHTS | {"aa": -9.0, "ab": -9.0, "ba": 1.5, "bb": 1.5}
    assert grow(heights, n_layers=1)[0].startswith("a")


def test_layers_that_fail_ahead_are_passed_over():
    # They fail again where they are the next layer, which is told.
    with pytest.warns(RuntimeWarning, match="'b' failed at layer 2 and was passed o"):
        assert grow(HEIGHTS | {"aa": None, "bb": None}, n_layers=1)[0] == "ba"
    with pytest.warns(RuntimeWarning, match="no such layer"):
        assert (
            grow(HEIGHTS | {"ba": 0.0, "bb": None, "aa": None}, n_layers=1)[0] == "ab"
        )


def make(**settings):
    spline = SplineGaussianizer(n_knots=8)
    turned = FixedRotation(np.array([[0.6, -0.8], [0.8, 0.6]]))
    candidates = [
        ("spline", spline), ("pca", PCARotation()), ("random", RandomRotation()),
        ("fixed", turned),
    ]  # fmt: skip
    return IterativeDestructor(
        candidates, max_iter=6, random_state=0, n_iter_no_change=2, **settings
    )


def draw(n_rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_rows)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=n_rows)]


def test_rotations_are_found_that_gain_nothing_by_themselves():
    # A rotation changes no score; only the spline after it does.
    X, new = draw(1500, 0), draw(3000, 1)
    alone, ahead = make().fit(X), make(look_ahead=1, n_beams=4).fit(X)
    assert set(alone.layer_names_) <= {"spline"}
    assert set(ahead.layer_names_) - {"spline"}
    assert ahead.score(new) > alone.score(new) + 0.2


def test_threads_and_folds_choose_the_same():
    X = draw(600, 0)
    one = make(look_ahead=1, cv=2).fit(X)
    two = make(look_ahead=1, cv=2, n_jobs=2).fit(X)
    assert one.map_.digest() == two.map_.digest()


@pytest.mark.parametrize("bad", [{"look_ahead": -1}, {"n_beams": 0}])
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        make(**bad).fit(draw(50, 0))
