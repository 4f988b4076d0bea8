"""BlockGaussianizer: steps, gaps and atoms, and nothing where there are none."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from destructors.compose import make_destructor_pipeline
from destructors.maps._cube import to_cube
from destructors.marginal import BlockGaussianizer, SplineGaussianizer, _blocks

LATTICE = [0, 1, 3, 4, 6, 7]


def lattice_with_gaps(n_samples, seed=0):
    """Integers with uniform noise, of which every third is missing."""
    rng = np.random.default_rng(seed)
    levels = rng.choice(LATTICE, size=(n_samples, 1))
    return levels + rng.uniform(size=(n_samples, 1))


# ---------------------------------------------------------------- the partition


def log_likelihood(edges, counts, cuts, penalty):
    """Penalised log-likelihood of a partition, straight from its definition."""
    value = 0.0
    for start, stop in itertools.pairwise(cuts):
        mass, width = counts[start:stop].sum(), edges[stop] - edges[start]
        if mass > 0:
            value += mass * np.log(mass / (counts.sum() * width))
        value -= penalty
    return value


@pytest.mark.parametrize("penalty", [0.5, 3.0, 50.0])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("search", ["_last_blocks", "_last_blocks_vectorised"])
def test_partition_is_the_best_of_all(penalty, seed, search, monkeypatch):
    monkeypatch.setattr(_blocks, "_last_blocks", getattr(_blocks, search))
    rng = np.random.default_rng(seed)
    edges = np.r_[0.0, np.sort(rng.uniform(size=8)), 1.0]
    counts = rng.poisson(rng.choice([0.0, 3.0, 30.0], size=9)).astype(float)
    counts[0] += 1.0
    partitions = [
        (0, *inner, 9)
        for n_cuts in range(9)
        for inner in itertools.combinations(range(1, 9), n_cuts)
    ]
    best = max(log_likelihood(edges, counts, cuts, penalty) for cuts in partitions)
    cuts = _blocks._best_partition(edges, counts, penalty)
    assert cuts[0] == 0
    assert cuts[-1] == 9
    found = log_likelihood(edges, counts, cuts, penalty)
    assert found == pytest.approx(best, abs=1e-9)


def test_penalty_is_the_price_of_a_block():
    X = lattice_with_gaps(4000)
    n_blocks = [
        BlockGaussianizer(penalty=price).fit(X).n_blocks_[0]
        for price in (1.0, "auto", 100.0, 1e6)
    ]
    assert n_blocks == sorted(n_blocks, reverse=True)
    assert n_blocks[0] > n_blocks[1] > n_blocks[3] == 1


def test_smoothing_fills_empty_blocks():
    X, gap = lattice_with_gaps(4000), np.array([[2.5]])
    scores = [
        BlockGaussianizer(alpha=alpha).fit(X).score(gap)
        for alpha in (1e-300, 0.01, 1.0, 100.0)
    ]
    assert np.isfinite(scores).all()
    assert scores == sorted(scores)
    assert scores[2] < -5.0


# ---------------------------------------------------------------- what it finds


def test_lattice_with_gaps():
    model = BlockGaussianizer().fit(lattice_with_gaps(4000))
    X_test = lattice_with_gaps(20_000, seed=1)
    assert model.score(X_test) == pytest.approx(-np.log(6), abs=0.05)
    smooth = SplineGaussianizer().fit(lattice_with_gaps(4000))
    assert model.score(X_test) > smooth.score(X_test) + 0.03


def test_edges_of_the_blocks_are_those_of_the_gaps():
    model = BlockGaussianizer().fit(lattice_with_gaps(20_000))
    ends = to_cube((np.array([0, 2, 3, 5, 6, 8]) - model.mean_) / model.scale_)
    [edges] = model.block_edges_
    assert np.abs(ends[:, None] - edges).min(axis=1).max() < 1e-3


def test_sharp_edges_of_a_uniform_feature():
    rng = np.random.default_rng(0)
    X, X_test = rng.uniform(3.0, 5.0, (2, 4000, 1))
    model = BlockGaussianizer().fit(X)
    assert model.score(X_test) == pytest.approx(-np.log(2), abs=0.02)
    # Outside there is next to nothing.
    assert model.score([[2.9]]) < -4.0
    assert model.score([[5.1]]) < -4.0


def test_density_is_constant_on_blocks_relative_to_the_base():
    X = lattice_with_gaps(2000)
    model = BlockGaussianizer().fit(X)
    Z = (X - model.mean_) / model.scale_
    base = model.base_distribution_.logpdf(Z) - np.log(model.scale_).sum()
    [edges], [probabilities] = model.block_edges_, model.probabilities_
    assert probabilities.sum() == pytest.approx(1.0)
    block = np.searchsorted(edges, to_cube(Z[:, 0]), side="right") - 1
    expected = np.log(probabilities / np.diff(edges))[block]
    np.testing.assert_allclose(model.score_samples(X) - base, expected, atol=1e-8)


def test_an_atom_is_a_narrow_block():
    rng = np.random.default_rng(0)
    draw = lambda: np.where(rng.uniform(size=3000) < 0.4, 0.0, rng.normal(size=3000))
    x, x_test = draw()[:, None], draw()[:, None]
    model = BlockGaussianizer().fit(x)
    normal = BlockGaussianizer(penalty=1e9).fit(x)
    assert model.score(x_test) > normal.score(x_test) + 1.0
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(x_test)), x_test, atol=1e-9
    )


@pytest.mark.parametrize(
    "x",
    [
        np.full(50, 3.0),
        np.repeat([0.0, 1.0], [300, 100]),
        np.repeat([1e9, np.nextafter(1e9, 2e9)], [300, 100]),
        np.random.default_rng(0).integers(0, 9, size=400).astype(float),
        np.r_[np.random.default_rng(0).normal(size=100), 1e12],
        np.random.default_rng(0).standard_cauchy(size=1000),
    ],
    ids=["constant", "two-values", "neighbours", "integers", "outlier", "cauchy"],
)
def test_odd_columns_stay_finite_and_invertible(x):
    model = BlockGaussianizer().fit(x[:, None])
    [edges] = model.block_edges_
    assert (np.diff(edges) > 0).all()
    for factor in (1.0, 100.0):
        Z, log_det = model.transform_and_log_det(factor * x[:, None])
        assert np.isfinite(Z).all()
        assert np.isfinite(log_det).all()
        np.testing.assert_allclose(
            model.inverse_transform(Z)[:, 0],
            factor * x,
            rtol=1e-7,
            atol=1e-7 * max(np.ptp(x), 1e-7),
        )


def test_strictly_increasing():
    model = BlockGaussianizer().fit(lattice_with_gaps(2000))
    grid = np.linspace(-15, 25, 4001)[:, None]
    assert (np.diff(model.transform(grid)[:, 0]) > 0).all()


# ---------------------------------------------------------------- and what not


@pytest.mark.parametrize("seed", range(5))
def test_normal_data_are_left_alone(seed):
    X = np.random.default_rng(seed).normal(2.0, 3.0, size=(2000, 4))
    model = BlockGaussianizer().fit(X)
    np.testing.assert_array_equal(model.n_blocks_, 1)
    expected = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-9)


@pytest.mark.parametrize("law", ["normal", "exponential", "logistic", "gumbel"])
def test_smooth_data_behind_a_smooth_marginal_are_left_alone(law):
    rng = np.random.default_rng(0)
    X, X_test = (getattr(rng, law)(size=(n, 3)) for n in (3000, 10_000))
    smooth = SplineGaussianizer().fit(X)
    both = make_destructor_pipeline(SplineGaussianizer(), BlockGaussianizer()).fit(X)
    assert both.score(X_test) == pytest.approx(smooth.score(X_test), abs=1e-4)


# ---------------------------------------------------------------- weights, threads


def test_integer_weights_equal_repeated_rows():
    X = np.c_[lattice_with_gaps(1500), np.random.default_rng(0).exponential(size=1500)]
    weight = np.random.default_rng(1).integers(0, 4, size=1500)
    weighted = BlockGaussianizer().fit(X, sample_weight=weight)
    repeated = BlockGaussianizer().fit(np.repeat(X, weight, axis=0))
    assert weighted.n_blocks_.min() > 1
    for j in range(2):
        np.testing.assert_allclose(weighted.block_edges_[j], repeated.block_edges_[j])
        np.testing.assert_allclose(
            weighted.probabilities_[j], repeated.probabilities_[j]
        )


def test_threads_give_the_same():
    X = np.hstack([lattice_with_gaps(1000, seed) for seed in range(5)])
    crowd = np.resize(X, (60_000, 5))
    one, two = (BlockGaussianizer(n_jobs=n).fit(X) for n in (1, 2))
    np.testing.assert_array_equal(one.transform(crowd), two.transform(crowd))


def test_number_of_threads_can_be_an_integer_of_numpy():
    X = lattice_with_gaps(100)
    plain = BlockGaussianizer().fit(X)
    assert BlockGaussianizer(n_jobs=np.int64(1)).fit(X).map_ == plain.map_


@pytest.mark.parametrize("bad", [{"penalty": 0.0}, {"penalty": "bic"}, {"alpha": 0.0}])
def test_bad_parameters(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        BlockGaussianizer(**bad).fit(lattice_with_gaps(100))


# ---------------------------------------------------------------- public data


@pytest.mark.skipif(
    "DESTRUCTORS_DATA" not in os.environ,
    reason="the environment variable DESTRUCTORS_DATA names no folder of data sets",
)
def test_rounded_columns_of_public_data():
    folder = Path(os.environ["DESTRUCTORS_DATA"], "density")
    with np.load(folder / "satellite.npz") as parts:
        train, test = parts["train"], parts["test"]
    smooth = SplineGaussianizer().fit(train)
    both = make_destructor_pipeline(SplineGaussianizer(), BlockGaussianizer())
    assert both.fit(train).score(test) >= smooth.score(test) + 6.0
    error = np.abs(both.inverse_transform(both.transform(test)) - test)
    assert error.max() < 1e-8
