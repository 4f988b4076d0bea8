"""Mixtures of numbers, integers and codes: their mean is one, and what they expect."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import destructors
from destructors.estimators import MixtureDensity
from destructors.maps import CodeForest, Gaussians, IntegerTable
from destructors.maps._gaussians import GRID
from destructors.maps._mixed_mixture import MixedMixture
from destructors.mixture._mixed_average import average


def make_mixture(seed, n_classes):
    """Classes of two numbers, an integer and two codes, the second given the first."""
    rng = np.random.default_rng(seed)

    def shares(*shape):
        table = rng.uniform(0.1, 1.0, shape)
        return table / table.sum(axis=-1, keepdims=True)

    k, values = n_classes, shares(n_classes, 3)
    emissions = (
        Gaussians(rng.normal(size=(k, 2)), np.tile(np.eye(2), (k, 1, 1))),
        IntegerTable(
            np.array([0.0, 4.0]), values[:, :2], values[:, 2], np.zeros(k), np.ones(k)
        ),
        CodeForest(np.array([-1, 0]), (shares(k, 2), shares(k, 2, 3))),
    )
    return MixedMixture(shares(k), emissions, ([0, 3], [1], [2, 4]))


def make_table(n, seed):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "kind": pd.Categorical(kind),
            "other": pd.Categorical((kind + (rng.random(n) < 0.2)) % 4),
            "x": rng.normal(kind * 2.0, 0.5 + 0.5 * (kind % 2)),
            "count": rng.poisson(1.0 + 2.0 * kind),
        }
    )


def test_the_density_is_the_mean_with_and_without_holes():
    mixtures = [make_mixture(0, 2), make_mixture(1, 3), make_mixture(2, 1)]
    mean = average(mixtures)
    rows = mean.sample(200, np.random.RandomState(0))
    for holes in ([], [0], [1, 4], [0, 2, 3]):
        rows[:, holes] = np.nan
        expected = logsumexp([each.logpdf(rows) for each in mixtures], axis=0)
        np.testing.assert_allclose(mean.logpdf(rows), expected - np.log(3), atol=1e-12)


def test_it_errs_less_than_one_mixture_of_as_many_classes():
    how = {"n_components": 8, "marginal": None, "random_state": 0}
    train, new = make_table(150, seed=0), make_table(4000, seed=1)
    single = MixtureDensity(**how).fit(train)
    mean = MixtureDensity(**how, n_folds=5).fit(train)
    assert len(mean.weights_) > 3 * len(single.weights_)
    assert mean.score(new) > single.score(new)


def test_weights_are_repeated_rows():
    table, weight = (
        make_table(200, seed=0),
        np.random.default_rng(0).integers(1, 3, 200),
    )
    how = {"n_components": 2, "marginal": None, "random_state": 0, "n_folds": 3}
    weighted = MixtureDensity(**how).fit(table, sample_weight=weight)
    repeated = MixtureDensity(**how).fit(table.loc[table.index.repeat(weight)])
    np.testing.assert_allclose(
        weighted.score_samples(table), repeated.score_samples(table), atol=1e-6
    )


def test_it_is_saved_and_takes_holes(tmp_path):
    table = make_table(200, seed=0)
    holed = table.astype({"count": "Int64"}).mask(
        np.random.default_rng(0).random(table.shape) < 0.2
    )
    model = MixtureDensity(2, marginal=None, n_folds=3, random_state=0).fit(holed)
    destructors.save(model, tmp_path / "model.npz")
    loaded = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.logpdf(holed), model.score_samples(holed))
    assert not model.predict_missing(holed).isna().any(axis=None)


def test_a_few_rows_have_a_single_mixture():
    few = make_table(3, seed=0)
    how = {"n_components": 1, "marginal": None, "random_state": 0}
    model = MixtureDensity(**how, n_folds=5).fit(few)
    assert len(model.weights_) == 2
    with pytest.raises(ValueError, match="n_folds"):
        MixtureDensity(**how, n_folds=1).fit(few)


def test_expected_codes_are_means_over_draws():
    """What is missing of each row has its probabilities, what is there has one."""
    mixture, rng = make_mixture(0, 3), np.random.RandomState(0)
    rows = mixture.sample(20, rng)
    rows[rng.uniform(size=rows.shape) < 0.5] = np.nan
    sizes = mixture.n_categories
    curves = np.repeat(GRID[:, None], rows.shape[1], axis=1)
    filled, expected = mixture.expect(rows, curves, None, int(sizes.max()))
    np.testing.assert_array_equal(filled, mixture.predict(rows, "mean", curves))
    drawn = mixture.fill(np.repeat(rows, 4000, axis=0), rng).reshape(20, 4000, -1)
    error = 5.0 * drawn.std(axis=1) / np.sqrt(4000)
    d = rows.shape[1]
    assert (abs(expected[:, :d] - drawn.mean(axis=1)) <= error + 1e-12).all()
    codes = np.flatnonzero(sizes)
    shares = [drawn[:, :, [j]] == np.arange(sizes[j]) for j in codes]
    means = np.concatenate(shares, axis=2).mean(axis=1)
    error = 5.0 * np.sqrt(means * (1.0 - means) / 4000) + 5.0 / 4000
    assert (abs(expected[:, d:] - means) <= error).all()
    # Columns of more categories have means alone.
    few, seen = mixture.expect(rows, curves)
    np.testing.assert_array_equal(few, filled)
    np.testing.assert_array_equal(seen, expected[:, :d])
