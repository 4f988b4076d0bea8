"""Trees where there is something to find, and none where there is not."""

import numpy as np
import pytest

from destructors.flows import TreeFlow
from destructors.linear._held_out_scale import HeldOutScale
from destructors.tree import BoostedTreeDestructor
from destructors.tree._boosted import best_number
from tests.registry import steps


def normal(n_rows, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])


def test_normal_rows_have_no_trees():
    """Each of ten had one to five before."""
    flows = [TreeFlow(random_state=s).fit(normal(1000, s)) for s in range(10)]
    assert sum(flow.n_trees_ > 0 for flow in flows) <= 3


def test_a_hold_out_of_ones_own_can_show_that_there_are_none():
    for seed in range(10):
        flow = TreeFlow(random_state=0).fit(
            normal(500, seed), X_val=normal(500, seed + 1)
        )
        if not flow.n_trees_:
            break
    assert flow.n_trees_ == 0
    assert np.isfinite(flow.score_samples(normal(50, 99))).all()


@pytest.mark.parametrize("cv", ["auto", None])
def test_steps_have_trees(cv):
    flow = TreeFlow(boost_mixture=False, n_components=1, cv=cv, random_state=0)
    assert flow.fit(steps()).n_trees_ > 5


def test_given_numbers_of_trees_are_kept():
    X = normal(400, 0)
    flow = TreeFlow(max_trees=3, early_stopping=False, random_state=0)
    assert flow.fit(X[:300], X_val=X[300:]).n_trees_ == 3


def test_folds_choose_the_number_of_trees_together():
    curves = [[0.0, 0.3, 0.2], [0.0, -0.1, 0.05, 0.2, 0.1], [0.0]]
    fitted = []
    for curve in curves:
        boosted = BoostedTreeDestructor()
        boosted._curve, boosted.n_iter_ = np.array(curve), int(np.argmax(curve))
        fitted.append(boosted)
    # Their own best are 1, 3 and 0.
    assert best_number(fitted) == (3, pytest.approx(0.4 / 3))
    assert fitted[0]._refit_params(fitted)["max_iter"] == 3
    fitted[0]._curve[:] = np.nan
    assert best_number(fitted)[0] == 1


def test_a_tree_destructor_without_trees_leaves_rows():
    X = normal(300, 0)
    none = (
        BoostedTreeDestructor(max_iter=2, early_stopping=False).fit(X)._without_trees()
    )
    np.testing.assert_allclose(none.inverse_transform(none.transform(X)), X, atol=1e-12)
    assert none.n_iter_ == 0
    assert len(none.train_score_) == 1


def test_one_fold_does_not_set_the_scale():
    fitted = []
    for scale in (1.0, 1.1, 1.0, 1.0, 1.0):
        fitted.append(HeldOutScale())
        fitted[-1].scale_ = scale
    assert fitted[0]._refit_params(fitted) == {"scale": 1.0}
