"""The densities of a detector: which have not seen a row, and what they are."""

import warnings
from itertools import combinations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.base import clone

from destructors.estimators import OutlierDetector
from destructors.estimators._ensemble import (
    _factor,
    add_noise,
    fit_kernels,
    size_noise,
    widths,
)
from destructors.exceptions import DataWarning
from destructors.linear import Whitening
from destructors.maps._save import n_bytes
from destructors.rows import Rows

WITHIN = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])


def draw(n_samples, seed):
    x = np.random.default_rng(seed).normal(size=(n_samples, 3))
    return np.c_[x[:, 0], x[:, 0] + 0.1 * x[:, 1], x[:, 2]]


def test_a_row_is_scored_by_the_mean_of_all_that_have_not_seen_its_fold():
    X, new = draw(300, 0), draw(100, 1)
    model = OutlierDetector(Whitening(), random_state=0).fit(X)
    pairs = list(combinations(range(5), 2))
    assert len(model.estimators_) == len(pairs)
    fold = model.to_detector().folds.place(X)
    for pair, density in zip(pairs, model.estimators_, strict=True):
        seen = X[~np.isin(fold, pair)]
        np.testing.assert_allclose(Whitening().fit(seen).score(X), density.score(X))
    logs = np.array([density.score_samples(new) for density in model.estimators_])
    place = model.to_detector().folds.place(new)
    expected = [
        np.mean([log[i] for pair, log in zip(pairs, logs, strict=True) if k in pair])
        for i, k in enumerate(place)
    ]
    np.testing.assert_allclose(model.score_samples(new), expected)


def test_at_most_half_of_the_folds_are_left_out():
    X = draw(100, 0)
    counts = {
        (n_folds, n_left_out): len(
            OutlierDetector(Whitening(), n_folds=n_folds, n_left_out=n_left_out)
            .fit(X)
            .estimators_
        )
        for n_folds, n_left_out in [(2, 2), (3, 2), (4, 2), (5, 1), (6, 3)]
    }
    assert list(counts.values()) == [2, 3, 6, 5, 20]


@pytest.mark.parametrize(
    ("novelty", "n_fits", "n_means"), [(False, 10, 4), (True, 10, 1)]
)
def test_of_rows_known_to_be_normal_each_density_sees_more(novelty, n_fits, n_means):
    X = draw(400, 0)
    model = OutlierDetector(novelty=novelty, random_state=0).fit(X)
    assert len(model.estimators_) == n_fits
    assert {len(each.densities) for each in model.to_detector().members} == {
        4 * n_means
    }
    # A kernel for each row that a fit sees.
    n_seen = len(model.estimators_[0].densities_[3].centres)
    assert abs(n_seen - (360 if novelty else 240)) < 20
    # Set, they are what was asked for.
    set_so = clone(model).set_params(n_folds=3, n_left_out=1).fit(X)
    assert len(set_so.estimators_) == 3


def test_each_fold_has_all_four_with_one_weight_each():
    model = OutlierDetector(random_state=0).fit(draw(300, 0))
    members = model.to_detector().members
    for member in members:
        assert len(member.densities) == 4 * 4
        np.testing.assert_allclose(member.weights.sum(), 1.0)
        np.testing.assert_array_equal(member.weights, members[0].weights)
        np.testing.assert_array_equal(
            member.weights.reshape(4, 4), [member.weights[:4]] * 4
        )


@pytest.mark.parametrize(
    ("novelty", "weights"),
    [(False, [0.25, 0.25, 0.25, 0.25]), (True, [1 / 7, 1 / 7, 2 / 7, 3 / 7])],
)
def test_each_density_has_its_weight_whatever_its_spread(novelty, weights):
    new = draw(2000, 1)
    model = OutlierDetector(novelty=novelty, random_state=0).fit(draw(300, 0))
    member = model.to_detector().members[0]
    logs = np.array([density.logpdf(new) for density in member.densities])
    low, high = np.quantile(logs, (0.25, 0.75), axis=1)
    share = (member.weights * (high - low)).reshape(-1, 4).sum(axis=0)
    np.testing.assert_allclose(share / share.sum(), weights, atol=0.05)


def test_weights_of_kernels_are_repeats():
    X = draw(80, 0)
    weight = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
    repeated = np.repeat(X, weight.astype(int), axis=0)
    one, other = (
        fit_kernels(Rows.of(own, mass), 300, 0, WITHIN)
        for own, mass in ((X, weight), (repeated, None))
    )
    np.testing.assert_allclose(one.logpdf(X), other.logpdf(X), rtol=1e-10)
    once = fit_kernels(Rows.of(X), 300, 0, WITHIN)
    assert np.median(one.widths) < np.median(once.widths)


def test_columns_that_repeat_have_a_mixture_with_the_least_of_noise():
    x = np.random.default_rng(0).normal(size=(150, 1))
    X = np.c_[x, x, np.where(np.abs(x) > 2.3, 1e300, x)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        model = OutlierDetector(novelty=True, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.score_samples([[1.0, -1.0, 1.0]]) < model.offset_


def test_factors_are_of_covariances_and_noise():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 4, 4))
    covariances = roots @ np.swapaxes(roots, 1, 2)
    noise = np.array([0.1, 0.5, 1e-8, 2.0])
    np.testing.assert_allclose(
        _factor(covariances, noise),
        np.linalg.cholesky(covariances + np.diag(noise**2)),
        atol=1e-12,
    )


