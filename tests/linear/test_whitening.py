"""Whitening: as a density, a Gaussian with full covariance."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from destructors.linear import Whitening
from destructors.linear._whitening import principal_axes

METHODS = ["pca", "zca", "cholesky"]


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def X():
    """Correlated rows, in units that differ."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    units, shift = [1.0, 10.0, 0.1, 1.0], [5.0, 0.0, 1.0, 9.0]
    return rng.normal(size=(300, 4)) @ mix * units + shift


# ---------------------------------------------------------------- the density


def test_density_is_the_gaussian_of_largest_likelihood(method, X):
    gaussian = stats.multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True))
    model = Whitening(method=method, shrinkage=0.0).fit(X)
    X_test = X[::-1] * 1.5
    np.testing.assert_allclose(model.score_samples(X_test), gaussian.logpdf(X_test))


def test_weighted_density_is_that_of_the_weighted_moments(method, X):
    weight = np.random.default_rng(1).uniform(0.5, 3.0, size=len(X))
    covariance = np.cov(X.T, aweights=weight, bias=True)
    gaussian = stats.multivariate_normal(
        np.average(X, axis=0, weights=weight), covariance
    )
    model = Whitening(method=method, shrinkage=0.0).fit(X, sample_weight=weight)
    np.testing.assert_allclose(model.score_samples(X), gaussian.logpdf(X))


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_shrinkage_pulls_correlations_to_zero(method, X, shrinkage):
    sd = X.std(axis=0)
    correlation = np.corrcoef(X.T) * (1 - shrinkage)
    np.fill_diagonal(correlation, 1.0)
    gaussian = stats.multivariate_normal(
        X.mean(axis=0), correlation * np.multiply.outer(sd, sd)
    )
    model = Whitening(method=method, shrinkage=shrinkage).fit(X)
    assert model.shrinkage_ == shrinkage
    np.testing.assert_allclose(model.score_samples(X), gaussian.logpdf(X))


def test_auto_shrinkage_is_that_of_schaefer_and_strimmer(X):
    # Their formula, in sums over pairs and rows.
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    n, d = X.shape
    variance = squares = 0.0
    for i in range(d):
        for j in range(d):
            if i != j:
                products = scaled[:, i] * scaled[:, j]
                variance += products.var() / (n - 1)
                squares += products.mean() ** 2
    assert Whitening().fit(X).shrinkage_ == pytest.approx(variance / squares)


def test_auto_shrinkage_helps_with_few_rows_and_goes_with_many():
    rng = np.random.default_rng(0)
    mix = np.eye(10) + 0.3 * rng.normal(size=(10, 10))
    few, many, test = (rng.normal(size=(n, 10)) @ mix for n in (15, 50_000, 5000))
    assert Whitening().fit(few).score(test) > Whitening(shrinkage=0.0).fit(few).score(
        test
    )
    assert Whitening().fit(many).shrinkage_ < 0.01


def test_method_does_not_change_the_density(X):
    scores = [Whitening(method=method).fit(X).score_samples(X) for method in METHODS]
    np.testing.assert_allclose(scores[1], scores[0])
    np.testing.assert_allclose(scores[2], scores[0])


# ---------------------------------------------------------------- the map


def test_latent_has_unit_covariance(method, X):
    Z = Whitening(method=method, shrinkage=0.0).fit_transform(X)
    np.testing.assert_allclose(Z.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.cov(Z.T, bias=True), np.eye(4), atol=1e-9)


def test_pca_gives_principal_components_largest_first(X):
    model = Whitening(method="pca", shrinkage=0.0).fit(X)
    # Rows of W are orthogonal, and shorter the larger the variance they belong to.
    gram = model.components_ @ model.components_.T
    lengths = np.diag(gram)
    np.testing.assert_allclose(gram, np.diag(lengths), atol=1e-9)
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(X.T))[::-1]
    np.testing.assert_allclose(1 / lengths, eigenvalues)


