"""Regressions among features, as a layer."""

import pickle
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import LinAlgWarning
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    Ridge,
    SGDRegressor,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import destructors
from destructors.autoregressive import RegressionDestructor
from destructors.compose import make_destructor_pipeline
from destructors.linear import Whitening
from destructors.maps import _autoregressive
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, Rows, stop_all, time_limit


def bent(n, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = np.sin(2.0 * x) + noise * rng.normal(size=n)
    return np.c_[x, y, rng.normal(size=n)]


def bent_log_density(X, noise=0.1):
    residual = X[:, 1] - np.sin(2.0 * X[:, 0])
    return (
        stats.norm.logpdf(X[:, 0])
        + stats.norm(scale=noise).logpdf(residual)
        + stats.norm.logpdf(X[:, 2])
    )


def test_linear_regressions_are_the_gaussian_density():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 3)) @ np.tril(rng.normal(size=(3, 3))).T
    X = X / X.std(axis=0)
    model = RegressionDestructor(LinearRegression(), min_r2=-1.0).fit(X)
    gaussian = stats.multivariate_normal(X.mean(axis=0), np.cov(X.T))
    first = stats.norm.logpdf(X[:, 0]) - stats.norm(*_moments(X[:, 0])).logpdf(X[:, 0])
    # The first feature is left alone; the others are conditional Gaussians.
    expected = gaussian.logpdf(X) + first
    assert abs(model.score(X) - expected.mean()) < 0.003


def _moments(x):
    return x.mean(), x.std()


def test_comes_close_to_a_known_density():
    model = RegressionDestructor(random_state=0).fit(bent(5000))
    X = bent(2000, seed=1)
    assert bent_log_density(X).mean() - model.score(X) < 0.25
    np.testing.assert_allclose(model.scale_, [1.0, 0.1, 1.0], rtol=0.15)


def test_features_that_others_do_not_predict_are_only_standardised():
    X = bent(3000)
    model = RegressionDestructor(random_state=0).fit(X)
    assert model.regressors_[0] is None
    assert model.regressors_[2] is None
    assert model.r2_[1] > 0.9
    assert model.r2_[2] < 0.05
    Z = model.transform(X)
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(Z[:, [0, 2]], expected[:, [0, 2]], atol=1e-12)


def test_stack_sees_rows_as_new_rows_look():
    # A regressor that learns its rows by heart leaves no residual on them.
    X, X_new = bent(1000), bent(1000, seed=1)
    model = RegressionDestructor(KNeighborsRegressor(1), random_state=0)
    honest = model._fit_rows(Fold(Rows.of(X)), onwards=True).train.values
    own, new = model.transform(X), model.transform(X_new)
    assert np.abs(own[:, 1]).max() < 1e-3
    assert abs(honest[:, 1].std() / new[:, 1].std() - 1.0) < 0.2


def test_layers_behind_gain_from_it():
    X, X_test = bent(4000), bent(2000, seed=1)
    plain = make_destructor_pipeline(SplineGaussianizer(), Whitening())
    behind = make_destructor_pipeline(
        RegressionDestructor(random_state=0), SplineGaussianizer(), Whitening()
    )
    assert behind.fit(X).score(X_test) > plain.fit(X).score(X_test) + 1.0


def test_order_is_given_or_found():
    X = bent(2000)[:, [1, 2, 0]]
    given = RegressionDestructor(order=[2, 1, 0], random_state=0).fit(X)
    np.testing.assert_array_equal(given.order_, [2, 1, 0])
    assert given.regressors_[0] is not None
    assert given.regressors_[2] is None
    found = RegressionDestructor(order="auto", random_state=0).fit(X)
    # The sine is told by x, but x not by its sine: the sine comes last.
    assert found.order_[-1] == 0
    natural = RegressionDestructor(random_state=0).fit(X)
    assert found.score(X) > natural.score(X) + 0.5


def test_order_is_found_for_the_rows_that_weigh():
    # In rows that hardly weigh nothing tells the second feature, and it is large.
    rng = np.random.default_rng(1)
    X = np.r_[bent(1000), rng.normal(size=(1000, 3)) * [1.0, 5.0, 1.0]]
    model = RegressionDestructor(order="auto", random_state=0)
    model.fit(X, sample_weight=np.repeat([1000.0, 1.0], 1000))
    np.testing.assert_array_equal(model.order_, [2, 0, 1])