def test_kernels_are_wide_where_rows_are_few():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(400, 2)), rng.normal(50.0, 5.0, size=(40, 2))]
    density = fit_kernels(Rows.of(X), 1000, 0, np.eye(2))
    few = density.centres.mean(axis=1) > density.centres.mean()
    assert few.sum() == 40
    assert np.median(density.widths[few]) > 5.0 * np.median(density.widths[~few])
    # Twice as far as the fifth neighbour, in each of two columns.
    own = np.sort(np.linalg.norm(density.centres[:1] - density.centres, axis=1))[5]
    np.testing.assert_allclose(density.widths[0], 2.0 * own / np.sqrt(2.0))
    # Or all as wide as in the middle of them.
    same = fit_kernels(Rows.of(X), 1000, 0)
    assert len(same.centres) == 440
    assert len(np.unique(same.widths)) == 1
    near = np.sort(cdist(same.centres, same.centres), axis=1)[:, 5]
    np.testing.assert_allclose(
        same.widths[0], np.median(near) / np.sqrt(2.0), rtol=0.02
    )
    assert len(fit_kernels(Rows.of(X), 100, 0).centres) == 100


def test_distances_are_half_way_between_two_metrics():
    X = draw(500, 0)
    covariance = np.corrcoef(X.T)
    density = fit_kernels(Rows.of(X), 500, 0, covariance)
    Z, log_det = density.map.forward(X)
    np.testing.assert_allclose(density.map.inverse(Z)[0], X, atol=1e-9)
    scaled = (X - density.map.location) / density.map.scale
    np.testing.assert_allclose(
        cdist(Z, Z, "sqeuclidean"),
        cdist(scaled, scaled, "mahalanobis", VI=sqrtm(np.linalg.inv(covariance))) ** 2,
        rtol=1e-6,
        atol=1e-9,
    )
    _, expected = np.linalg.slogdet(density.map.matrix / density.map.scale)
    np.testing.assert_allclose(log_det, expected)
    # What is off a relation between columns is farther than what is along it.
    along, off = density.logpdf(np.array([[1.0, 1.0, 0.0], [0.7, -0.7, 0.0]]))
    plain = fit_kernels(Rows.of(X), 500, 0)
    assert along - off > 2.0 * np.subtract(
        *plain.logpdf(np.array([[1.0, 1.0, 0.0], [0.7, -0.7, 0.0]]))
    )


def test_rows_that_all_repeat_have_kernels_of_a_width():
    X = np.repeat(np.eye(3), 40, axis=0)
    for within in (None, np.zeros((3, 3))):
        density = fit_kernels(Rows.of(X), 300, 0, within)
        assert (density.widths > 0).all()
        assert np.isfinite(density.logpdf(X)).all()


def test_noise_is_of_the_size_of_the_bulk_and_weights_are_repeats():
    rng = np.random.default_rng(0)
    X = np.c_[
        rng.normal(size=4000),
        np.exp(2.0 * rng.normal(size=4000)),
        np.where(rng.uniform(size=4000) < 0.6, 0.0, rng.normal(size=4000)),
    ]
    found = widths(Rows.of(X))
    np.testing.assert_allclose(found[0], 1.0, rtol=0.05)
    assert found[1] < 0.5 * X[:, 1].std()
    np.testing.assert_allclose(found[2], X[:, 2].std(), rtol=0.05)
    noise = np.array([0.2, 0.0, 0.0])
    noisy, weight = add_noise(Rows.of(X), noise, 0)
    assert weight.sum() == len(X)
    np.testing.assert_allclose(
        noisy.std(axis=0)[0] ** 2, 1.04 * X[:, 0].var(), rtol=0.05
    )
    few, times = X[:50], np.arange(50) % 3 + 1.0
    one = add_noise(Rows.of(few, times), noise, 0)
    other = add_noise(Rows.of(np.repeat(few, times.astype(int), axis=0)), noise, 0)
    np.testing.assert_allclose(one[0], other[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(one[1], other[1])


def test_noise_blurs_values_that_are_few_and_next_to_nothing_of_others():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    X = np.c_[x, np.round(x), np.round(10.0 * x) / 10.0, 1e6 * np.round(x, 2)]
    found = size_noise(Rows.of(X)) / widths(Rows.of(X))
    assert found[0] < 0.005
    np.testing.assert_allclose(found[1:3], 0.2)
    np.testing.assert_allclose(found[3], 0.05, rtol=0.1)
    times = np.arange(4000) % 3 + 1
    np.testing.assert_allclose(
        size_noise(Rows.of(X, times.astype(float))),
        size_noise(Rows.of(np.repeat(X, times, axis=0))),
    )


def test_a_value_that_repeats_is_no_spike():
    rng = np.random.default_rng(0)
    x = np.where(rng.uniform(size=(1000, 2)) < 0.3, 0.0, rng.normal(size=(1000, 2)))
    model = OutlierDetector(random_state=0).fit(x)
    scores = model.score_samples([[0.0, 0.0], [0.05, 0.05], [4.0, 4.0]])
    assert scores[0] - scores[1] < 0.3 * (scores[1] - scores[2])


def test_a_file_holds_once_what_several_folds_share():
    X = draw(300, 0)
    whole = OutlierDetector(random_state=0).fit(X).to_detector()
    alone = OutlierDetector(random_state=0, n_left_out=1).fit(X).to_detector()
    # Ten fits for five; each of the ten is in four means.
    assert n_bytes(whole) < 3 * n_bytes(alone)
