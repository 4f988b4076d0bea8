"""A Gaussian mixture as a destructor."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

import destructors
from destructors.flows import TreeFlow
from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._em import EM
from destructors.rows import Fold, Rows, stop_all, time_limit

TYPES = ["diag", "full", "spherical", "tied"]
PLAIN = {"background": False, "degrees_of_freedom_prior": 0.0}


@pytest.fixture(scope="module")
def clusters():
    """900 rows of three clusters in 3 dimensions, in unequal units."""
    rng = np.random.default_rng(0)
    centers = np.array([[-4.0, 0, 0], [4, 4, 0], [0, -4, 4]])
    rows = np.repeat(centers, 300, axis=0) + rng.normal(size=(900, 3))
    return rng.permutation(rows) * [1.0, 1e3, 1e-3] + [0.0, 1e4, 0.0]


def peer_of(X, covariance_type, n_components=4):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(
            n_components, covariance_type=covariance_type, random_state=0, max_iter=20
        ).fit(X)


def adapt(peer):
    return GaussianMixtureDestructor.from_parameters(
        peer.weights_,
        peer.means_,
        peer.covariances_,
        covariance_type=peer.covariance_type,
    )


# ---------------------------------------------------------------- given parameters


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("n_features", [1, 2, 5, 36])
def test_log_density_is_that_of_scikit_learn(covariance_type, n_features):
    rng = np.random.default_rng(0)
    X = rng.gamma(2.0, size=(500, n_features)) @ rng.normal(size=(n_features,) * 2)
    peer = peer_of(X, covariance_type)
    model = adapt(peer)
    for rows in (X, 5.0 * X, rng.normal(size=(50, n_features)) * 100.0):
        np.testing.assert_allclose(
            model.score_samples(rows), peer.score_samples(rows), rtol=1e-9, atol=1e-8
        )
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), X, atol=1e-7
    )


def test_one_dimension_is_the_normal_score_of_the_distribution_function():
    weights, means, sds = np.array([0.3, 0.7]), np.array([-1.0, 2.0]), [0.5, 1.5]
    model = GaussianMixtureDestructor.from_parameters(
        weights, means[:, None], np.square(sds), covariance_type="spherical"
    )
    x = np.linspace(-5.0, 8.0, 301)
    Z, log_det = model.transform_and_log_det(x[:, None])
    parts = stats.norm(means, sds)
    cdf, pdf = (f(x[:, None]) @ weights for f in (parts.cdf, parts.pdf))
    np.testing.assert_allclose(Z[:, 0], stats.norm.ppf(cdf), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        stats.norm.logpdf(Z[:, 0]) + log_det, np.log(pdf), rtol=1e-10
    )


def test_later_features_are_conditional_on_earlier_ones():
    rng = np.random.default_rng(0)
    peer = peer_of(rng.gamma(2.0, size=(500, 2)) @ [[1.0, 0.8], [0.0, 0.5]], "full", 3)
    row = np.array([2.0, 1.5])

    def density(y):
        return np.exp(peer.score_samples([[row[0], y]])[0])

    below = integrate.quad(density, -20.0, row[1])[0]
    total = below + integrate.quad(density, row[1], 40.0)[0]
    z = adapt(peer).transform(row[None])[0]
    assert z[1] == pytest.approx(stats.norm.ppf(below / total), abs=1e-6)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_one_component_is_the_cholesky_whitening(covariance_type):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) + 5.0
    peer = peer_of(X, covariance_type, n_components=1)
    model = adapt(peer)
    scale = np.linalg.cholesky(
        np.cov(X.T, bias=True) + 1e-6 * np.eye(3)
        if covariance_type in ("full", "tied")
        else np.eye(3) * np.atleast_1d(peer.covariances_[0])
    )
    expected = np.linalg.solve(scale, (X - X.mean(axis=0)).T).T
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-9)


def test_attributes_are_what_was_given():
    peer = peer_of(np.random.default_rng(0).normal(size=(200, 2)), "full")
    model = adapt(peer)
    np.testing.assert_array_equal(model.weights_, peer.weights_)
    np.testing.assert_array_equal(model.means_, peer.means_)
    np.testing.assert_array_equal(model.covariances_, peer.covariances_)
    assert model.n_components_ == 4
    assert model.n_features_in_ == 2
    assert model.sample(10, random_state=0).shape == (10, 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": [0.5, 0.6]}, "sum to 1"),
        ({"weights": [1.5, -0.5]}, "positive"),
        ({"weights": [1.0]}, r"shape \(2,\)"),
        ({"means": [0.0, 1.0]}, "2D"),
        ({"means": [[0.0], [np.nan]]}, "NaN"),
        ({"covariances": np.ones((2, 1))}, r"shape \(2, 1, 1\)"),
        ({"covariances": [[[1.0]], [[-1.0]]]}, "positive definite"),
        ({"covariances": [[[1.0]], [[np.nan]]]}, "positive definite"),
    ],
)
def test_bad_parameters(changed, message):
    given = {
        "weights": [0.5, 0.5],
        "means": [[0.0], [1.0]],
        "covariances": np.ones((2, 1, 1)),
    }
    with pytest.raises(ValueError, match=message):
        GaussianMixtureDestructor.from_parameters(**{**given, **changed})


def test_covariances_must_be_symmetric():
    with pytest.raises(ValueError, match="symmetric"):
        GaussianMixtureDestructor.from_parameters(
            [1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.4, 1.0]]]
        )


# ---------------------------------------------------------------- fitting


def test_one_plain_component_is_the_gaussian_of_the_moments(clusters):
    model = GaussianMixtureDestructor(1, reg_covar=0.0, **PLAIN).fit(clusters)
    covariance = np.cov(clusters.T, bias=True)
    scale = np.sqrt(np.diag(covariance))
    gaussian = stats.multivariate_normal(
        clusters.mean(axis=0) / scale, covariance / np.multiply.outer(scale, scale)
    )
    np.testing.assert_allclose(
        model.score_samples(clusters),
        gaussian.logpdf(clusters / scale) - np.log(scale).sum(),
        atol=1e-5,
    )
    np.testing.assert_allclose(model.means_[0], clusters.mean(axis=0))
    np.testing.assert_allclose(model.covariances_[0], covariance)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_attributes_are_the_mixture_that_is_scored(clusters, covariance_type):
    X = clusters if covariance_type != "spherical" else clusters / [1.0, 1e3, 1e-3]
    model = GaussianMixtureDestructor(3, covariance_type=covariance_type).fit(X)
    n_components = 3 + (covariance_type != "tied")
    assert model.weights_.shape == (n_components,)
    shapes = {
        "full": (n_components, 3, 3),
        "tied": (3, 3),
        "diag": (n_components, 3),
        "spherical": (n_components,),
    }
    assert model.covariances_.shape == shapes[covariance_type]
    exact = adapt_attributes(model)
    np.testing.assert_allclose(
        model.score_samples(X), exact.score_samples(X), atol=1e-5
    )
    assert model.lower_bound_ == pytest.approx(model.score(X), abs=1e-6)
    assert model.converged_


def adapt_attributes(model):
    return GaussianMixtureDestructor.from_parameters(
        model.weights_,
        model.means_,
        model.covariances_,
        covariance_type=model.covariance_type,
    )


def test_clusters_are_found(clusters):
    model = GaussianMixtureDestructor(3, random_state=0).fit(clusters)
    expected = np.array([[-4.0, 0, 0], [0, -4, 4], [4, 4, 0]])
    found = (model.means_[:3] - [0.0, 1e4, 0.0]) / [1.0, 1e3, 1e-3]
    found = found[np.argsort(found[:, 0])]
    np.testing.assert_allclose(found, expected, atol=0.3)
    np.testing.assert_allclose(model.weights_[:3], 1 / 3, atol=0.01)


def test_integer_weights_equal_repeated_rows_exactly(clusters):
    weight = np.random.default_rng(1).integers(0, 4, size=len(clusters))
    model = GaussianMixtureDestructor([2, 4, 8], random_state=0)
    weighted = model.fit(clusters, sample_weight=weight)
    scores = weighted.score_samples(clusters)
    order = np.random.default_rng(2).permutation(weight.sum())
    repeated = np.repeat(clusters, weight, axis=0)[order]
    again = GaussianMixtureDestructor([2, 4, 8], random_state=0).fit(repeated)
    np.testing.assert_array_equal(again.score_samples(clusters), scores)
    assert again.validation_score_ == weighted.validation_score_


@pytest.mark.parametrize("covariance_type", TYPES)
def test_units_do_not_matter(clusters, covariance_type):
    X, units = clusters, np.array([1e-90, 1.0, 1e60])
    if covariance_type == "spherical":
        # It knows no unit but one.
        X, units = clusters / [1.0, 1e3, 1e-3], 1e-90
    # Without a seed one start in hundreds puts two components into one cluster.
    options = {"covariance_type": covariance_type, "tol": 1e-9, "random_state": 0}
    model = GaussianMixtureDestructor(3, **options).fit(X)
    scaled = GaussianMixtureDestructor(3, **options).fit(X * units)
    np.testing.assert_allclose(
        scaled.transform(X * units), model.transform(X), atol=1e-3
    )


def test_more_starts_are_as_likely_or_more(clusters):
    rng = np.random.default_rng(0)
    X = np.r_[clusters, rng.normal(size=(300, 3)) * [6.0, 6e3, 6e-3] + [0, 1e4, 0]]
    bounds = [
        GaussianMixtureDestructor(8, n_init=n, random_state=0).fit(X).lower_bound_
        for n in (1, 6)
    ]
    assert bounds[1] > bounds[0]


def test_prior_lets_many_components_be_fitted_to_few_rows():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(8, 8))
    train, test = (rng.normal(size=(n, 8)) @ mix for n in (400, 2000))
    truth = stats.multivariate_normal(cov=mix.T @ mix).logpdf(test).mean()
    plain, prior = (
        GaussianMixtureDestructor(16, random_state=0, **options).fit(train).score(test)
        for options in (PLAIN, {"background": False})
    )
    assert prior > truth - 1.0
    assert plain < truth - 1.5


def test_background_bounds_the_loss_from_outliers(clusters):
    rng = np.random.default_rng(0)
    X = (clusters - [0.0, 1e4, 0.0]) / [1.0, 1e3, 1e-3]
    X[:9] = rng.uniform(-12, 12, size=(9, 3))
    train, test = X[::2], X[1::2]
    with_it, without = (
        GaussianMixtureDestructor(3, background=b, n_init=5, random_state=0).fit(train)
        for b in (True, False)
    )
    assert with_it.score(test) > without.score(test) + 0.1
    assert len(with_it.weights_) == 4
    assert len(without.weights_) == 3
    assert with_it.n_components_ == without.n_components_ == 3


def test_convergence_warning(clusters):
    with pytest.warns(ConvergenceWarning, match="2 steps"):
        model = GaussianMixtureDestructor(8, max_iter=2).fit(clusters)
    assert not model.converged_
    # Two with one component, two, four and eight.
    assert model.n_iter_ == 8


# ---------------------------------------------------------------- choice of a number


def test_number_is_chosen_on_held_out_rows(clusters):
    model = GaussianMixtureDestructor([1, 3, 30, 60], random_state=0).fit(clusters)
    assert model.n_components_ == 3
    scores = model.validation_score_
    assert set(scores) == {1, 3, 30, 60}
    assert max(scores, key=scores.get) == 3
    assert scores[3] == pytest.approx(model.score(clusters), abs=0.3)
    # Fitted on all rows at last.
    whole = GaussianMixtureDestructor(3, random_state=0).fit(clusters)
    assert model.lower_bound_ == pytest.approx(whole.lower_bound_, abs=0.01)


def test_search_ends_after_two_that_are_worse(clusters):
    candidates = [1, 3, 90, 100, 110, 120, 130]
    model = GaussianMixtureDestructor(candidates, random_state=0).fit(clusters)
    assert list(model.validation_score_) == [1, 3, 90, 100]


def test_held_out_rows_that_are_given_are_used(clusters):
    # Rows of one cluster's middle only: of these, one wide Gaussian thinks least.
    middle = clusters[:50] * 0.0 + [-4.0, 1e4, 0.0]
    model = GaussianMixtureDestructor([3, 1], random_state=0)
    model.fit(clusters, X_val=middle)
    assert model.n_components_ == 3
    exact = adapt_attributes(model)
    assert model.validation_score_[3] == pytest.approx(exact.score(middle), abs=1e-6)
    # All rows are trained on, so there is nothing to fit again.
    alone = GaussianMixtureDestructor(3, random_state=0).fit(clusters)
    assert model.lower_bound_ == pytest.approx(alone.lower_bound_, abs=1e-3)


def test_held_out_rows_have_weights(clusters):
    near, far = [-4.0, 1e4, 0.0], [40.0, 5e4, -4e-2]
    X_val = np.repeat([near, far], 25, axis=0)
    model = GaussianMixtureDestructor([1, 3], random_state=0)
    scores = []
    for weights in ([1.0, 1e-9], [1e-9, 1.0]):
        model.fit(clusters, X_val=X_val, sample_weight_val=np.repeat(weights, 25))
        scores.append(model.validation_score_[1])
    assert scores[0] > -15 > scores[1]


def test_refit_parameters_are_a_number(clusters):
    model = GaussianMixtureDestructor([1, 3, 30, 60], random_state=0).fit(clusters)
    assert model._refit_params([model, model]) == {"n_components": 3}
    assert GaussianMixtureDestructor(3)._refit_params([model]) == {}


def test_time_that_is_up_ends_the_search_with_what_there_is(clusters):
    with time_limit(None):
        stop_all()
        model = GaussianMixtureDestructor([2, 3, 4], n_init=3, random_state=0)
        model.fit(clusters)
    assert list(model.validation_score_) == [2]
    assert model.n_iter_ == 1
    assert np.isfinite(model.score_samples(clusters)).all()


def test_a_number_that_fails_ends_the_search_with_those_before(clusters, monkeypatch):
    fit = EM.fit

    def fail(self, n_components, *args, **kwargs):
        if n_components == 3:
            raise np.linalg.LinAlgError("a variance is zero")
        return fit(self, n_components, *args, **kwargs)

    monkeypatch.setattr(EM, "fit", fail)
    model = GaussianMixtureDestructor([1, 3, 6], random_state=0)
    with pytest.warns(ConvergenceWarning, match="The numbers before it are kept"):
        model.fit(clusters, X_val=clusters[:50])
    assert list(model.validation_score_) == [1]
    assert model.n_components_ == 1


def test_callbacks_hear_of_numbers_or_else_of_steps(clusters):
    class Count:
        def __init__(self):
            self.names = []

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            self.names.append(context.task_name)

    count = Count()
    model = GaussianMixtureDestructor([1, 2], random_state=0).set_callbacks(count)
    model.fit(clusters)
    assert count.names == ["number", "number", "fit"]
    count.names.clear()
    model.set_params(n_components=2).fit(clusters)
    assert count.names == ["step"] * model.n_iter_ + ["fit"]


def test_numbers_beyond_the_rows_are_passed_over():
    X = np.random.default_rng(0).normal(size=(12, 2))
    model = GaussianMixtureDestructor([1, 2, 1000], random_state=0).fit(X)
    assert 1000 not in model.validation_score_
    alone = GaussianMixtureDestructor([1, 1000], random_state=0).fit(X)
    assert alone.n_components_ == 1
    assert alone.validation_score_ == {}


@pytest.mark.parametrize(
    ("n_components", "message"),
    [
        (6, r"n_components=6 .*n_samples=5"),
        ([6, 7], r"n_components=\[6, 7\] .*n_samples=5"),
        ([], "n_components is empty"),
        ([1, 0], r"positive integers, got 0 in \[1, 0\]"),
        ([1, 2.5], r"positive integers, got 2.5 in \[1, 2.5\]"),
        ([1, "a"], r"positive integers, got 'a' in \[1, 'a'\]"),
        (0, "n_components"),
    ],
)
def test_bad_numbers_of_components(n_components, message):
    # Ten rows, five of them different.
    X = np.repeat(np.random.default_rng(0).normal(size=(5, 2)), 2, axis=0)
    with pytest.raises(ValueError, match=message):
        GaussianMixtureDestructor(n_components).fit(X)


# ---------------------------------------------------------------- odd data


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("factor", [1e1, 1e3, 1e6, 1e30, 1e100])
def test_extreme_rows_are_finite_and_invert(clusters, covariance_type, factor):
    options = {"covariance_type": covariance_type, "random_state": 0}
    model = GaussianMixtureDestructor(8, **options).fit(clusters)
    center, scale = clusters.mean(axis=0), clusters.std(axis=0)
    directions = np.random.default_rng(0).uniform(-1, 1, size=(200, 3))
    X = center + factor * scale * directions
    Z, log_det = model.transform_and_log_det(X)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    assert np.isfinite(model.score_samples(X)).all()
    back = model.inverse_transform(Z)
    assert (np.abs(back - X) <= 1e-8 * factor * scale + 1e-9).all()


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1.7e308, 1.0], [-1.7e308, 2.0], [0.0, 1e308]]),
        np.full((3, 2), 1e-300),
    ],
)
def test_largest_and_smallest_numbers_give_no_nan(clusters, X):
    model = GaussianMixtureDestructor(4, random_state=0).fit(clusters[:, :2])
    Z, log_det = model.transform_and_log_det(X)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize("covariance_type", TYPES)
def test_collinear_and_constant_columns(clusters, covariance_type):
    X = np.c_[clusters, clusters[:, 0] - clusters[:, 2], np.full(len(clusters), 7.0)]
    if covariance_type == "spherical":
        X = (X - X.mean(axis=0)) / np.array([1.0, 1e3, 1e-3, 1.0, 1.0])
    model = GaussianMixtureDestructor(3, covariance_type=covariance_type).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(
        model.inverse_transform(Z), X, atol=1e-6 * X.std(axis=0).max()
    )


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("options", [PLAIN, {}], ids=["plain", "default"])
def test_singular_covariance_without_regularisation(clusters, covariance_type, options):
    if covariance_type in ("full", "tied"):
        X = np.c_[clusters, 2.0 * clusters[:, 0]]
    elif covariance_type == "diag":
        X = np.c_[clusters, np.ones(len(clusters))]
    else:
        X = np.repeat([[0.0], [1.0]], 4, axis=0)
    n_components = 2 if covariance_type == "spherical" else 8
    model = GaussianMixtureDestructor(
        n_components, covariance_type=covariance_type, reg_covar=0.0, **options
    )
    with pytest.raises(ValueError, match="raise reg_covar"):
        model.fit(X)


def test_two_rows():
    model = GaussianMixtureDestructor(2).fit([[0.0, 1.0], [1.0, 0.0]])
    assert np.isfinite(model.score_samples([[0.5, 0.5], [9.0, -9.0]])).all()


def test_hundred_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 100))
    model = GaussianMixtureDestructor([1, 2, 4], random_state=0).fit(X)
    # A standard normal scores -141.9.
    assert model.score(rng.normal(size=(300, 100))) > -165
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), X, atol=1e-9
    )


# ---------------------------------------------------------------- machinery


def test_map_holds_the_mixture(clusters):
    model = GaussianMixtureDestructor(3, random_state=0).fit(clusters)
    units, mixture = model.map_
    np.testing.assert_array_equal(mixture.weights, model.weights_)
    np.testing.assert_allclose(
        units.location + mixture.means * units.scale, model.means_, rtol=1e-12
    )
    np.testing.assert_allclose(
        mixture.covariances * np.multiply.outer(units.scale, units.scale),
        model.covariances_,
    )


def test_stack_sees_rows_as_new_rows_look():
    # A mixture of many components thinks more of its own rows than of new ones.
    rng = np.random.default_rng(0)
    X, X_new = rng.normal(size=(400, 4)), rng.normal(size=(4000, 4))
    model = GaussianMixtureDestructor(20, random_state=0, **PLAIN)
    honest = model._fit_rows(Fold(Rows.of(X)), onwards=True).train
    score = honest.score(model.base_distribution_)
    new, own = model.score(X_new), model.score(X)
    assert own > new + 0.5
    assert abs(score - new) < 0.5 * (own - new)
    # Equal rows, however often, stay equal, and threads change nothing.
    twice = Rows.of(np.r_[X, X[::-1]], n_jobs=2)
    again = model._fit_rows(Fold(twice), onwards=True).train
    np.testing.assert_array_equal(again.values[:400], again.values[400:][::-1])


def test_threads_do_not_change_the_result(clusters):
    model = GaussianMixtureDestructor(4, random_state=0).fit(clusters)
    X = np.tile(clusters, (60, 1))
    Z, log_det = model.transform_and_log_det(X)
    model.set_params(n_jobs=2)
    np.testing.assert_array_equal(model.transform_and_log_det(X)[0], Z)
    np.testing.assert_array_equal(model.transform_and_log_det(X)[1], log_det)
    back = pickle.loads(pickle.dumps(model)).inverse_transform(Z)
    np.testing.assert_allclose(back, X, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_file_gives_the_same_bits(clusters, covariance_type, tmp_path):
    options = {"covariance_type": covariance_type, "random_state": 0}
    model = GaussianMixtureDestructor(3, **options).fit(clusters)
    destructors.save(model, tmp_path / "mixture.npz")
    density = destructors.load(tmp_path / "mixture.npz")
    assert density.map == model.map_
    np.testing.assert_array_equal(
        density.logpdf(clusters), model.score_samples(clusters)
    )


# ---------------------------------------------------------------- hostile numbers


def test_units_of_the_features_do_not_matter():
    rng = np.random.default_rng(0)
    X, new = rng.gamma(2.0, size=(400, 3)), rng.gamma(2.0, size=(100, 3))
    X[0, 0] = new[0, 1] = 1e6
    scale = np.array([1e3, 1e-12, 1e100])
    model = GaussianMixtureDestructor(1, random_state=0)
    expected = model.fit(X).score_samples(new)
    found = model.fit(X * scale).score_samples(new * scale) + np.log(scale).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("weight", [1e-300, 1e-12, 1e300])
def test_weights_of_any_size_give_finite_scores(weight):
    X = np.random.default_rng(0).normal(size=(100, 2))
    model = GaussianMixtureDestructor(2, random_state=0)
    model.fit(X, sample_weight=np.full(100, weight))
    assert abs(model.score(X) - -2.8) < 0.3
    model.fit(X, sample_weight=np.where(np.arange(100) < 50, 1.0, weight))
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize("n_samples", [2, 3, 10])
def test_few_rows_of_collinear_columns_come_back(n_samples):
    rng = np.random.default_rng(n_samples)
    x = rng.normal(size=(n_samples, 1))
    X = np.c_[x, x, 1e12 * x, 1e-12 * rng.normal(size=(n_samples, 1)), 1e9 + x]
    model = GaussianMixtureDestructor(random_state=0).fit(X)
    scores = model.score_samples(X)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(model.score_samples(X[:1]), scores[:1], rtol=1e-9)
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_columns_whose_squares_overflow_are_as_good_as_others(covariance_type):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = GaussianMixtureDestructor(
        2, covariance_type=covariance_type, random_state=0
    )
    scores = model.fit(X).score_samples(X)
    now = model.fit(X * 2.0**1000).score_samples(X * 2.0**1000)
    np.testing.assert_allclose(now, scores - 2000 * np.log(2.0), rtol=1e-9)
    assert np.isfinite(model.covariances_).all()
    assert model.covariances_.max() == np.finfo(float).max


def test_constant_columns_have_no_part_in_the_spherical_scale():
    X = np.c_[np.random.default_rng(0).normal(size=(60, 1)), np.ones(60)]
    model = GaussianMixtureDestructor(2, covariance_type="spherical", random_state=0)
    expected = model.fit(X).score_samples(X) - 20 * np.log(2.0)
    X = np.ldexp(X, 10)
    np.testing.assert_allclose(model.fit(X).score_samples(X), expected, rtol=1e-9)


@pytest.mark.parametrize("covariance_type", ["spherical", "tied"])
def test_units_of_a_lattice_do_not_matter(covariance_type):
    X = np.arange(18.0)[:, None]
    model = GaussianMixtureDestructor(
        4, covariance_type=covariance_type, random_state=0
    )
    expected = model.fit(X).score_samples(X)
    for scale, shift in ((3.7, 6.9), (0.013, -20.0), (91.0, 0.3)):
        moved = scale * (X + shift)
        found = model.fit(moved).score_samples(moved) + np.log(scale)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_held_out_row_at_the_end_of_float64_has_a_score():
    X = np.random.default_rng(0).normal(size=(60, 2))
    X_val = np.r_[X[:20] + 0.1, [[1e300, 0.0]]]
    model = GaussianMixtureDestructor([1, 2], random_state=0).fit(X, X_val=X_val)
    assert all(np.isfinite(score) for score in model.validation_score_.values())


def test_many_rows_are_taken_part_by_part():
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    X = rng.normal(size=(60_000, 2)) + means[rng.integers(3, size=60_000)]
    T = rng.normal(size=(20_000, 2)) + means[rng.integers(3, size=20_000)]
    model = GaussianMixtureDestructor(n_components=[1, 2, 3, 4, 6], random_state=0)
    model.fit(X)
    truth = np.mean([stats.multivariate_normal(m).pdf(T) for m in means], axis=0)
    assert model.n_components_ == 3
    assert abs(model.score(T) - np.log(truth).mean()) < 1e-3
    order = rng.permutation(len(X))
    again = GaussianMixtureDestructor(n_components=[1, 2, 3, 4, 6], random_state=0)
    np.testing.assert_allclose(
        again.fit(X[order]).score_samples(T), model.score_samples(T), atol=1e-6
    )


@pytest.mark.parametrize(
    "model", [GaussianMixtureDestructor(), TreeFlow(n_components=2, max_trees=2, cv=3)]
)
def test_rows_far_from_the_one_that_has_the_weight_are_fitted(model):
    """Its spread is the unit: without it, none of a part of the rows is near."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    weight = np.where(np.arange(30) == 0, 1e9, 1.0)
    model.set_params(random_state=0).fit(X, sample_weight=weight)
    assert np.isfinite(model.score_samples(X)).all()


def test_a_fold_that_has_all_the_weight_is_mapped_by_the_mixture_of_all_rows():
    """Without it all rows are far out, and squares of these have not the digits."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=20), rng.integers(4, size=20) / 3.0
    x[3] = -1e14
    X = np.column_stack([x, y, 0.5 * x + y])
    weight = np.where(np.arange(20) == 0, 1e200, 1.0)
    model = TreeFlow(n_components=1, max_trees=2, cv=3, random_state=0)
    model.fit(X, sample_weight=weight)
    assert np.isfinite(model.score_samples(X)).all()
