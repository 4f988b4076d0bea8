"""Tables that once broke several learners at once: each asks all of those."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.autoregressive import RegressionDestructor
from destructors.compose import IterativeDestructor
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.flows import RBIG, TreeFlow
from destructors.linear import PCARotation
from destructors.tree import BoostedTreeDestructor

BOOSTED = BoostedTreeDestructor(max_iter=30, random_state=0)
SMALL_FLOW = TreeFlow(n_components=[1, 2], max_trees=10, cv=None, random_state=0)
names = lambda model: type(model).__name__


@pytest.mark.parametrize(
    "model",
    [RBIG(max_iter=3, random_state=0), BOOSTED, RegressionDestructor(), SMALL_FLOW],
    ids=names,
)
def test_beside_an_offset_of_1e9_rows_are_told_apart(model):
    moved = 1e9 + np.random.default_rng(0).normal(size=(500, 2))
    # The same rows, to the last bit.
    X = moved - 1e9
    scores = clone(model).fit(X).score_samples(X)
    np.testing.assert_allclose(
        clone(model).fit(moved).score_samples(moved), scores, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "model",
    [IterativeDestructor(max_iter=3, random_state=0), RBIG(max_iter=3, random_state=0)],
    ids=names,
)
@pytest.mark.filterwarnings("ignore:Columns 0, 2 are equal")
def test_beside_a_column_given_twice_a_row_has_its_score_alone(model):
    X = np.random.default_rng(0).normal(size=(500, 2))
    X = np.c_[X, X[:, 0]]
    model.fit(X)
    alone = [model.score_samples(row[None])[0] for row in X[:50]]
    np.testing.assert_allclose(model.score_samples(X)[:50], alone, rtol=0, atol=1e-8)


def test_trees_on_shared_values_stop_and_give_atoms_no_more_than_their_width():
    r = np.random.default_rng(0)
    X = np.c_[r.integers(0, 5, 300), r.normal(size=300)].astype(float)
    model = BoostedTreeDestructor(random_state=0).fit(X)
    assert model.n_iter_ < 300
    beside = np.nextafter(X, np.inf)
    np.testing.assert_allclose(
        model.score_samples(beside), model.score_samples(X), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "model",
    [CategoricalBase(random_state=0), TreePermutation(random_state=0)],
    ids=names,
)
def test_two_rows_of_forty_codes_are_drawn_from(model):
    X = np.random.default_rng(0).integers(0, 2, (2, 40))
    samples = model.fit(X).sample(3, random_state=0)
    assert samples.shape == (3, 40)
    # A code that no row of the column has is never drawn.
    assert all(set(samples[:, j]) <= set(X[:, j]) for j in range(40))


def test_principal_axes_of_columns_of_1e_300():
    X = 1e-300 * np.random.default_rng(0).normal(size=(200, 3))
    model = PCARotation().fit(X)
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=0, atol=1e-306)
