"""The Rosenblatt map of a mixture, by closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from destructors.maps import _rosenblatt, _rosenblatt_plain
from destructors.maps._jit import has_numba
from destructors.maps._rosenblatt import Rosenblatt


@pytest.fixture(params=["compiled", "vectorised"])
def path(request, monkeypatch):
    """Both ways to evaluate the map."""
    if request.param == "compiled" and not has_numba():
        pytest.skip("kernels are not compiled")
    if request.param == "vectorised":
        plain = _rosenblatt_plain.solve_plainly
        monkeypatch.setattr(_rosenblatt, "_solve", plain)


def make_mixture(n_components=4, n_features=3, tilt=0.0, seed=0):
    rng = np.random.default_rng(seed)
    factors = np.tril(rng.normal(size=(n_components, n_features, n_features)))
    factors[:, *np.diag_indices(n_features)] = rng.uniform(
        0.3, 1.0, (n_components, n_features)
    )
    weights = rng.dirichlet(np.ones(n_components))
    return Rosenblatt(
        weights, rng.normal(size=(n_components, n_features)), factors, tilt
    )


def draw(mixture, n_samples):
    rng = np.random.default_rng(1)
    component = rng.choice(len(mixture.weights), size=n_samples, p=mixture.weights)
    noise = rng.normal(size=(n_samples, mixture.means.shape[1]))
    spread = np.einsum("nij,nj->ni", mixture.factors[component], noise)
    return mixture.means[component] + spread


def log_density(mixture, X):
    parts = [
        np.log(weight) + stats.multivariate_normal(mean, factor @ factor.T).logpdf(X)
        for weight, mean, factor in zip(
            mixture.weights, mixture.means, mixture.factors, strict=True
        )
    ]
    return special.logsumexp(parts, axis=0)


@pytest.mark.usefixtures("path")
def test_density_is_that_of_the_mixture():
    mixture = make_mixture()
    X = 2.0 * np.random.default_rng(1).normal(size=(500, 3))
    Z, log_det = mixture.forward(X)
    own = stats.norm.logpdf(Z).sum(axis=1) + log_det
    np.testing.assert_allclose(own, log_density(mixture, X), rtol=1e-10, atol=1e-10)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("tilt", [0.0, 1e-7])
def test_inverse_undoes_the_map(tilt):
    mixture = make_mixture(tilt=tilt)
    X = draw(mixture, 500)
    Z, log_det = mixture.forward(X)
    back, log_det_back = mixture.inverse(Z)
    np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-8, atol=1e-8)


@pytest.mark.usefixtures("path")
def test_rows_beside_components_of_no_weight_come_back():
    # The first feature tells the two apart beyond doubt: exp(-5e7) is left of one.
    factors = np.repeat(1e-3 * np.eye(2)[None], 2, axis=0)
    means = np.array([[0.0, 0.0], [10.0, 1.0]])
    mixture = Rosenblatt(np.full(2, 0.5), means, factors, 1e-7)
    X = np.array([[0.0, 0.5], [0.001, 0.9], [9.999, 0.3]])
    Z, log_det = mixture.forward(X)
    back, log_det_back = mixture.inverse(Z)
    np.testing.assert_allclose(back, X, atol=1e-6)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-6)


@pytest.mark.usefixtures("path")
def test_last_bits_of_a_feature_do_not_move_those_after_it_in_a_gap():
    # Far from both components, whose weights would follow the last bits.
    factors = np.array([np.diag([1e-3, 1e-3]), np.diag([1.000001e-3, 1e-3])])
    mixture = Rosenblatt(np.full(2, 0.5), np.array([[0.0, 0.0], [0.0, 1.0]]), factors)
    mixture = replace(mixture, tilt=1e-7)
    X = np.column_stack([np.linspace(0.1, 0.5, 100), np.full(100, 0.5)])
    back = mixture.inverse(mixture.forward(X)[0])[0]
    np.testing.assert_allclose(back, X, atol=1e-6)


@pytest.mark.usefixtures("path")
def test_a_feature_that_repeats_another_takes_no_steps():
    """Later layers would tell them: they are as wide as the feature is spread."""
    factors = np.repeat(np.array([[[1.0, 0.0], [1.0, 1e-9]]]), 2, axis=0)
    mixture = Rosenblatt(np.full(2, 0.5), np.array([[-1.0, -1.0], [1.0, 1.0]]), factors)
    mixture = replace(mixture, tilt=1e-7)
    x = np.linspace(-2.0, 2.0, 1001)
    X = np.column_stack([x, x])
    Z = mixture.forward(X)[0]
    # The last place of the first feature is 2e-7 of this.
    np.testing.assert_allclose(Z[:, 1], 1e-7 * x, atol=1e-6)
    np.testing.assert_allclose(mixture.inverse(Z)[0], X, rtol=1e-12, atol=1e-12)


def constant_second(n_components=7):
    """A mixture that knows one value of its second feature, and rows that have it."""
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(n_components))
    means = np.column_stack([rng.normal(size=n_components), np.zeros(n_components)])
    factors = np.repeat(np.diag([0.5, 1e-3])[None], n_components, axis=0)
    X = np.column_stack([rng.normal(size=500), np.zeros(500)])
    return Rosenblatt(weights, means, factors, 1e-7), X


@pytest.mark.usefixtures("path")
def test_rounding_of_a_sum_near_one_half_is_no_latent():
    """The next layer would take it for the spread of a column."""
    mixture, X = constant_second()
    Z = mixture.forward(X)[0]
    assert (Z[:, 1] == 0.0).all()
    np.testing.assert_allclose(mixture.inverse(Z)[0], X, atol=1e-12)
    # What is more than that stays what it is.
    X[:, 1] = 1e-16
    assert (mixture.forward(X)[0][:, 1] > 9e-14).all()


@pytest.mark.usefixtures("path")
def test_a_feature_far_out_leaves_the_digits_of_the_next():
    factors = np.array([[[1.0, 0.0], [0.9, 0.4]], [[1.0, 0.0], [0.5, 1.0]]])
    mixture = Rosenblatt(np.full(2, 0.5), np.zeros((2, 2)), factors, 1e-7)
    X = np.array([[1e30, 1.234], [-1e30, 0.1]])
    back = mixture.inverse(mixture.forward(X)[0])[0]
    np.testing.assert_allclose(back, X, rtol=1e-6)


@pytest.mark.usefixtures("path")
def test_samples_of_the_mixture_become_standard_normal():
    mixture = make_mixture()
    Z = mixture.forward(draw(mixture, 4000))[0]
    assert stats.kstest(Z.ravel(), "norm").pvalue > 1e-3
    np.testing.assert_allclose(np.cov(Z.T), np.eye(3), atol=0.1)


def test_one_component_whitens_by_its_factor():
    mixture = make_mixture(n_components=1)
    X = np.random.default_rng(1).normal(size=(50, 3))
    expected = np.linalg.solve(mixture.factors[0], (X - mixture.means[0]).T).T
    np.testing.assert_allclose(mixture.forward(X)[0], expected, atol=1e-10)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("reach", [1e10, 1e160, 1e308])
def test_rows_far_out_are_finite(reach):
    mixture = make_mixture(tilt=1e-7)
    rows = np.array([[reach, -reach, reach], [-reach, 0.0, 1.0]])
    for way in (mixture.forward, mixture.inverse):
        found, log_det = way(rows)
        assert np.isfinite(found).all()
        assert np.isfinite(log_det).all()


def test_rows_do_not_depend_on_one_another():
    mixture = make_mixture()
    X = np.random.default_rng(1).normal(size=(10_000, 3))
    Z = mixture.forward(X)[0]
    np.testing.assert_allclose(
        mixture.forward(X[4090:4100])[0], Z[4090:4100], rtol=1e-13
    )


@pytest.mark.parametrize("n", [3, 300])
def test_kernel_is_the_plain_form_of_few_components_and_of_many(monkeypatch, n):
    rng, d = np.random.default_rng(0), 6
    factors = 0.2 * np.tril(rng.normal(size=(n, d, d)))
    factors[:, *np.diag_indices(d)] = rng.uniform(0.02, 0.3, (n, d))
    means = rng.normal(size=(n, d))
    mixture = Rosenblatt(rng.dirichlet(np.ones(n)), means, factors, 1e-7)
    # Among the components, between them, and outside.
    X = np.r_[draw(mixture, 300), rng.normal(size=(300, d)), 8 * means[:50]]
    Z, log_det = mixture.forward(X)
    back, _ = mixture.inverse(Z)
    alone = np.vstack([mixture.forward(row[None])[0] for row in X[::20]])
    np.testing.assert_array_equal(alone, Z[::20])
    np.testing.assert_allclose(back[:300], X[:300], atol=1e-6)
    monkeypatch.setattr(_rosenblatt, "_solve", _rosenblatt_plain.solve_plainly)
    Z_there, log_det_there = mixture.forward(X)
    np.testing.assert_allclose(Z, Z_there, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det, log_det_there, rtol=1e-9, atol=1e-8)


@pytest.mark.usefixtures("path")
def test_slopes_keep_their_digits_where_components_share_a_tail():
    # Two that are one: the map is the identity. The last place of its tail's logarithm
    # is a hundredth of a nat out there.
    factors = np.ones((2, 1, 1))
    mixture = Rosenblatt(np.array([0.3, 0.7]), np.zeros((2, 1)), factors)
    X = np.array([[-1.0], [1.0]]) * np.geomspace(10.0, 1e8, 200)[:, None, None]
    Z, log_det = mixture.forward(X.reshape(-1, 1))
    np.testing.assert_allclose(Z, X.reshape(-1, 1), rtol=1e-12)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-8)


@pytest.mark.usefixtures("path")
def test_slopes_of_rows_far_out_are_those_of_the_inverse():
    """The digits of a row at 1e3 are many steps of a narrow component there."""
    means = 1e3 + np.array([[0.0], [1e-2], [3e-2]])
    factors = np.array([1e-3, 1e-2, 1.0]).reshape(3, 1, 1)
    mixture = Rosenblatt(np.array([0.3, 0.3, 0.4]), means, factors, 1e-7)
    Z = np.linspace(-2.0, 2.0, 1001)[:, None]
    X, log_det_back = mixture.inverse(Z)
    np.testing.assert_allclose(mixture.forward(X)[1], -log_det_back, atol=1e-6)


@pytest.mark.usefixtures("path")
def test_latents_stand_where_their_features_do_in_any_order():
    mixture, order = make_mixture(tilt=1e-7), np.array([2, 0, 1])
    moved = Rosenblatt.of(
        mixture.weights, mixture.means, mixture.covariances, 1e-7, order
    )
    among = replace(moved, means=mixture.means[:, order], order=None)
    X = draw(mixture, 200)
    Z, log_det = moved.forward(X)
    Z_among, log_det_among = among.forward(X[:, order])
    np.testing.assert_array_equal(Z[:, order], Z_among)
    np.testing.assert_array_equal(log_det, log_det_among)
    back, log_det_back = moved.inverse(Z)
    np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-8, atol=1e-8)
    own = stats.norm.logpdf(Z).sum(axis=1) + log_det
    np.testing.assert_allclose(own, log_density(mixture, X), atol=1e-5)


def test_covariances_are_those_of_features_as_they_come():
    mixture, order = make_mixture(), np.array([2, 0, 1])
    known = mixture.weights, mixture.means, mixture.covariances
    np.testing.assert_allclose(
        Rosenblatt.of(*known, order=order).covariances, mixture.covariances
    )
    assert Rosenblatt.of(*known, order=np.arange(3)).order is None


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [1, 2, 3], [0.0, 1.0, 2.0]])
def test_an_order_holds_each_feature_once(order):
    mixture = make_mixture()
    assert replace(mixture, order=np.array([2, 0, 1])).is_valid()
    assert not replace(mixture, order=np.array(order)).is_valid()
