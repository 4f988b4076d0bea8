"""RationalQuadraticGaussianizer: its knots."""

import numpy as np
from scipy import stats

from destructors.marginal import RationalQuadraticGaussianizer


def test_normal_data_need_the_fewest_knots():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(1000, 1))
    model = RationalQuadraticGaussianizer().fit(x)
    assert len(model.knots_[0]) <= 4
    np.testing.assert_allclose(model.slopes_[0], 0.5, rtol=0.15)


def test_n_knots_is_kept():
    x = np.random.default_rng(0).gamma(2.0, size=(500, 1))
    model = RationalQuadraticGaussianizer(n_knots=9).fit(x)
    # One more relaxes the sharp edge at zero.
    assert len(model.knots_[0]) in (9, 10)
    assert (np.diff(model.knots_[0]) > 0).all()
    assert (np.diff(model.values_[0]) > 0).all()


def test_map_follows_the_quantiles():
    x = np.random.default_rng(0).gamma(2.0, size=(5000, 1))
    model = RationalQuadraticGaussianizer().fit(x)
    levels = np.linspace(0.02, 0.98, 25)
    quantiles = np.quantile(x, levels)[:, None]
    np.testing.assert_allclose(
        model.transform(quantiles)[:, 0], stats.norm.ppf(levels), atol=0.1
    )
