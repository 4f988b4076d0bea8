"""ICAWhitening: independent components, and white latents whatever the data."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from sklearn.datasets import load_wine
from sklearn.decomposition import FastICA

from destructors.linear import ICAWhitening, Whitening
from destructors.linear._rotation import NORMAL_CONTRAST
from destructors.marginal import SplineGaussianizer
from destructors.rows import time_limit


@pytest.fixture
def mixed():
    rng = np.random.default_rng(0)
    sources = np.c_[
        rng.uniform(-1.0, 1.0, 5000), rng.laplace(size=5000), rng.exponential(size=5000)
    ]
    return sources, sources @ rng.normal(size=(3, 3)) + 5.0


def test_contrast_of_the_normal():
    expected = quad(lambda x: np.log(np.cosh(x)) * stats.norm.pdf(x), -20, 20)[0]
    assert pytest.approx(expected, abs=1e-7) == NORMAL_CONTRAST


def test_sources_are_recovered(mixed):
    sources, X = mixed
    model = ICAWhitening().fit(X)
    correlation = np.abs(np.corrcoef(sources.T, model.transform(X).T)[:3, 3:])
    assert (correlation.max(axis=1) > 0.99).all()
    assert set(correlation.argmax(axis=1)) == {0, 1, 2}
    assert model.converged_


def test_directions_are_those_of_fastica(mixed):
    _, X = mixed
    theirs = FastICA(whiten="unit-variance", random_state=0).fit_transform(X)
    ours = ICAWhitening().fit_transform(X)
    correlation = np.abs(np.corrcoef(theirs.T, ours.T)[:3, 3:])
    np.testing.assert_allclose(correlation.max(axis=1), 1.0, atol=1e-3)


def test_latent_is_white_and_the_rotation_orthogonal(mixed):
    _, X = mixed
    model = ICAWhitening().fit(X)
    Z, log_det = model.transform_and_log_det(X)
    np.testing.assert_allclose(np.cov(Z.T, bias=True), np.eye(3), atol=1e-9)
    Q = model.rotation_
    np.testing.assert_allclose(Q @ Q.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(Z, (X - model.mean_) @ model.components_.T, atol=1e-9)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(model.components_)[1])


def test_a_marginal_gains_more_after_it_than_before(mixed):
    _, X = mixed
    Z = ICAWhitening().fit_transform(X)
    whitened = Whitening(shrinkage=0.0).fit_transform(X)
    gains = [SplineGaussianizer().fit(part).score(part) for part in (whitened, Z)]
    assert gains[1] > gains[0] + 0.1


def test_normal_data_give_a_rotation_without_warning():
    X = np.random.default_rng(0).normal(size=(300, 4))
    model = ICAWhitening(max_iter=3).fit(X)
    assert not model.converged_
    assert model.n_iter_ == 3
    np.testing.assert_allclose(
        model.rotation_ @ model.rotation_.T, np.eye(4), atol=1e-12
    )


def test_without_time_one_step_is_taken(mixed):
    _, X = mixed
    with time_limit(0.0):
        model = ICAWhitening().fit(X)
    assert model.n_iter_ == 1
    assert np.isfinite(model.score(X))


def test_weights_equal_repeated_rows(mixed):
    _, X = mixed
    X = X[:500]
    weight = np.random.default_rng(1).integers(0, 4, size=500)
    weighted = ICAWhitening().fit(X, sample_weight=weight)
    repeated = ICAWhitening().fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.components_, repeated.components_, atol=1e-6)


def test_same_result_each_time():
    X = load_wine().data
    first, second = (ICAWhitening().fit(X).rotation_ for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_collinear_columns_are_named(X):
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "twice": 2.0 * X[:, 0]})
    with pytest.warns(UserWarning, match="columns a, twice"):
        ICAWhitening().fit(frame)


@pytest.mark.parametrize("parameters", [{"max_iter": 0}, {"tol": 0.0}])
def test_parameters(parameters, X):
    with pytest.raises(ValueError, match="parameter of ICAWhitening"):
        ICAWhitening(**parameters).fit(X)
