"""The layers: closed forms first, then what they have in common."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from sklearn.base import clone

import destructors
from destructors.alignment import (
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.metrics import energy_coefficient, transport_cost

LAYERS = [
    MarginalBarycenter(random_state=0),
    SlicedBarycenter(random_state=0),
    GaussianBarycenter(random_state=0),
    TreeBarycenter(random_state=0),
]
each_layer = pytest.mark.parametrize(
    "layer", LAYERS, ids=lambda layer: type(layer).__name__
)
SIZES = [500, 1000, 3000]


@pytest.fixture
def three():
    """Three normal domains of unequal sizes, features independent."""
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0.0], [2.0, -1.0], [-1.0, 3.0]])
    scales = np.array([[0.5, 1.2], [1.0, 0.5], [2.4, 0.9]])
    domain = np.repeat([0, 1, 2], SIZES)
    X = means[domain] + scales[domain] * rng.normal(size=(sum(SIZES), 2))
    return X, domain, means, scales


@pytest.fixture
def curved():
    """Two domains whose features depend on each other in different ways."""
    rng = np.random.default_rng(0)
    domain = np.repeat([0, 1], 800)
    x = rng.normal(size=1600)
    bend = np.where(domain == 0, x**2, -np.abs(x))
    return np.stack([x, bend + 0.5 * rng.normal(size=1600)], axis=1), domain


def split(layer, X, domain):
    Z = layer.transform(X, sample_domain=domain)
    return [Z[domain == label] for label in layer.domains_]


# ---------------------------------------------------------------- closed forms


def covariance(angle, first, second):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([first, second]) @ turn.T


def exact_rows(mean, covariance, n_samples, seed):
    """Rows with exactly this mean and covariance."""
    Z = np.random.default_rng(seed).normal(size=(n_samples, len(mean)))
    Z -= Z.mean(axis=0)
    Z = Z @ np.linalg.inv(np.linalg.cholesky(Z.T @ Z / n_samples)).T
    return mean + Z @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize("share", [0.5, 0.2, 1.0])
def test_gaussian_barycenter_of_two_is_the_geodesic(share):
    """Between two normals the barycenters are the points of a geodesic: with the map A
    from one to the other the covariance is ``((1 - t) I + t A) Σ ((1 - t) I + t A)``.
    """
    first, second = covariance(0.3, 4.0, 0.5), covariance(1.4, 1.0, 2.0)
    X = np.vstack(
        [
            exact_rows(np.array([0.0, 1.0]), first, 300, 0),
            exact_rows(np.array([3.0, -1.0]), second, 500, 1),
        ]
    )
    domain = np.repeat(["a", "b"], [300, 500])
    layer = GaussianBarycenter(
        learning_rate=1.0, domain_weights={"a": 1 - share, "b": share}
    ).fit(X, sample_domain=domain)
    root = np.real(sqrtm(first))
    inverse = np.linalg.inv(root)
    A = inverse @ np.real(sqrtm(root @ second @ root)) @ inverse
    half = (1 - share) * np.eye(2) + share * A
    for part in split(layer, X, domain):
        np.testing.assert_allclose(
            part.mean(axis=0), [3 * share, 1 - 2 * share], atol=1e-12
        )
        np.testing.assert_allclose(
            np.cov(part.T, bias=True), half @ first @ half, atol=1e-6
        )


def test_gaussian_barycenter_of_three_that_commute(three):
    """Standard deviations are averaged where the axes are common."""
    _, _, means, scales = three
    X = np.vstack(
        [
            exact_rows(mean, np.diag(scale**2), n, k)
            for k, (mean, scale, n) in enumerate(zip(means, scales, SIZES, strict=True))
        ]
    )
    domain = np.repeat([0, 1, 2], SIZES)
    layer = GaussianBarycenter(learning_rate=1.0).fit(X, sample_domain=domain)
    for part in split(layer, X, domain):
        np.testing.assert_allclose(part.mean(axis=0), means.mean(axis=0), atol=1e-8)
        expected = np.diag(scales.mean(axis=0) ** 2)
        np.testing.assert_allclose(np.cov(part.T, bias=True), expected, atol=1e-6)


def test_gaussian_translation_is_optimal_transport():
    """The map to a target costs what the closed form of Bures says."""
    first, second = covariance(0.3, 4.0, 0.5), covariance(1.4, 1.0, 2.0)
    X = exact_rows(np.zeros(2), first, 400, 0)
    Y = exact_rows(np.array([1.0, 2.0]), second, 400, 1)
    layer = GaussianBarycenter(learning_rate=1.0, domain_weights={1: 1.0})
    layer.fit(np.vstack([X, Y]), sample_domain=np.repeat([0, 1], 400))
    root = np.real(sqrtm(first))
    cross = np.real(sqrtm(root @ second @ root))
    bures = 5.0 + np.trace(first + second - 2 * cross)
    translated = layer.translate(X, source=0, target=1)
    assert transport_cost(X, translated) == pytest.approx(bures, rel=1e-6)


def test_marginal_map_between_normals_is_affine():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0, 1, (20_000, 1)), rng.normal(4, 3, (20_000, 1))]
    domain = np.repeat([0, 1], 20_000)
    layer = MarginalBarycenter(learning_rate=1.0).fit(X, sample_domain=domain)
    x = np.linspace(-2, 2, 9)[:, None]
    first = layer.transform(x, sample_domain=np.zeros(9))
    np.testing.assert_allclose(first, 2 + 2 * x, atol=0.1)
    np.testing.assert_allclose(
        layer.translate(x, source=0, target=1), 4 + 3 * x, atol=0.2
    )


@each_layer
def test_domains_that_differ_by_a_shift(layer):
    """The same rows, moved: the maps are the moves."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    shift = np.array([3.0, -1.0])
    layer = clone(layer).set_params(learning_rate=1.0)
    layer.fit(np.vstack([X, X + shift]), sample_domain=np.repeat([0, 1], 300))
    Z, log_det = layer.transform_and_log_det(X, sample_domain=np.zeros(300))
    np.testing.assert_allclose(Z, X + shift / 2, atol=1e-6)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-6)


