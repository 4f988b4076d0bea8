"""Densities by their conditional distribution functions, in any order of features."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.base import clone

from destructors.autoregressive import AutoregressiveDestructor
from destructors.autoregressive._conditional import _one_after_another
from destructors.compose import make_destructor_pipeline
from destructors.linear import PCARotation, Whitening
from destructors.marginal import NormalCDF, SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor, TreeDestructor

MIXTURE = GaussianMixtureDestructor(3, random_state=0)
DENSITIES = [
    *(Whitening(method=method) for method in ("pca", "zca", "cholesky")),
    MIXTURE,
    TreeDestructor(),
    make_destructor_pipeline(SplineGaussianizer(), Whitening()),
    make_destructor_pipeline(SplineGaussianizer(), MIXTURE),
]


def rows(seed, n=600):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).cumsum(axis=1)
    X[:, 2] = 0.5 * X[:, 0] ** 2 + 0.3 * X[:, 2]
    return X


@pytest.mark.parametrize("order", [None, [2, 0, 3, 1], "random"], ids=str)
@pytest.mark.parametrize("density", DENSITIES, ids=str)
def test_the_density_is_that_of_what_is_wrapped(density, order):
    X, new = rows(0), rows(1, 100)
    model = AutoregressiveDestructor(density, order=order, random_state=0).fit(X)
    first, second, *later = model.order_
    # A mixture maps them as they come then: the tilt of its map is in the density.
    orders = [name for name in density.get_params() if name.endswith("order")]
    plain = clone(density).set_params(**dict.fromkeys(orders))
    plain.fit(X[:, model.order_])
    scores = plain.score_samples(new[:, model.order_])
    np.testing.assert_allclose(model.score_samples(new), scores, atol=1e-8)
    Z = model.transform(new)
    np.testing.assert_allclose(model.inverse_transform(Z), new, atol=1e-8)
    # No latent feature sees those after it.
    moved = new.copy()
    moved[:, later] += 0.5
    assert (model.transform(moved)[:, [first, second]] == Z[:, [first, second]]).all()
    moved = new.copy()
    moved[:, first] += 0.5
    assert (model.transform(moved)[:, second] != Z[:, second]).any()


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_rows_come_back_in_every_order(order):
    X, new = rows(0), rows(1, 50)
    model = AutoregressiveDestructor(MIXTURE, order=list(order)).fit(X)
    Z, log_det = model.transform_and_log_det(new)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, new, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0.0, atol=1e-8)


def test_a_mixture_mapped_in_another_order_is_mapped_as_features_come():
    X = rows(0)
    mixture = GaussianMixtureDestructor(3, random_state=0).fit(X)
    _, in_order = mixture.map_
    assert in_order.order is not None
    as_they_come = _one_after_another(mixture.map_, 4)
    Z, log_det = as_they_come.forward(X)
    scores = norm.logpdf(Z).sum(axis=1) + log_det
    np.testing.assert_allclose(scores, mixture.score_samples(X), atol=1e-5)
    moved, _ = as_they_come.forward(X + np.array([0.0, 0.0, 0.0, 0.5]))
    np.testing.assert_array_equal(moved[:, :3], Z[:, :3])


def test_a_gaussian_is_mapped_by_its_conditional_distributions():
    X = rows(0)[:, :2]
    model = AutoregressiveDestructor(Whitening(shrinkage=0.0), order=[1, 0]).fit(X)
    mean, covariance = X.mean(axis=0), np.cov(X.T, ddof=0)
    slope = covariance[0, 1] / covariance[1, 1]
    spread = np.sqrt(covariance[0, 0] - slope * covariance[0, 1])
    given = mean[0] + slope * (X[:, 1] - mean[1])
    expected = np.c_[(X[:, 0] - given) / spread, (X[:, 1] - mean[1]) / X[:, 1].std()]
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-8)
    truth = multivariate_normal(mean, covariance).logpdf(X)
    np.testing.assert_allclose(model.score_samples(X), truth, atol=1e-8)


def test_a_tree_is_mapped_by_the_shares_of_its_boxes():
    # Two of four quadrants hold nearly all.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 2))
    X[:, 1] = np.abs(X[:, 1]) * np.sign(X[:, 0])
    density = TreeDestructor(splitter="look-ahead", max_leaf_nodes=4, max_bins=2)
    model = AutoregressiveDestructor(density).fit(X)
    boxes, probabilities = model.density_.get_boxes()
    assert len(boxes) >= 3
    x = np.array([[1.5, 0.7]])
    [z] = model.transform(x)
    # Mass of the second feature below, given that the first is on the right.
    unit = (x - model.density_.mean_) / model.density_.scale_
    ends = (boxes - model.density_.mean_) / model.density_.scale_
    length = np.diff(norm.cdf(ends), axis=1)[:, 0]
    right = (boxes[:, 0, 0] <= 1.5) & (boxes[:, 1, 0] > 1.5)
    share = probabilities * right / length[:, 0]
    inside = norm.cdf(np.clip(unit[0, 1], ends[:, 0, 1], ends[:, 1, 1]))
    below = (inside - norm.cdf(ends[:, 0, 1])) / length[:, 1]
    expected = norm.ppf((share * below).sum() / share.sum())
    # The cube ends at five standard deviations.
    assert z[1] == pytest.approx(expected, abs=1e-5)


def test_rows_are_completed_given_the_first_features():
    X = rows(0)
    model = AutoregressiveDestructor(MIXTURE, order=[3, 1, 0, 2]).fit(X)
    Z = model.transform(X)
    Z[:, [0, 2]] = np.random.default_rng(0).normal(size=(len(X), 2))
    drawn = model.inverse_transform(Z)
    np.testing.assert_allclose(drawn[:, [1, 3]], X[:, [1, 3]], atol=1e-8)
    assert np.corrcoef(drawn[:, 0], X[:, 1])[0, 1] > 0.5


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (AutoregressiveDestructor(Whitening(), order=[0, 1, 1, 2]), "order must hold"),
        (AutoregressiveDestructor(NormalCDF()), "must end on the standard normal"),
        (
            AutoregressiveDestructor(
                make_destructor_pipeline(PCARotation(), SplineGaussianizer())
            ),
            "conditional distribution functions that are known",
        ),
        (
            AutoregressiveDestructor(
                BoostedTreeDestructor(max_iter=3, early_stopping=False)
            ),
            "conditional distribution functions that are known",
        ),
    ],
)
def test_what_has_no_known_conditionals_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(rows(0))


def test_what_is_no_density_is_refused():
    with pytest.raises(TypeError, match="density must be a Destructor"):
        AutoregressiveDestructor("gaussian").fit(rows(0))
