"""Weighted expectation-maximisation."""

import warnings

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._covariance import COVARIANCES
from destructors.mixture._em import EM, Mixture
from destructors.rows import Rows, stop_all, time_limit

TYPES = sorted(COVARIANCES)
PLAIN = {
    "degrees_of_freedom_prior": 0.0,
    "background": False,
    "reg_covar": 0.0,
    "tol": 0.0,
    "max_iter": 1,
}


def make_em(rows, covariance_type, **options):
    """EM as a destructor of these parameters runs it."""
    options = {**PLAIN, "covariance_type": covariance_type, **options}
    model = GaussianMixtureDestructor(**options)
    return EM(model, rows, model.max_iter)


@pytest.fixture(scope="module")
def X():
    """Three overlapping clusters of unlike shapes, in 4 dimensions."""
    rng = np.random.default_rng(0)
    centers = np.array([[-2, 0, 0, 1], [1, 2, 0, 0], [1, -2, 1, 0]])
    parts = [
        center + rng.normal(size=(n, 4)) @ (np.eye(4) + 0.4 * rng.normal(size=(4, 4)))
        for center, n in zip(centers, (300, 200, 400), strict=True)
    ]
    return rng.permutation(np.vstack(parts))


def start(X, covariance_type, n_components=3):
    """Some mixture to go on from, in the shapes that EM works with."""
    d = X.shape[1]
    covariances = {
        "full": np.repeat(np.eye(d)[None], n_components, axis=0),
        "tied": np.eye(d),
        "diag": np.ones((n_components, d)),
        "spherical": np.ones((n_components, 1)),
    }
    weights = np.full(n_components, 1.0 / n_components)
    return Mixture(weights, X[:n_components], covariances[covariance_type])


def peer(X, mixture, covariance_type, max_iter):
    """scikit-learn's EM from the same mixture; unit covariances are their inverses."""
    precisions = mixture.covariances
    if covariance_type == "spherical":
        precisions = precisions[:, 0]
    model = GaussianMixture(
        len(mixture.weights),
        covariance_type=covariance_type,
        weights_init=mixture.weights,
        means_init=mixture.means,
        precisions_init=precisions,
        reg_covar=0.0,
        tol=0.0,
        max_iter=max_iter,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X)