def test_scale_may_vary_where_that_helps():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=6000)
    X = np.c_[x, x**2 + np.exp(x) * rng.normal(size=6000)]
    train, test = X[:4000], X[4000:]
    constant = RegressionDestructor(random_state=0).fit(train)
    varying = RegressionDestructor(heteroscedastic=True, random_state=0).fit(train)
    assert varying.score(test) > constant.score(test) + 0.3
    np.testing.assert_allclose(
        varying.inverse_transform(varying.transform(test)), test, atol=1e-10
    )


def test_scale_stays_constant_where_it_is():
    X = bent(4000)
    constant = RegressionDestructor(random_state=0).fit(X)
    varying = RegressionDestructor(heteroscedastic=True, random_state=0).fit(X)
    assert varying.score(bent(2000, 1)) > constant.score(bent(2000, 1)) - 0.03


@pytest.mark.parametrize(
    "regressor",
    [
        Ridge(),
        RandomForestRegressor(20, min_samples_leaf=5),
        KNeighborsRegressor(20),
    ],
    ids=lambda regressor: type(regressor).__name__,
)
def test_any_regressor_serves(regressor):
    X = bent(1500)
    model = RegressionDestructor(regressor, random_state=0).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X)
    assert np.isfinite(model.score_samples(X * 100)).all()


def test_weights_need_a_regressor_that_takes_them():
    X = bent(300)
    weight = np.random.default_rng(0).integers(1, 4, size=300)
    model = RegressionDestructor(KNeighborsRegressor(), random_state=0)
    with pytest.raises(ValueError, match="KNeighborsRegressor does not take"):
        model.fit(X, sample_weight=weight)


def test_two_threads_give_the_same_as_one():
    X = bent(1000)
    one = RegressionDestructor(random_state=0).fit(X)
    two = RegressionDestructor(random_state=0, n_jobs=2).fit(X)
    np.testing.assert_array_equal(one.score_samples(X), two.score_samples(X))


def test_exact_relations_and_constants_stay_finite():
    x = np.random.default_rng(0).normal(size=500)
    X = np.c_[x, 2.0 * x, np.full(500, 3.0)]
    model = RegressionDestructor(LinearRegression(), random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X * [1.0, 1.1, 2.0])).all()
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X)


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [1, 2, 3]])
def test_an_order_that_is_none_is_an_error(order):
    with pytest.raises(ValueError, match="order must hold each of the 3 features"):
        RegressionDestructor(order=order).fit(bent(50))


# ---------------------------------------------------------------- what is learned


@pytest.fixture(params=["compiled", "vectorised"])
def path(request, monkeypatch):
    """Both ways to go down trees."""
    if request.param == "vectorised":
        plain = _autoregressive._add_trees_vectorised
        monkeypatch.setattr(_autoregressive, "_add_trees", plain)


PLAIN = [
    None,
    HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=None, max_depth=5),
    HistGradientBoostingRegressor(loss="absolute_error", max_iter=10),
    HistGradientBoostingRegressor(loss="quantile", quantile=0.7, max_iter=10),
    LinearRegression(),
    Ridge(fit_intercept=False),
    Lasso(0.01),
    ElasticNet(0.01),
    HuberRegressor(),
    BayesianRidge(),
    SGDRegressor(),
]


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("regressor", PLAIN, ids=str)
def test_map_predicts_as_the_regressors_do(regressor, tmp_path):
    X, X_new = bent(600), 3.0 * bent(500, seed=1)
    model = RegressionDestructor(
        regressor, min_r2=-1.0, heteroscedastic=True, random_state=0
    ).fit(X)
    to_units, regressions = model.map_.maps
    seen = to_units.forward(X_new)[0].astype(np.float32).astype(np.float64)
    for j in (1, 2):
        np.testing.assert_array_equal(
            regressions.means[j].predict(seen[:, :j]),
            model.regressors_[j].predict(seen[:, :j]),
        )
    # It is plain data: a file gives the same bits.
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    assert density.map == model.map_
    np.testing.assert_array_equal(density.logpdf(X_new), model.score_samples(X_new))


class Doubled(LinearRegression):
    """A linear model of one's own that predicts in its own way."""

    def predict(self, X):
        return 2.0 * super().predict(X)


