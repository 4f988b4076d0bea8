"""SplineGaussianizer: near the truth where it is known, sane where data are odd."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from destructors.marginal import SplineGaussianizer


class TwoModes:
    """Equal mixture of N(-3, 1) and N(3, 1), in the manner of scipy.stats."""

    def rvs(self, size, random_state):
        signs = random_state.choice([-3.0, 3.0], size=size)
        return signs + random_state.normal(size=size)

    def logpdf(self, x):
        left, right = stats.norm.logpdf(x, -3.0), stats.norm.logpdf(x, 3.0)
        return np.logaddexp(left, right) - np.log(2.0)


DENSITIES = {
    "student": stats.t(3),
    "gamma": stats.gamma(2.0),
    "beta": stats.beta(2.0, 5.0),
    "two-modes": TwoModes(),
    "uniform": stats.uniform(),
}


def losses(density, n_samples, n_features, seeds, **params):
    """Nats per feature by which the fitted density is worse than the true one."""
    result = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        X = density.rvs(size=(n_samples, n_features), random_state=rng)
        X_test = density.rvs(size=(20_000, n_features), random_state=rng)
        model = SplineGaussianizer(**params).fit(X)
        truth = density.logpdf(X_test).sum(axis=1).mean()
        result.append((truth - model.score(X_test)) / n_features)
    return np.array(result)


# ---------------------------------------------------------------- known densities


def test_normal_data_cost_next_to_nothing():
    loss = losses(stats.norm(), n_samples=1000, n_features=5, seeds=range(10))
    assert loss.mean() < 0.005
    assert loss.max() < 0.01


@pytest.mark.parametrize("name", DENSITIES)
def test_close_to_a_known_density(name):
    loss = losses(DENSITIES[name], n_samples=2000, n_features=2, seeds=range(4))
    assert loss.mean() < 0.03


@pytest.mark.parametrize("name", DENSITIES)
def test_more_rows_bring_it_closer(name):
    few = losses(DENSITIES[name], n_samples=200, n_features=2, seeds=range(4))
    many = losses(DENSITIES[name], n_samples=10_000, n_features=2, seeds=range(4))
    assert many.mean() < 0.5 * few.mean()


def test_map_of_normal_data_is_the_z_score():
    x = np.random.default_rng(0).normal(10.0, 3.0, size=(20_000, 1))
    grid = np.linspace(4.0, 16.0, 50)[:, None]
    Z = SplineGaussianizer().fit(x).transform(grid)
    np.testing.assert_allclose(Z, (grid - 10.0) / 3.0, atol=0.1)


# ---------------------------------------------------------------- the map


@pytest.mark.parametrize(
    "X",
    [
        np.random.default_rng(0).standard_cauchy(size=(500, 1)),
        np.random.default_rng(1).exponential(size=(500, 1)),
        np.random.default_rng(2).integers(0, 5, size=(500, 1)).astype(float),
        np.r_[np.random.default_rng(3).normal(size=500), 1e12][:, None],
        np.array([[0.0], [1.0]]),
    ],
    ids=["cauchy", "exponential", "integers", "outlier", "two-rows"],
)
def test_strictly_increasing_and_inverted_everywhere(X):
    model = SplineGaussianizer().fit(X)
    low, high = X.min(), X.max()
    middle = np.quantile(X, [0.05, 0.95])
    far = (high - low) * np.logspace(0, 8, 30)
    grid = np.unique(
        np.r_[
            low - far,
            np.linspace(low, high, 2000),
            np.linspace(*middle, 500),
            high + far,
        ]
    )[:, None]
    Z, log_det = model.transform_and_log_det(grid)
    assert np.isfinite(log_det).all()
    assert (np.diff(Z[:, 0]) > 0).all()
    X_back, inverse_log_det = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(X_back, grid, rtol=1e-6, atol=1e-9 * (high - low))
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-5)


def test_density_falls_off_outside_the_data():
    X = np.random.default_rng(0).uniform(size=(1000, 1))
    outside = 1.0 + np.logspace(-3, 100, 200)[:, None]
    model = SplineGaussianizer().fit(X)
    for log_density in (model.score_samples(outside), model.score_samples(1 - outside)):
        assert np.isfinite(log_density).all()
        assert (np.diff(log_density) < 0).all()


def test_density_is_continuous():
    X = np.random.default_rng(0).gamma(2.0, size=(1000, 1))
    model = SplineGaussianizer().fit(X)
    for knot in model.knots_[0]:
        both_sides = np.array([[knot - 1e-9], [knot + 1e-9]])
        left, right = model.score_samples(both_sides)
        assert abs(left - right) < 1e-6


def test_a_row_just_outside_a_sharp_edge_is_rare_not_absurd():
    X = np.random.default_rng(0).uniform(size=(2000, 1))
    model = SplineGaussianizer().fit(X)
    assert -20 < model.score_samples([[1.02]])[0] < -1


def test_attributes_describe_the_map():
    X = np.random.default_rng(0).gamma(2.0, size=(500, 3))
    model = SplineGaussianizer().fit(X)
    for j in range(3):
        at_knots = np.tile(X[:1], (len(model.knots_[j]), 1))
        at_knots[:, j] = model.knots_[j]
        np.testing.assert_allclose(model.transform(at_knots)[:, j], model.values_[j])
        assert (np.diff(model.knots_[j]) > 0).all()
        assert (model.slopes_[j] > 0).all()


# ---------------------------------------------------------------- odd columns


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-12, 3e12])
def test_constant_column_is_shifted_to_zero(value):
    X = np.full((20, 1), value)
    model = SplineGaussianizer().fit(X)
    Z, log_det = model.transform_and_log_det(X)
    np.testing.assert_array_equal(Z, 0.0)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-12)
    np.testing.assert_allclose(model.transform([[value + 1.0]]), 1.0)


def test_range_that_float64_can_not_resolve_counts_as_constant():
    X = np.random.default_rng(0).normal(size=(100, 1)) * 1e-310
    Z, log_det = SplineGaussianizer().fit(X).transform_and_log_det(X)
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(log_det, 0.0)


@pytest.mark.parametrize("high", [1.1, 0.1 + 1e-12, np.nextafter(0.1, 1.0)])
def test_two_distinct_values(high):
    x = np.repeat([0.1, high], [300, 100])
    model = SplineGaussianizer().fit(x[:, None])
    Z, log_det = model.transform_and_log_det(x[:, None])
    assert np.isfinite(log_det).all()
    assert -3 < Z[0, 0] < Z[-1, 0] < 3
    np.testing.assert_allclose(model.inverse_transform(Z)[:, 0], x, rtol=1e-15)


def test_two_distant_values_lie_about_zero():
    x = np.repeat([0.0, 1.0], [300, 100])
    Z = SplineGaussianizer().fit(x[:, None]).transform(x[:, None])
    assert Z[0, 0] < 0 < Z[-1, 0]


def test_neighbouring_floats():
    rng = np.random.default_rng(0)
    x = 1e9 + np.spacing(1e9) * rng.integers(0, 30, size=(500, 1))
    model = SplineGaussianizer().fit(x)
    Z, log_det = model.transform_and_log_det(x)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_array_equal(model.inverse_transform(Z), x)


def test_zero_inflated_column():
    rng = np.random.default_rng(0)
    x = np.where(rng.random((5000, 1)) < 0.9, 0.0, rng.exponential(size=(5000, 1)))
    model = SplineGaussianizer().fit(x)
    Z = model.transform(x)
    assert np.isfinite(model.score_samples(x)).all()
    np.testing.assert_allclose(model.inverse_transform(Z), x, atol=1e-12)
    # All zeros are one latent point; likelihood, not rank, decides where it lies.
    assert (Z[x > 0] > Z[x == 0].max()).all()
    at_zero, at_one = model.score_samples([[0.0], [1.0]])
    assert at_zero > at_one + 3


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_values_apart_by_rounding_are_one_value(sign):
    rng = np.random.default_rng(0)
    tied = np.repeat([5.0, 5.0 + 1e-13], 300)
    model = SplineGaussianizer().fit(sign * np.r_[rng.normal(size=500), tied][:, None])
    # Half of the rows within a millionth of the spread: no density above that allows.
    assert np.diff(model.knots_[0]).min() > 1e-6
    assert model.score_samples([[sign * 5.0]])[0] < np.log(1e7)


@pytest.mark.parametrize("outlier", [1e3, 1e6, 1e12])
def test_outlier_leaves_the_other_rows_a_density(outlier):
    X = np.random.default_rng(0).normal(size=(1000, 1))
    X_test = np.random.default_rng(1).normal(size=(5000, 1))
    spoilt = SplineGaussianizer().fit(np.r_[X, [[outlier]]])
    clean = SplineGaussianizer().fit(X)
    assert clean.score(X_test) - spoilt.score(X_test) < 0.5
    # Few knots, if any, are taken from the others to the void before it.
    kept = np.sum(spoilt.knots_[0] <= X.max())
    assert kept > 0.8 * np.sum(clean.knots_[0] <= X.max())


def test_voids_beyond_which_squares_of_slopes_are_zero_are_crossed():
    x = 1e-12 * np.random.default_rng(0).normal(size=150)
    x[1:75], x[0] = 0.0, 1e290
    Z = SplineGaussianizer().fit_transform(x[:, None])
    assert np.isfinite(Z).all()
    assert (np.diff(Z[np.argsort(x), 0]) >= 0.0).all()


@pytest.mark.parametrize("outlier", [1e6, 1e9, 1e12])
def test_outlier_is_inverted(outlier):
    X = np.random.default_rng(0).normal(size=(1000, 1))
    # Its double: close, when seen from afar.
    X = np.r_[X, [[outlier], [outlier + 1.0], [2 * outlier]]]
    model = SplineGaussianizer().fit(X)
    Z, log_det = model.transform_and_log_det(X)
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(model.inverse_transform(Z), X, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("unit", [1e-200, 1e-12, 1e12, 1e200])
def test_units_do_not_matter(unit):
    X = np.random.default_rng(0).gamma(2.0, size=(500, 2))
    Z, log_det = SplineGaussianizer().fit(X).transform_and_log_det(X)
    model = SplineGaussianizer().fit(X * unit)
    Z_unit, log_det_unit = model.transform_and_log_det(X * unit)
    np.testing.assert_allclose(Z_unit, Z, atol=1e-8)
    np.testing.assert_allclose(log_det_unit, log_det - 2 * np.log(unit), atol=1e-8)
    np.testing.assert_allclose(model.inverse_transform(Z), X * unit, rtol=1e-6)


def test_shift_does_not_matter():
    X = np.random.default_rng(0).gamma(2.0, size=(500, 1))
    Z = SplineGaussianizer().fit(X).transform(X)
    shifted = SplineGaussianizer().fit(X + 1000.0).transform(X + 1000.0)
    np.testing.assert_allclose(shifted, Z, atol=1e-8)


def test_reflection_only_flips_the_sign():
    X = np.random.default_rng(0).gamma(2.0, size=(2000, 1))
    grid = np.quantile(X, np.linspace(0.05, 0.95, 20))[:, None]
    Z = SplineGaussianizer().fit(X).transform(grid)
    np.testing.assert_allclose(
        SplineGaussianizer().fit(-X).transform(-grid), -Z, atol=0.05
    )


# ---------------------------------------------------------------- parameters


def test_integer_weights_equal_repeated_rows():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(700, 2)), rng.integers(1, 4, size=700)
    weighted = SplineGaussianizer().fit(X, sample_weight=weight)
    repeated = SplineGaussianizer().fit(np.repeat(X, weight, axis=0))
    for j in range(2):
        np.testing.assert_allclose(weighted.knots_[j], repeated.knots_[j])
        np.testing.assert_allclose(weighted.slopes_[j], repeated.slopes_[j], rtol=1e-8)


def test_n_knots_is_the_number_of_knots_at_most():
    X = np.random.default_rng(0).normal(size=(2000, 1))
    # An end that is steep has one more knot, outside of the data.
    for model in (SplineGaussianizer(n_knots=6), SplineGaussianizer(n_knots=20)):
        [knots] = model.fit(X).knots_
        assert ((X.min() <= knots) & (knots <= X.max())).sum() == model.n_knots
        assert len(knots) <= model.n_knots + 2
    assert len(SplineGaussianizer(n_knots=40).fit(X[:10]).knots_[0]) <= 12


def test_two_knots_give_nearly_an_affine_map():
    X = np.random.default_rng(0).normal(2.0, 3.0, size=(5000, 1))
    model = SplineGaussianizer(n_knots=2).fit(X)
    np.testing.assert_allclose(model.slopes_[0], 1 / 3, rtol=0.1)


def test_knots_come_with_rows():
    X = np.random.default_rng(0).normal(size=(20_000, 1))
    n_knots = [
        len(SplineGaussianizer().fit(X[:n]).knots_[0]) for n in (20, 500, 20_000)
    ]
    assert n_knots == sorted(set(n_knots))


def test_alpha_goes_from_stiff_to_supple():
    X = TwoModes().rvs((1000, 1), np.random.default_rng(0))
    X_train_scores = [
        SplineGaussianizer(alpha=alpha).fit(X).score(X) for alpha in (1e3, 1.0, 1e-2)
    ]
    assert X_train_scores == sorted(X_train_scores)
    # A stiff spline has a log-slope linear in the knots: it sees one mode only.
    stiff = SplineGaussianizer(alpha=1e6).fit(X)
    between, at_mode = stiff.score_samples([[0.0], [3.0]])
    assert between > at_mode


def test_auto_alpha_is_close_to_the_best_fixed_one():
    for density in DENSITIES.values():
        auto = losses(density, 1000, 1, range(4)).mean()
        fixed = [
            losses(density, 1000, 1, range(4), alpha=alpha).mean()
            for alpha in (10.0, 1e-1, 1e-3)
        ]
        assert auto < min(fixed) + 0.01


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_n_jobs_does_not_change_the_result(n_jobs):
    # More rows than a block holds, so that transform runs side by side too.
    X = np.random.default_rng(0).normal(size=(50_000, 4))
    one, more = SplineGaussianizer().fit(X), SplineGaussianizer(n_jobs=n_jobs).fit(X)
    for a, b in zip(
        one.transform_and_log_det(X), more.transform_and_log_det(X), strict=True
    ):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- real data


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine])
def test_real_columns_become_normal(load):
    X = load().data
    # Columns of repeated values cannot become normal: no map parts equal values.
    X = X[:, [len(np.unique(column)) > 0.5 * len(X) for column in X.T]]
    model = SplineGaussianizer().fit(X)
    Z = model.transform(X)
    for column in Z.T:
        # Parameters were fitted, so the test is conservative: a real misfit fails.
        assert stats.kstest(column, "norm").pvalue > 0.05
    np.testing.assert_allclose(model.inverse_transform(Z), X, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine])
def test_real_columns_score_above_a_gaussian_on_held_out_rows(load):
    X = np.random.default_rng(0).permutation(load().data)
    train, test = X[::2], X[1::2]
    gaussian = stats.norm(train.mean(axis=0), train.std(axis=0))
    baseline = gaussian.logpdf(test).sum(axis=1).mean()
    assert SplineGaussianizer().fit(train).score(test) > baseline


# ---------------------------------------------------------------- without numba

WITHOUT_NUMBA = """
    import sys, warnings
    sys.modules["numba"] = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import numpy as np
        import destructors.compose, destructors.flows, destructors.marginal
        from destructors.marginal import SplineGaussianizer
        X = np.random.RandomState(0).gamma(2.0, size=(300, 2))
        model = SplineGaussianizer().fit(X)
        Z, log_det = model.transform_and_log_det(X)
        assert np.allclose(model.inverse_transform(Z), X)
    told = [str(w.message) for w in caught if "numba" in str(w.message)]
    assert len(told) == 1, told
    assert "pip install numba" in told[0]
    print(repr(float(model.score(X))))
