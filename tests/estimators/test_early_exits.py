"""Early exits of detectors: less work, and verdicts that are those of full scores."""

import numpy as np
import pytest

import destructors
from destructors import RBIG, GaussianCopula, TreeFlow
from destructors.datasets import load_density
from destructors.datasets._loaders import find_local
from destructors.estimators import OutlierDetector
from destructors.linear import Whitening
from destructors.maps import Trees
from destructors.tree import BoostedTreeDestructor

MODELS = {
    "GaussianCopula": GaussianCopula(),
    "RBIG": RBIG(max_iter=8, cv=None),
    "TreeFlow": TreeFlow(cv=None, n_components=8, max_trees=40),
    "BoostedTrees": BoostedTreeDestructor(max_iter=60),
    "default": None,
}


def draw(n_samples, seed):
    """Rows along a ring, and some far from it."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)
    ring = np.c_[np.cos(angle), np.sin(angle)] * 2.0
    return ring + 0.2 * rng.standard_t(4, size=(n_samples, 2))


def detect(model, **settings):
    given = {"contamination": 0.05, "n_folds": 2, "random_state": 0, **settings}
    return OutlierDetector(model, **given)


def full_labels(detector, X):
    return np.where(detector.decision_function(X) < 0.0, -1, 1)


@pytest.fixture(scope="module", params=list(MODELS))
def detector(request):
    model = MODELS[request.param]
    return detect(model, early_exit_error=0.1).fit(draw(3000, 0))


def test_new_rows_have_the_verdicts_of_full_scores_for_less_work(detector):
    new = draw(6000, 1)
    full, early = full_labels(detector, new), detector.predict(new)
    wrong = np.sum(full != early)
    assert (full == -1).sum() > 200
    # One in ten is allowed on average; twice of it is chance.
    assert wrong <= 0.2 * np.sum(full == -1)
    assert 0.0 < detector.early_exit_cost_ < 0.9


def test_the_verdict_of_a_row_does_not_depend_on_the_others(detector):
    new = draw(300, 2)
    labels = detector.predict(new)
    np.testing.assert_array_equal(labels[::-1], detector.predict(new[::-1]))
    alone = [detector.predict(row[None])[0] for row in new[:20]]
    np.testing.assert_array_equal(labels[:20], alone)


def test_a_saved_detector_lets_the_same_rows_leave(detector, tmp_path):
    destructors.save(detector, tmp_path / "detector.npz")
    loaded = destructors.load(tmp_path / "detector.npz")
    assert loaded.exits is not None
    new = draw(3000, 3)
    np.testing.assert_array_equal(loaded.predict(new), detector.predict(new))
    np.testing.assert_array_equal(
        loaded.decision_function(new), detector.decision_function(new)
    )


def test_rows_far_out_are_flagged(detector):
    assert (detector.predict(np.array([[1e9, 0.0], [1e200, -1e200]])) == -1).all()


# ---------------------------------------------------------------- real rows


def test_half_of_the_trees_are_not_asked_on_real_rows(monkeypatch):
    if find_local("density/magic.npz") is None:
        pytest.skip("needs DESTRUCTORS_DATA with density/magic.npz")
    data = load_density("magic")
    rows = np.concatenate([data.train, data.val, data.test])
    model = BoostedTreeDestructor(max_iter=60)
    detector = detect(model, contamination=0.01, early_exit_error=0.05)
    detector.fit(rows[::2])
    asked, forward = [], Trees.forward

    def count(self, X, context=None):
        asked.append(len(self) * len(X))
        return forward(self, X, context)

    monkeypatch.setattr(Trees, "forward", count)
    full = full_labels(detector, rows[1::2])
    n_full = sum(asked)
    asked.clear()
    early = detector.predict(rows[1::2])
    assert sum(asked) < 0.5 * n_full
    assert np.mean(full == early) > 0.99
    # Nor are those few rows missed that there are.
    assert np.sum(full != early) < 0.2 * np.sum(full == -1)
    assert np.sum(full == -1) > 60


# ---------------------------------------------------------------- contract


def test_without_an_error_all_rows_are_scored_in_full():
    X, new = draw(500, 0), draw(500, 1)
    plain = detect(Whitening()).fit(X)
    assert not hasattr(plain, "early_exit_cost_")
    np.testing.assert_array_equal(plain.predict(new), full_labels(plain, new))
    early = detect(Whitening(), early_exit_error=0.5).fit(X)
    assert early.offset_ == plain.offset_
    np.testing.assert_array_equal(
        early.decision_function(new), plain.decision_function(new)
    )


def test_none_leaves_early_where_too_few_rows_are_flagged_to_keep_the_error():
    X = draw(200, 0)
    detector = detect(GaussianCopula(), early_exit_error=0.01).fit(X)
    assert detector.early_exit_cost_ == 1.0
    np.testing.assert_array_equal(detector.predict(X), full_labels(detector, X))


def test_a_refit_without_exits_forgets_them():
    X = draw(400, 0)
    detector = detect(GaussianCopula(), early_exit_error=0.5).fit(X)
    detector.set_params(early_exit_error=None).fit(X)
    assert not hasattr(detector, "early_exit_cost_")


@pytest.mark.parametrize("error", [0.0, 1.0, -1.0, "auto"])
def test_an_error_that_is_no_share_is_refused(error):
    with pytest.raises(ValueError, match="early_exit_error"):
        detect(Whitening(), early_exit_error=error).fit(draw(50, 0))