def test_a_subclass_is_asked_itself():
    X = bent(300)
    model = RegressionDestructor(Doubled(), min_r2=-99.0, random_state=0).fit(X)
    np.testing.assert_array_equal(
        model.map_.maps[1].means[2].predict(X[:, :2]),
        model.regressors_[2].predict(X[:, :2]),
    )


def test_sharp_thresholds_and_ties_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 4, size=(800, 3)).astype(float)
    X[:, 2] += X[:, 0] * X[:, 1]
    model = RegressionDestructor(min_r2=-1.0, random_state=0).fit(X)
    grid = np.stack(np.meshgrid(np.arange(-4, 5), np.arange(-4, 5)), -1).reshape(-1, 2)
    grid = np.r_[grid, grid + 0.5].astype(float)
    np.testing.assert_array_equal(
        model.map_.maps[1].means[2].predict(grid), model.regressors_[2].predict(grid)
    )


@pytest.mark.parametrize(
    "regressor",
    [
        KNeighborsRegressor(20),
        TransformedTargetRegressor(LinearRegression()),
        make_pipeline(StandardScaler(), LinearRegression()),
    ],
    ids=lambda regressor: type(regressor).__name__,
)
def test_any_other_regressor_pickles_but_is_not_saved(regressor, tmp_path):
    X = np.abs(bent(300))
    model = RegressionDestructor(regressor, min_r2=-9.0, random_state=0).fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    # Nothing is known of its content: only the same object is equal.
    assert model.map_ == replace(model.map_)
    assert hash(model.map_) == hash(replace(model.map_))
    assert again.map_ != model.map_
    with pytest.raises(TypeError, match=f"{type(regressor).__name__}.*cannot be saved"):
        destructors.save(model, tmp_path / "model.npz")


def test_features_not_begun_are_left_alone_when_time_is_up():
    with time_limit(None):
        stop_all()
        model = RegressionDestructor(order="auto", random_state=0).fit(bent(500))
    assert model.regressors_ == [None, None, None]
    X = bent(500)
    expected = (bent(50) - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(model.transform(bent(50)), expected, rtol=1e-9)


@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_units_and_shifts_of_the_features_do_not_matter(heteroscedastic):
    X, new = bent(300), bent(100, seed=1)
    model = RegressionDestructor(heteroscedastic=heteroscedastic, random_state=0)
    expected = model.fit(X).score_samples(new)
    # By powers of two the rows keep their digits, and so their folds.
    scale = np.array([1024.0, 2.0**-30, 2.0**500])
    found = model.fit(X * scale).score_samples(new * scale)
    np.testing.assert_allclose(found + np.log(scale).sum(), expected, atol=1e-6)


def test_a_row_far_out_does_not_hide_a_relation():
    X, new = bent(1000), bent(500, seed=1)
    clean = RegressionDestructor(random_state=0).fit(X)
    X[0] = [1e7, -1e9, 1e12]
    model = RegressionDestructor(random_state=0).fit(X)
    assert (model.r2_[1:] > clean.r2_[1:] - 0.1).all()
    assert model.score(new) > clean.score(new) - 0.1
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-6, atol=1e-6 * np.abs(X).max())


def test_rows_of_next_to_no_weight_are_predicted_or_take_the_mean():
    X, weight = bent(60), np.full(60, 1e-100)
    weight[:2] = 1.0
    model = RegressionDestructor(min_r2=-1.0, random_state=0)
    scores = model.fit(X, sample_weight=weight).score_samples(X)
    assert np.isfinite(scores).all()
    assert (model.fit(X, sample_weight=weight).score_samples(X) == scores).all()


class SlowRidge(Ridge):
    """Takes its time, the more columns the longer, before it warns."""

    def fit(self, X, y, sample_weight=None):
        time.sleep(0.02 * X.shape[1])
        warnings.warn("ill-conditioned", LinAlgWarning, stacklevel=2)
        return super().fit(X, y, sample_weight)


def test_nearly_collinear_columns_are_no_news_in_any_thread():
    """Filters of warnings are common to threads: one that ends must not lift them."""
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = RegressionDestructor(SlowRidge(), min_r2=-1.0, n_folds=2, n_jobs=4)
    assert np.isfinite(model.fit(X).score(X))
