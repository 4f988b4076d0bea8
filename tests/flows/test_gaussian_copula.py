"""The Gaussian copula: marginals, then one Gaussian."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from destructors.compose import DestructorPipeline
from destructors.flows import GaussianCopula
from destructors.linear import Whitening
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer

CORRELATION = np.array([[1.0, 0.7, -0.4], [0.7, 1.0, 0.1], [-0.4, 0.1, 1.0]])


def draw(n_samples, seed):
    """Rows of a Gaussian copula with exponential, uniform and normal marginals."""
    rng = np.random.default_rng(seed)
    Z = rng.multivariate_normal(np.zeros(3), CORRELATION, size=n_samples)
    U = stats.norm.cdf(Z)
    return np.c_[-np.log1p(-U[:, 0]), U[:, 1], 100.0 * Z[:, 2]]


def normal_scores(X):
    U = np.c_[stats.expon.cdf(X[:, 0]), X[:, 1], stats.norm.cdf(X[:, 2] / 100.0)]
    return stats.norm.ppf(U)


def true_log_density(X):
    Z = normal_scores(X)
    copula = stats.multivariate_normal(cov=CORRELATION).logpdf(Z)
    copula -= stats.norm.logpdf(Z).sum(axis=1)
    marginals = -X[:, 0] + stats.norm.logpdf(X[:, 2], scale=100.0)
    return copula + marginals


@pytest.fixture(scope="module")
def X():
    return draw(4000, seed=0)


def test_correlation_is_that_of_the_copula(X):
    model = GaussianCopula().fit(X)
    expected = np.corrcoef(normal_scores(X).T)
    np.testing.assert_allclose(model.correlation_, expected, atol=0.01)
    np.testing.assert_allclose(np.diag(model.correlation_), 1.0)


def test_density_is_that_of_the_copula(X):
    model, test = GaussianCopula().fit(X), draw(4000, seed=1)
    loss = true_log_density(test).mean() - model.score(test)
    assert 0.0 < loss < 0.05
    # Dependence is worth half a nat and more.
    alone = SplineGaussianizer().fit(X).score(test)
    assert model.score(test) > alone + 0.5


def test_equals_the_pipeline_of_its_parts(X):
    pipeline = DestructorPipeline(
        [("marginal", SplineGaussianizer()), ("whiten", Whitening(method="zca"))]
    ).fit(X)
    model = GaussianCopula().fit(X)
    np.testing.assert_allclose(model.transform(X), pipeline.transform(X))
    np.testing.assert_allclose(model.score_samples(X), pipeline.score_samples(X))
    assert model.shrinkage_ == pipeline["whiten"].shrinkage_


def test_shrinkage_of_one_leaves_the_marginals(X):
    model = GaussianCopula(shrinkage=1.0).fit(X)
    np.testing.assert_allclose(model.correlation_, np.eye(3), atol=1e-12)
    alone = SplineGaussianizer().fit(X)
    assert model.score(X) == pytest.approx(alone.score(X), abs=1e-2)


def test_latent_features_stay_close_to_their_own(X):
    model = GaussianCopula().fit(X)
    own = model.marginal_.transform(X)
    cross = np.corrcoef(own.T, model.transform(X).T)[:3, 3:]
    np.testing.assert_array_equal(cross.argmax(axis=1), np.arange(3))


def test_another_marginal_is_cloned(X):
    marginal = HistogramGaussianizer(n_bins=32)
    model = GaussianCopula(marginal).fit(X)
    assert isinstance(model.marginal_, HistogramGaussianizer)
    assert model.marginal_ is not marginal
    assert not hasattr(marginal, "n_features_in_")
    assert clone(model).marginal.n_bins == 32
    assert model.set_params(marginal__n_bins=8).marginal.n_bins == 8


def test_integer_weights_equal_repeated_rows(X):
    weight = np.random.default_rng(2).integers(0, 4, size=len(X))
    weighted = GaussianCopula().fit(X, sample_weight=weight)
    repeated = GaussianCopula().fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(
        weighted.score_samples(X), repeated.score_samples(X), atol=1e-6
    )


def test_threads_do_not_change_the_result(X):
    rows = np.tile(X, (20, 1))
    model = GaussianCopula().fit(X)
    Z = model.transform(rows)
    np.testing.assert_array_equal(model.set_params(n_jobs=2).transform(rows), Z)


@pytest.mark.parametrize(
    "bad", [{"shrinkage": 1.5}, {"shrinkage": "some"}, {"marginal": "spline"}]
)
def test_bad_parameters(X, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        GaussianCopula(**bad).fit(X)