def test_zca_is_symmetric_and_positive_in_scaled_units(X):
    W = Whitening(method="zca").fit(X).components_
    np.testing.assert_allclose(W, W.T, atol=1e-12)
    assert (np.linalg.eigvalsh(W) > 0).all()


def test_zca_stays_closest_to_the_scaled_features(X):
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    distance = {
        method: np.square(
            Whitening(method=method, shrinkage=0.0).fit_transform(X) - scaled
        ).sum()
        for method in METHODS
    }
    assert min(distance, key=distance.get) == "zca"


def test_cholesky_makes_each_output_depend_on_features_up_to_its_own(X):
    model = Whitening(method="cholesky").fit(X)
    np.testing.assert_array_equal(model.components_, np.tril(model.components_))
    changed = X.copy()
    changed[:, 2] += 1.0
    difference = np.abs(model.transform(changed) - model.transform(X)).max(axis=0)
    assert (difference[:2] == 0).all()
    assert (difference[2:] > 0).all()


def test_units_do_not_matter(method, X):
    units = np.array([1e-12, 1.0, 1e12, 1e-150])
    model = Whitening(method=method).fit(X)
    scaled = Whitening(method=method).fit(X * units)
    np.testing.assert_allclose(
        scaled.transform(X * units), model.transform(X), atol=1e-7
    )
    np.testing.assert_allclose(
        scaled.score_samples(X * units),
        model.score_samples(X) - np.log(units).sum(),
        atol=1e-7,
    )


def test_integer_weights_equal_repeated_rows(method, X):
    weight = np.random.default_rng(1).integers(1, 4, size=len(X))
    weighted = Whitening(method=method).fit(X, sample_weight=weight)
    repeated = Whitening(method=method).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-9)


# ---------------------------------------------------------------- odd data


def test_fewer_rows_than_columns(method):
    X = np.random.default_rng(0).normal(size=(8, 20))
    model = Whitening(method=method).fit(X)
    X_test = np.random.default_rng(1).normal(size=(50, 20))
    assert np.isfinite(model.score(X_test))
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X_test)), X_test, atol=1e-8
    )