def assert_same(mixture, expected, covariance_type):
    covariances = mixture.covariances
    if covariance_type == "spherical":
        covariances = covariances[:, 0]
    np.testing.assert_allclose(mixture.weights, expected.weights_, rtol=1e-9)
    np.testing.assert_allclose(mixture.means, expected.means_, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(covariances, expected.covariances_, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("n_steps", [1, 7])
def test_steps_are_those_of_scikit_learn(X, covariance_type, n_steps):
    mixture = start(X, covariance_type)
    em = make_em(Rows.of(X), covariance_type, max_iter=n_steps)
    em.fit_from(mixture)
    expected = peer(X, mixture, covariance_type, n_steps)
    assert_same(em.mixture, expected, covariance_type)
    assert em.lower_bound == pytest.approx(expected.score(X), rel=1e-9)
    assert em.score(Rows.of(X[:50])) == pytest.approx(expected.score(X[:50]))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_weights_are_repeated_rows(X, covariance_type):
    weight = np.random.default_rng(1).integers(1, 5, size=len(X))
    mixture = start(X, covariance_type)
    em = make_em(Rows.of(X, weight.astype(float)), covariance_type)
    expected = peer(np.repeat(X, weight, axis=0), mixture, covariance_type, 1)
    assert_same(em.fit_from(mixture).mixture, expected, covariance_type)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_likelihood_never_falls(X, covariance_type, seed):
    em = make_em(Rows.of(X), covariance_type)
    bounds = [em.fit(6, np.random.RandomState(seed)).lower_bound]
    for _ in range(30):
        bounds.append(em.fit_from(em.mixture).lower_bound)
    # The first step is from hard clusters, without a likelihood before it.
    assert (np.diff(bounds) > -1e-10).all()
    assert bounds[-1] > bounds[0] + 1e-3


@pytest.mark.parametrize("covariance_type", TYPES)
def test_tol_stops_and_max_iter_limits(X, covariance_type):
    em = make_em(Rows.of(X), covariance_type, tol=1e-3, max_iter=100)
    em.fit(3, np.random.RandomState(0))
    assert em.converged
    assert 1 < em.n_steps < 100
    loose = make_em(Rows.of(X), covariance_type)
    loose.fit(3, np.random.RandomState(0))
    assert not loose.converged
    # One step with one component, one with two, one with three.
    assert (loose.n_steps, loose.n_iter) == (1, 3)


def test_blocks_of_rows_do_not_matter(X, monkeypatch):
    def fit():
        em = make_em(Rows.of(X), "full", max_iter=5)
        return em.fit(4, np.random.RandomState(0))

    whole = fit()
    # The smallest block is of 256 rows, less than a third of all.
    monkeypatch.setattr("destructors.mixture._expectation._BLOCK_SIZE", 1)
    np.testing.assert_allclose(fit().mixture.means, whole.mixture.means, rtol=1e-9)


# ---------------------------------------------------------------- prior


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_strong_prior_gives_all_components_one_shape(X, covariance_type):
    em = make_em(Rows.of(X), covariance_type, degrees_of_freedom_prior=1e6, max_iter=20)
    covariances = em.fit(3, np.random.RandomState(0)).mixture.covariances
    flat = covariances.reshape(3, -1)
    # Up to size: every covariance is a multiple of the first.
    sizes = np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(
        flat / sizes, np.repeat(flat[:1] / sizes[0], 3, axis=0), rtol=1e-3, atol=1e-3
    )


def test_learned_strength_tells_equal_shapes_from_unlike_ones():
    rng = np.random.default_rng(0)
    options = {"degrees_of_freedom_prior": "auto", "max_iter": 30}
    centers = 30.0 * rng.normal(size=(20, 5))

    def strength(roots):
        rows = [
            c + rng.normal(size=(60, 5)) @ r
            for c, r in zip(centers, roots, strict=True)
        ]
        rows = np.vstack(rows)
        em = make_em(Rows.of(rows), "full", **options)
        return em.fit_from(start(centers, "full", 20))._prior.strength

    alike = strength([np.eye(5)] * 20)
    sized = strength([np.eye(5) * size for size in rng.uniform(0.3, 3.0, 20)])
    axes = np.linalg.qr(rng.normal(size=(20, 5, 5)))[0]
    unlike = strength(np.array([[0.1], [0.3], [1.0], [3.0], [10.0]]) * axes)
    assert alike > 100
    # Size alone makes no difference.
    assert sized > 100
    assert unlike < 30


# ---------------------------------------------------------------- components


def test_background_stays_wide_and_takes_outliers(X):
    rows = np.vstack([X, [[30.0, 0, 0, 0], [0, -40.0, 0, 0]]])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    em = make_em(Rows.of(rows), "full", background=True, max_iter=50)
    weights, means, covariances = em.fit(3, np.random.RandomState(0)).mixture
    assert len(weights) == 4
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(means[-1], 0.0)
    np.testing.assert_allclose(covariances[-1], 9 * np.cov(rows.T, bias=True))
    assert 1e-3 <= weights[-1] < 0.1
    # The clusters keep their size: no outlier is among them.
    assert np.diagonal(covariances[:3], axis1=1, axis2=2).max() < 2.0


def test_dead_components_are_dropped():
    # Of a center that no row is near nothing is left after one step.
    X = np.random.default_rng(0).normal(size=(200, 2))
    mixture = Mixture(
        np.array([0.5, 0.5]),
        np.array([[0.0, 0.0], [1e4, 1e4]]),
        np.repeat(np.eye(2)[None], 2, axis=0),
    )
    em = make_em(Rows.of(X), "full", max_iter=3)
    weights, means, covariances = em.fit_from(mixture).mixture
    np.testing.assert_allclose(weights, [1.0])
    np.testing.assert_allclose(means[0], X.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(covariances[0], np.cov(X.T, bias=True), atol=1e-12)


def test_one_component_begins_anew_where_the_background_has_taken_all_rows():
    X = np.random.default_rng(0).normal(size=(200, 2))
    mixture = Mixture(
        np.array([0.5, 0.5]),
        np.array([[1e3, 1e3], [0.0, 0.0]]),
        np.array([np.eye(2) * 1e-6, np.eye(2) * 9.0]),
    )
    em = make_em(Rows.of(X), "full", background=True, max_iter=50)
    weights, means, covariances = em.fit_from(mixture).mixture
    assert weights[0] > 0.9
    np.testing.assert_allclose(means[0], X.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(covariances[0], np.cov(X.T), atol=0.1)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_rows_far_out_are_left_to_the_background(X, covariance_type):
    def fit(rows):
        em = make_em(Rows.of(rows), covariance_type, background=True, max_iter=50)
        return em.fit(3, np.random.RandomState(0))

    clean = fit(X).score(Rows.of(X))
    far = np.vstack([X, [[1e7, 0, 0, 0], [1e12, -1e12, 0, 0]]])
    em = fit(far)
    # Other seeds, another optimum; a component spread over them all loses five nats.
    assert abs(em.score(Rows.of(X)) - clean) < 0.1
    # And they are where the background reaches, as far as normal tails do.
    assert em.score(Rows.of(far[-2:])) > -1000


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_components_that_die_late_leave_the_prior_in_order(
    X, covariance_type, monkeypatch
):
    # As if the prior were kept from the first step on, learned from four components.
    monkeypatch.setattr("destructors.mixture._em._N_PRIOR_STEPS", 1)
    em = make_em(Rows.of(X), covariance_type, degrees_of_freedom_prior=5.0, max_iter=10)
    alive = {1: 4}
    maximise = em.maximise

    def starve(moments):
        # From the fifth step on no row is left to the second component.
        if em.n_steps == 5:
            moments = moments.copy()
            moments[1] = 0.0
        mixture = maximise(moments)
        alive[em.n_steps] = len(mixture.weights)
        return mixture

    monkeypatch.setattr(em, "maximise", starve)
    em.fit_from(start(X, covariance_type, 4))
    assert (alive[4], alive[5], alive[10]) == (4, 3, 3)
    assert np.isfinite(em.lower_bound)
    np.testing.assert_allclose(em.mixture.weights.sum(), 1.0)


# ---------------------------------------------------------------- rows and time


def test_many_rows_are_summed_by_blocks_for_any_number_of_threads(X, monkeypatch):
    monkeypatch.setattr("destructors.rows._rows.BLOCK_ROWS", 100)

    def fit(n_jobs):
        rows = Rows.of(X, n_jobs=n_jobs)
        em = make_em(rows, "tied", max_iter=5)
        return em.fit(4, np.random.RandomState(0)).mixture

    one, two = fit(1), fit(2)
    np.testing.assert_array_equal(one.means, two.means)
    monkeypatch.undo()
    np.testing.assert_allclose(fit(1).means, one.means, rtol=1e-9, atol=1e-12)


def test_a_step_is_the_last_when_time_is_up(X):
    em = make_em(Rows.of(X), "full", max_iter=50)
    with time_limit(None):
        stop_all()
        em.fit(3, np.random.RandomState(0))
    assert em.n_iter == 1
    assert not em.converged
    assert np.isfinite(em.lower_bound)


@pytest.mark.parametrize("n_folds", [None, 2])
@pytest.mark.parametrize("n_rows", [2, 3])
def test_the_background_is_wider_than_components_of_constant_columns(n_rows, n_folds):
    # It took their rows from them, they began anew, and so on until max_iter.
    X = np.eye(60)[[0, 7, 31][:n_rows]]
    model = GaussianMixtureDestructor(n_folds=n_folds, random_state=0).fit(X)
    assert model.converged_
