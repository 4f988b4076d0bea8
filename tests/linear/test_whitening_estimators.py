"""Whitening by the covariance estimators of scikit-learn."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.covariance import (
    OAS,
    EmpiricalCovariance,
    GraphicalLasso,
    LedoitWolf,
    MinCovDet,
    ShrunkCovariance,
)
from sklearn.preprocessing import StandardScaler

from destructors.linear import Whitening


@pytest.fixture
def correlated():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) * [1.0, 10.0, 0.1] + 2.0


def test_empirical_covariance_is_the_default_without_shrinkage(correlated):
    plain = Whitening(shrinkage=0.0).fit(correlated)
    same = Whitening(covariance_estimator=EmpiricalCovariance()).fit(correlated)
    np.testing.assert_allclose(same.mean_, plain.mean_)
    np.testing.assert_allclose(same.scale_, plain.scale_)
    np.testing.assert_allclose(same.components_, plain.components_, atol=1e-8)
    assert same.shrinkage_ is None


@pytest.mark.parametrize("method", ["pca", "zca", "cholesky"])
@pytest.mark.parametrize(
    "estimator",
    [
        LedoitWolf(),
        OAS(),
        ShrunkCovariance(shrinkage=0.2),
        MinCovDet(random_state=0),
        GraphicalLasso(alpha=0.05),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_density_is_the_gaussian_of_the_estimator(method, estimator, correlated):
    model = Whitening(method=method, covariance_estimator=estimator).fit(correlated)
    scaler = StandardScaler().fit(correlated)
    scaled = scaler.transform(correlated)
    fitted = estimator.fit(scaled)
    offset = scaled - fitted.location_
    square = np.einsum(
        "ij,ij->i", offset, np.linalg.solve(fitted.covariance_, offset.T).T
    )
    log_volume = np.linalg.slogdet(2.0 * np.pi * fitted.covariance_)[1]
    truth = -0.5 * (square + log_volume) - np.log(scaler.scale_).sum()
    np.testing.assert_allclose(model.score_samples(correlated), truth, atol=1e-8)


def test_outliers_have_no_say_with_a_robust_estimator(correlated):
    dirty = correlated.copy()
    dirty[:20] += 1000.0
    clean = Whitening(shrinkage=0.0).fit(correlated)
    robust = Whitening(covariance_estimator=MinCovDet(random_state=0)).fit(dirty)
    scale = clean.scale_
    np.testing.assert_allclose((robust.mean_ - clean.mean_) / scale, 0.0, atol=0.2)
    np.testing.assert_allclose(robust.scale_ / scale, 1.0, atol=0.2)


class Nothing(BaseEstimator):
    def fit(self, X, y=None):
        return self


def test_bad_estimators(correlated):
    with pytest.raises(ValueError, match="Nothing does not"):
        Whitening(covariance_estimator=Nothing()).fit(correlated)
    with pytest.raises(ValueError, match="set one of them"):
        Whitening(covariance_estimator=OAS(), shrinkage=0.1).fit(correlated)
    with pytest.raises(ValueError, match="OAS takes no sample_weight, so only integer"):
        Whitening(covariance_estimator=OAS()).fit(
            correlated, sample_weight=np.full(len(correlated), 0.5)
        )
    with pytest.raises(ValueError, match="'covariance_estimator' parameter"):
        Whitening(covariance_estimator="oas").fit(correlated)


def test_integer_weights_equal_repeated_rows(correlated):
    weight = np.random.default_rng(1).integers(0, 4, size=len(correlated))
    model = Whitening(covariance_estimator=OAS())
    weighted = model.fit(correlated, sample_weight=weight).score_samples(correlated)
    repeated = model.fit(np.repeat(correlated, weight, axis=0))
    np.testing.assert_allclose(weighted, repeated.score_samples(correlated))
