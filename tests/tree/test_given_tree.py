"""TreeDestructor with the structure of a tree of scikit-learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeRegressor,
)

from destructors.compose import make_destructor_pipeline
from destructors.linear import Whitening
from destructors.testing import check_destructor
from destructors.tree import TreeDestructor


def make_blobs(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 4.0, -1.0]])
    X = centres[rng.integers(3, size=n_samples)] + 0.5 * rng.normal(size=(n_samples, 3))
    return X * [1.0, 10.0, 0.1] + 5.0


X = make_blobs(1500)
TREES = {
    "regressor": DecisionTreeRegressor(min_samples_leaf=20).fit(X, X[:, 1] ** 2),
    "clusters": DecisionTreeClassifier(max_leaf_nodes=8).fit(
        X, KMeans(3, n_init=1, random_state=0).fit_predict(X)
    ),
    "several-targets": DecisionTreeRegressor(max_depth=4).fit(X, X),
    "random": ExtraTreeRegressor(max_depth=5, random_state=0).fit(X, X[:, 0]),
}


@pytest.fixture(params=TREES)
def tree(request):
    return TREES[request.param]


def test_boxes_are_those_of_apply(tree):
    model = TreeDestructor(tree=tree).fit(X)
    assert model.n_leaves_ == tree.get_n_leaves()
    assert model.depth_ == tree.get_depth()
    pairs = np.c_[model.apply(X), tree.apply(X)]
    # One leaf here for each leaf there: as many pairs as leaves.
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    # Both round: rows within 1e-7 of a cut may stand on its other side.
    assert np.sort(counts)[::-1][: model.n_leaves_].sum() >= 0.999 * len(X)


def test_probabilities_are_those_of_the_rows(tree):
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    model = TreeDestructor(tree=tree).fit(X, sample_weight=weight)
    _, probabilities = model.get_boxes()
    mass = np.bincount(model.apply(X), weight, minlength=model.n_leaves_)
    # Each split adds one row of uniform mass.
    np.testing.assert_allclose(probabilities, mass / mass.sum(), atol=2 / len(X))


def test_learns_the_density(tree):
    test = make_blobs(1500, seed=1)
    one_leaf = TreeDestructor(min_gain=1e9).fit(X)
    model = TreeDestructor(tree=tree).fit(X)
    assert model.score(test) > one_leaf.score(test) + 0.02
    gain = model.score(X) - one_leaf.score(X)
    assert model.feature_importances_.sum() == pytest.approx(gain, abs=1e-6)


def test_other_parameters_are_not_used(tree):
    changed = TreeDestructor(tree=tree, max_depth=1, min_samples_leaf=500, max_bins=2)
    np.testing.assert_array_equal(
        changed.fit(X).transform(X), TreeDestructor(tree=tree).fit(X).transform(X)
    )


def test_cuts_where_no_row_can_be_are_passed_over():
    # Fitted on far wider data: most cuts are beyond the cube of the narrow ones.
    wide = DecisionTreeRegressor(max_depth=8).fit(100 * (X - 5), X[:, 0])
    model = TreeDestructor(tree=wide).fit(X)
    assert 1 <= model.n_leaves_ < wide.get_n_leaves()
    Z = model.transform(X)
    np.testing.assert_allclose(model.inverse_transform(Z), X)


def test_empty_leaves_have_a_little_probability(tree):
    half = X[X[:, 0] < np.median(X[:, 0])]
    model = TreeDestructor(tree=tree).fit(half)
    assert np.isfinite(model.score_samples(X)).all()


def test_frozen_tree_survives_clone_and_keeps_the_law(tree):
    model = TreeDestructor(tree=FrozenEstimator(tree))
    np.testing.assert_array_equal(
        clone(model).fit(X).transform(X), TreeDestructor(tree=tree).fit(X).transform(X)
    )
    check_destructor(model, X=X)
    make_destructor_pipeline(model, Whitening()).fit(X)


def test_a_tree_that_does_not_fit_is_refused(tree):
    with pytest.raises(ValueError, match="fitted on 3 features, but X has 2"):
        TreeDestructor(tree=tree).fit(X[:, :2])
    with pytest.raises(ValueError, match="is not fitted"):
        TreeDestructor(tree=DecisionTreeRegressor()).fit(X)