"""


def test_works_without_numba_and_says_so_once():
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_NUMBA)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    X = np.random.RandomState(0).gamma(2.0, size=(300, 2))
    compiled = SplineGaussianizer().fit(X).score(X)
    np.testing.assert_allclose(float(result.stdout), compiled, rtol=1e-9)


def test_in_how_many_parts_rounding_leaves_a_value_moves_no_knot():
    x = np.r_[np.random.default_rng(0).normal(size=20), np.full(60, 0.4)]
    parted = x.copy()
    parted[30:] = np.nextafter(0.4, 1.0)
    parted[70:] = np.nextafter(0.4, 0.0)
    one, other = (SplineGaussianizer().fit(v[:, None]).knots_[0] for v in (x, parted))
    np.testing.assert_allclose(other, one, rtol=1e-12)


@pytest.mark.parametrize("n_rows", [3, 9, 23, 27, 101])
def test_values_on_knots_are_no_matter_of_units(n_rows):
    # Evenly spaced, they fall on knots but for rounding, which the unit decides.
    X = np.arange(n_rows)[:, None] * 1.0
    scores = SplineGaussianizer().fit(X).score_samples(X)
    for scale, shift in ((3.7, 1.3), (0.013, -0.7), (91.0, 0.2), (1e-6, 0.0)):
        moved = (X + shift) * scale
        found = SplineGaussianizer().fit(moved).score_samples(moved)
        np.testing.assert_allclose(found, scores - np.log(scale), atol=1e-9)