def test_collinear_columns_are_named_and_regularised(method, X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["twice_b"] = 2 * frame["b"]
    with pytest.warns(UserWarning, match=r"columns b, twice_b\)") as caught:
        model = Whitening(method=method, shrinkage=0.0).fit(frame)
    assert len(caught) == 1
    assert "1 direction" in str(caught[0].message)
    Z, log_det = model.transform_and_log_det(frame)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(model.inverse_transform(Z), frame, rtol=1e-6, atol=1e-9)


def test_collinear_columns_by_number(X):
    table = np.c_[X, X[:, 0] - X[:, 1]]
    with pytest.warns(UserWarning, match=r"columns 0, 1, 4\)"):
        Whitening(shrinkage=0.0).fit(table)


@pytest.mark.parametrize("shrinkage", [0.01, "auto"])
def test_shrinkage_hides_no_collinear_columns(X, shrinkage):
    table = np.c_[X, 2.0 * X[:, 0]]
    model = Whitening(shrinkage=shrinkage)
    with pytest.warns(UserWarning, match=rf"columns 0, {X.shape[1]}\)"):
        model.fit(table)
    assert np.isfinite(model.score(table))


@pytest.mark.parametrize(
    "params",
    [
        {"shrinkage": 0.0},
        {"shrinkage": 0.01},
        {},
        {"covariance_estimator": LedoitWolf()},
    ],
    ids=["none", "some", "auto", "estimator"],
)
@pytest.mark.filterwarnings("ignore::destructors.exceptions.DataWarning")
def test_no_axis_is_rounding_alone(method, X, params):
    # A layer after it would learn the rounding as if it were data.
    table = np.c_[X, X[:, 0], X[:, 0] / 2 + X[:, 1] / 4]
    Z = Whitening(method=method, **params).fit_transform(table)
    assert Z.std(axis=0).min() > 1e-6
    # But for a constant, which stays by itself.
    Z = Whitening(method=method, **params).fit_transform(np.c_[table, np.ones(300)])
    assert np.sort(Z.std(axis=0))[1] > 1e-6


def test_rounding_turns_no_axis_of_columns_that_repeat_each_other():
    """Both entries of such an axis are as large: neither may be found the larger."""
    correlation = np.array([[1.0, -1.0, 0.3], [-1.0, 1.0, -0.3], [0.3, -0.3, 1.0]])
    _, axes = principal_axes(correlation)
    for seed in range(20):
        noise = 1e-16 * np.random.default_rng(seed).integers(-1, 2, (3, 3))
        _, again = principal_axes(correlation + noise + noise.T)
        np.testing.assert_allclose(again, axes, atol=1e-9)


def test_few_rows_are_no_reason_to_warn(X):
    model = Whitening().fit(X[: X.shape[1]])
    assert np.isfinite(model.score(X))


@pytest.mark.parametrize("value", [0.0, 7.3, -1e9])
def test_constant_column_is_centred_only(method, X, value):
    table = np.c_[X, np.full(len(X), value)]
    model = Whitening(method=method).fit(table)
    Z, log_det = model.transform_and_log_det(table)
    assert model.scale_[-1] == 1.0
    np.testing.assert_allclose(Z.std(axis=0).min(), 0.0, atol=1e-6)
    without = Whitening(method=method).fit(X).transform_and_log_det(X)[1]
    np.testing.assert_allclose(log_det, without, atol=1e-6)
    np.testing.assert_allclose(model.inverse_transform(Z), table, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["pca", "zca", "cholesky"])
@pytest.mark.filterwarnings("ignore::destructors.exceptions.DataWarning")
def test_volume_of_a_regularised_direction_has_all_its_digits(method, X):
    # The least eigenvalue is 1e-10 of the largest, and not that and a rounding of one.
    scale, shift = np.array([3.7, 0.013, 91.0, 1.9, 0.3]), np.arange(5.0)
    binary = X[:, 2] > np.median(X[:, 2])
    table = np.c_[X[:, :2], binary, X[:, 3], 0.58 * binary]
    model = Whitening(method=method, shrinkage=0.0)
    scores = clone(model).fit(table).score_samples(table)
    moved = (table + shift) * scale
    expected = scores - np.log(scale).sum()
    np.testing.assert_allclose(model.fit(moved).score_samples(moved), expected, 1e-8)


def test_one_column_is_the_z_score():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(50, 1))
    np.testing.assert_allclose(
        Whitening().fit_transform(x), (x - x.mean()) / x.std(), atol=1e-12
    )


# ---------------------------------------------------------------- real data


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine])
def test_as_good_on_held_out_rows_as_a_shrunk_gaussian(load):
    X = np.random.default_rng(0).permutation(load().data)
    train, test = X[::2], X[1::2]
    mean, sd = train.mean(axis=0), train.std(axis=0)
    # Another shrinkage of the same correlations: neither should be far off.
    peer = LedoitWolf(assume_centered=True).fit((train - mean) / sd)
    gaussian = stats.multivariate_normal(cov=peer.covariance_)
    baseline = gaussian.logpdf((test - mean) / sd).mean() - np.log(sd).sum()
    model = Whitening().fit(train)
    assert model.score(test) > baseline - 1.0
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(test)), test, rtol=1e-8, atol=1e-9
    )


@pytest.mark.parametrize("method", ["pca", "zca", "cholesky"])
@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.filterwarnings("ignore::destructors.exceptions.DataWarning")
def test_constants_are_left_to_the_last_bit(method, repeated):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    X[:, 1] = 3.0
    # Where a column repeats another, the axis that they leave is regularised.
    X = np.c_[X, X[:, 0]] if repeated else X
    model = Whitening(method=method, shrinkage=0.0).fit(X)
    Z, varies = model.transform(X), np.arange(X.shape[1]) != 1
    assert (Z[:, 1] == 0.0).all()
    np.testing.assert_array_equal(model.components_[1], ~varies)
    alone = clone(model).fit_transform(X[:, varies])
    np.testing.assert_array_equal(Z[:, varies], alone)
    np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-8)
