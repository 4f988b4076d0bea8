"""NormalCDF: the view on the unit cube."""

import numpy as np
import pytest
from scipy import stats

from destructors.base_distributions import Uniform
from destructors.compose import make_destructor_pipeline
from destructors.linear import Whitening
from destructors.marginal import NormalCDF, SplineGaussianizer


def test_density_is_the_standard_normal(X):
    truth = stats.norm.logpdf(X).sum(axis=1)
    np.testing.assert_allclose(NormalCDF().fit(X).score_samples(X), truth)


def test_density_of_a_chain_stays_and_its_latent_is_uniform():
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, size=(2000, 2)) @ [[1.0, 0.4], [0.0, 1.0]]
    layers = SplineGaussianizer(), Whitening()
    on_line = make_destructor_pipeline(*layers).fit(X)
    on_cube = make_destructor_pipeline(*layers, NormalCDF()).fit(X)
    assert isinstance(on_cube.base_distribution_, Uniform)
    np.testing.assert_allclose(
        on_cube.score_samples(X), on_line.score_samples(X), atol=1e-9
    )
    U = on_cube.transform(X)
    assert ((U > 0) & (U < 1)).all()
    assert stats.kstest(U[:, 0], "uniform").pvalue > 1e-3
    samples = on_cube.sample(500, random_state=0)
    assert stats.ks_2samp(samples[:, 0], X[:, 0]).pvalue > 1e-3


def test_what_stays_exact_in_the_tails():
    model = NormalCDF().fit(np.zeros((2, 1)))
    low = -np.linspace(0.0, 37.0, 200)[:, None]
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(low)), low, rtol=1e-9
    )
    high = np.linspace(0.0, 5.0, 200)[:, None]
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(high)), high, atol=1e-9
    )
    assert model.transform([[9.0]]) == 1.0
    assert model.inverse_transform([[1.0]])[0, 0] == pytest.approx(8.2, abs=0.1)
    far = np.array([[-30.0], [30.0], [1e3], [1e200]])
    scores = model.score_samples(far)
    np.testing.assert_allclose(scores[:3], stats.norm.logpdf(far[:3, 0]))
    assert np.isfinite(scores).all()


def test_faces_of_the_cube_come_back_finite():
    X, log_det = NormalCDF().fit(np.zeros((2, 2))).inverse_and_log_det([[0.0, 1.0]])
    assert np.isfinite(X).all()
    assert np.isfinite(log_det).all()


def test_rows_outside_the_cube_are_named(X):
    import pandas as pd

    model = NormalCDF().fit(pd.DataFrame(X, columns=["a", "b"]))
    with pytest.raises(ValueError, match=r"column\(s\) b have values outside \[0, 1\]"):
        model.inverse_transform([[0.5, 1.1]])