@each_layer
def test_three_normal_domains_of_unequal_sizes(layer, three):
    X, domain, means, scales = three
    for part in split(clone(layer).fit(X, sample_domain=domain), X, domain):
        # Four standard errors of the mean of the smallest domain, and of its variance.
        sd = scales.mean(axis=0)
        error = 4 * sd / np.sqrt(500)
        assert (np.abs(part.mean(axis=0) - means.mean(axis=0)) < error).all()
        variance = np.cov(part.T)
        slack = 4 * np.sqrt(2 / 500) * np.outer(sd, sd)
        assert (np.abs(variance - np.diag(sd**2)) < slack).all()


def test_sliced_directions_are_those_that_differ():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 10))
    domain = np.repeat([0, 1], 1000)
    X[1000:, 3] *= 3.0
    X[1000:, 7] += 2.0
    layer = SlicedBarycenter(2, random_state=0).fit(X, sample_domain=domain)
    np.testing.assert_allclose(
        layer.directions_.T @ layer.directions_, np.eye(2), atol=1e-12
    )
    found = (layer.directions_**2).sum(axis=1)
    assert found[[3, 7]].sum() > 1.8


def test_sliced_directions_among_principal_axes():
    """A direction of little variance is not looked at."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 6)) * [5.0, 5.0, 5.0, 0.1, 0.1, 0.1]
    domain = np.repeat([0, 1], 300)
    X[300:, 0] += 3.0
    layer = SlicedBarycenter(2, n_components=3, random_state=0)
    layer.fit(X, sample_domain=domain)
    assert np.abs(layer.directions_[3:]).max() < 0.05


def test_tree_sees_a_dependence_that_marginals_do_not(curved):
    X, domain = curved
    left = {
        type(layer).__name__: energy_coefficient(
            split(clone(layer).fit(X, sample_domain=domain), X, domain)
        )
        for layer in LAYERS
    }
    assert left["TreeBarycenter"] < 0.6 * left["MarginalBarycenter"]


# ---------------------------------------------------------------- maps


@each_layer
def test_round_trip_and_log_det(layer, curved):
    X, domain = curved
    layer = clone(layer).fit(X[::2], sample_domain=domain[::2])
    X, domain = X[1::2], domain[1::2]
    Z, log_det = layer.transform_and_log_det(X, sample_domain=domain)
    back, back_log_det = layer.inverse_and_log_det(Z, sample_domain=domain)
    assert np.abs(back - X).max() < 1e-10
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-8)
    step = 1e-6
    columns = [
        layer.transform(X + step * axis, sample_domain=domain)
        - layer.transform(X - step * axis, sample_domain=domain)
        for axis in np.eye(2)
    ]
    numerical = np.linalg.slogdet(np.stack(columns, axis=2) / (2 * step))[1]
    # A knot or a cut within the step mixes two slopes.
    off = np.abs(numerical - log_det)
    assert np.mean(off < 1e-4) > 0.98


@each_layer
def test_far_rows_stay_finite_and_come_back(layer, curved):
    X, domain = curved
    layer = clone(layer).fit(X, sample_domain=domain)
    far = 1e6 * X[:50]
    Z = layer.transform(far, sample_domain=domain[:50])
    back = layer.inverse_transform(Z, sample_domain=domain[:50])
    np.testing.assert_allclose(back, far, rtol=1e-8, atol=1e-2)


# ---------------------------------------------------------------- parameters


@each_layer
def test_steps_lie_between_the_identity_and_the_barycenter(layer, three):
    X, domain, *_ = three
    stay, half, full = (
        clone(layer).set_params(learning_rate=rate).fit(X, sample_domain=domain)
        for rate in (0.0, 0.5, 1.0)
    )
    assert (stay.learning_rate_, half.learning_rate_, full.learning_rate_) == (
        0,
        0.5,
        1,
    )
    np.testing.assert_allclose(stay.transform(X, sample_domain=domain), X, atol=1e-12)
    left = [energy_coefficient(split(one, X, domain)) for one in (stay, half, full)]
    assert left[0] > 2 * left[1] > 4 * left[2]


def test_half_a_step_of_a_gaussian_layer_is_halfway(three):
    """The maps are affine, so half of the way is the mean of both ends."""
    X, domain, *_ = three
    half, full = (
        GaussianBarycenter(learning_rate=rate).fit(X, sample_domain=domain)
        for rate in (0.5, 1.0)
    )
    np.testing.assert_allclose(
        half.transform(X, sample_domain=domain),
        0.5 * (X + full.transform(X, sample_domain=domain)),
        atol=1e-9,
    )


@each_layer
def test_learning_rate_is_chosen(layer):
    """Far apart the whole way is gone; of one distribution, with few rows, not."""
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(60, 5)), np.repeat([0, 1], 30)
    assert clone(layer).fit(X, sample_domain=domain).learning_rate_ < 1.0
    X[30:] += 5.0
    assert clone(layer).fit(X, sample_domain=domain).learning_rate_ == 1.0


@each_layer
def test_learning_rate_is_chosen_by_the_rows_that_are_given(layer):
    """Domains that differ in the training rows alone are best left where they are."""
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(600, 2)), rng.normal(size=(400, 2))
    domain, domain_val = np.repeat([0, 1], 300), np.repeat([0, 1], 200)
    X[300:] += 2.0
    fitted = clone(layer).fit(
        X, sample_domain=domain, X_val=X_val, sample_domain_val=domain_val
    )
    assert fitted.learning_rate_ == 0.0
    X_val[200:] += 2.0
    fitted = clone(layer).fit(
        X, sample_domain=domain, X_val=X_val, sample_domain_val=domain_val
    )
    assert fitted.learning_rate_ > 0.5


@each_layer
def test_alignment_to_a_domain_leaves_it_where_it_is(layer, three):
    X, domain, *_ = three
    layer = clone(layer).set_params(domain_weights={2: 1.0}, learning_rate=1.0)
    layer.fit(X, sample_domain=domain)
    target = X[domain == 2]
    parts = split(layer, X, domain)
    np.testing.assert_allclose(parts[2], target, atol=1e-6)
    np.testing.assert_allclose(parts[0].mean(axis=0), target.mean(axis=0), atol=0.02)


def test_weights_of_domains(three):
    X, domain, *_ = three
    fit = lambda labels, weights: GaussianBarycenter(domain_weights=weights).fit(
        X, sample_domain=labels
    )
    proportional = fit(domain, "proportional")
    np.testing.assert_allclose(proportional.domain_weights_, np.array(SIZES) / 4500)
    signed = np.array([1, 2, -3])[domain]
    # Labels are in order: the target is the first.
    np.testing.assert_array_equal(fit(signed, "target").domain_weights_, [1, 0, 0])
    np.testing.assert_allclose(
        fit(domain, [2.0, 1.0, 1.0]).domain_weights_, [0.5, 0.25, 0.25]
    )


@each_layer
def test_weights_are_repeated_rows(layer, curved):
    X, domain = curved
    weight = np.random.default_rng(0).integers(0, 4, size=len(X))
    weighted = clone(layer).fit(X, sample_domain=domain, sample_weight=weight)
    repeated = clone(layer).fit(
        np.repeat(X, weight, axis=0), sample_domain=np.repeat(domain, weight)
    )
    np.testing.assert_allclose(
        weighted.transform(X, sample_domain=domain),
        repeated.transform(X, sample_domain=domain),
        atol=1e-6,
    )


# ---------------------------------------------------------------- what is learned


@each_layer
def test_a_saved_layer_takes_labels(layer, three, tmp_path):
    X, domain, *_ = three
    labels = np.array(["b", "a", "c"])[domain]
    fitted = clone(layer).fit(X, sample_domain=labels)
    destructors.save(fitted, tmp_path / "layer.npz")
    loaded = destructors.load(tmp_path / "layer.npz")
    Z, log_det = fitted.transform_and_log_det(X, sample_domain=labels)
    for given, expected in zip(loaded.forward(X, labels), (Z, log_det), strict=True):
        np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(
        loaded.inverse(Z, labels)[0], fitted.inverse_transform(Z, sample_domain=labels)
    )
    with pytest.raises(ValueError, match="no density"):
        loaded.logpdf(X, labels)


@each_layer
def test_a_layer_has_no_density(layer, three):
    X, domain, *_ = three
    fitted = clone(layer).fit(X, sample_domain=domain)
    assert fitted.base_distribution_ is None
    assert not hasattr(fitted, "sample")
    # The reason is in the error that Python shows as the cause.
    with pytest.raises(AttributeError, match="score_samples") as caught:
        fitted.score_samples(X)
    assert "only aligns" in str(caught.value.__cause__)


def test_a_frame_comes_back_as_it_was(three):
    X, domain, *_ = three
    frame = pd.DataFrame(X, columns=["age", "income"])
    fitted = GaussianBarycenter(random_state=0).fit(frame, sample_domain=domain)
    assert list(fitted.get_feature_names_out()) == ["age", "income"]
    back = fitted.inverse_transform(
        fitted.transform(frame, sample_domain=domain), sample_domain=domain
    )
    pd.testing.assert_frame_equal(back, frame)
    there = fitted.translate(frame[:5], source=0, target=1)
    assert list(there.columns) == ["age", "income"]


# ---------------------------------------------------------------- hard data


@each_layer
def test_a_column_that_is_constant_in_one_domain(layer):
    """It is moved to the mean of the others, and all comes back."""
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(400, 2)), np.repeat([0, 1], 200)
    X[:200, 1] = 3.0
    layer = clone(layer).set_params(learning_rate=1.0).fit(X, sample_domain=domain)
    Z = layer.transform(X, sample_domain=domain)
    assert np.isfinite(Z).all()
    assert np.abs(layer.inverse_transform(Z, sample_domain=domain) - X).max() < 1e-8
    means = [Z[domain == k, 1].mean() for k in (0, 1)]
    assert means[0] == pytest.approx(means[1], abs=0.05)


@each_layer
def test_columns_far_from_zero_and_in_tiny_units(layer):
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(400, 2)), np.repeat([0, 1], 200)
    X[200:] = 2.0 * X[200:] + 1.0
    plain = clone(layer).set_params(learning_rate=1.0).fit(X, sample_domain=domain)
    moved = clone(plain).fit(1e-6 * X, sample_domain=domain)
    np.testing.assert_allclose(
        1e6 * moved.transform(1e-6 * X, sample_domain=domain),
        plain.transform(X, sample_domain=domain),
        atol=1e-5,
    )
    far = clone(plain).fit(X + 1e6, sample_domain=domain)
    Z = far.transform(X + 1e6, sample_domain=domain)
    np.testing.assert_allclose(
        far.inverse_transform(Z, sample_domain=domain), X + 1e6, atol=1e-8
    )
    assert abs(Z[:200].mean() - Z[200:].mean()) < 0.05


def test_the_rate_of_a_marginal_barycenter_does_not_hang_on_units():
    """Columns are mapped one by one: a large one does not choose for the others."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(60, 4)), rng.normal(0.3, 1.3, size=(40, 4))]
    domain = np.repeat([0, 1], [60, 40])
    unit = np.array([1024.0, 0.0078125, 8.0, 1048576.0])
    plain, moved = (
        MarginalBarycenter(random_state=0).fit(values, sample_domain=domain)
        for values in (X, X * unit)
    )
    assert moved.learning_rate_ == plain.learning_rate_
    np.testing.assert_allclose(
        moved.transform(X * unit, sample_domain=domain) / unit,
        plain.transform(X, sample_domain=domain),
        atol=1e-9,
    )


@pytest.mark.parametrize("scale", [0.1, 3.7, 1e3])
def test_a_tree_does_not_cut_at_a_value_that_many_rows_share(scale):
    # All of them would lie on the one side or the other by rounding.
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=700), rng.lognormal(size=700)])
    X[:350, 1] *= 1.5
    X[rng.random(700) < 0.7] = 0.0
    domain = np.repeat([0, 1], 350)
    layer = TreeBarycenter(random_state=0)
    Z = layer.fit_transform(X, sample_domain=domain)
    moved = scale * (X + 0.7)
    again = layer.fit_transform(moved, sample_domain=domain)
    assert layer.n_leaves_ > 1
    np.testing.assert_allclose(again / scale - 0.7, Z, atol=1e-9)
