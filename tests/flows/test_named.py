"""Flows by name: what they are made of, and what they reach."""

import numpy as np
import pytest

from destructors.datasets import make_concentric_circles
from destructors.flows import (
    DeepCopula,
    GaussianCopula,
    ImagePairsCopula,
    ImagePairsTree,
    PatchFlow,
    RandomLinearFlow,
    RandomTreeFlow,
)
from destructors.linear import Whitening
from destructors.marginal import BlockGaussianizer, HistogramGaussianizer


@pytest.mark.parametrize("flow", [RandomLinearFlow, RandomTreeFlow])
def test_random_directions_find_circles(flow):
    X = make_concentric_circles(1400, random_state=3)
    model = flow(max_iter=25, random_state=0).fit(X[:1000])
    gaussian = Whitening().fit(X[:1000]).score(X[1000:])
    assert model.score(X[1000:]) > gaussian + 0.4
    assert model.layer_names_ == ["start"] + ["layer"] * (model.n_iter_ - 1)
    Z = model.transform(X)
    np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-8)


def images(n, shape, seed=0):
    """Bright bars with noise: pixels that neighbours tell much of, and not linearly."""
    rng = np.random.default_rng(seed)
    height, width = shape
    place = rng.integers(width, size=(n, 1, 1))
    bars = np.abs(np.arange(width) - place) < 1.5
    X = 0.1 + 0.6 * bars + 0.05 * rng.normal(size=(n, height, width))
    return np.clip(X, 0.001, 0.999).reshape(n, -1)


PIXELS = HistogramGaussianizer(n_bins=20, strategy="uniform", bounds=(0, 1))


@pytest.mark.parametrize("flow", [DeepCopula, ImagePairsCopula, ImagePairsTree])
def test_images_gain_over_their_pixels(flow):
    X, new = images(800, (3, 5)), images(300, (3, 5), seed=1)
    model = flow((3, 5), marginal=PIXELS, max_iter=4, random_state=0).fit(X)
    pixels = PIXELS.fit(X).score(new)
    assert model.n_iter_ > 1
    assert model.score(new) > pixels + 1.5
    Z = model.transform(new)
    np.testing.assert_allclose(model.inverse_transform(Z), new, atol=1e-8)
    drawn = model.sample(50, random_state=0)
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize("shape", [(3, 5), (1, 7), (3, 3, 3), (5, 2, 1)], ids=str)
@pytest.mark.parametrize(
    "flow", [DeepCopula, ImagePairsCopula, ImagePairsTree, PatchFlow]
)
def test_images_of_any_shape_come_back(flow, shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, int(np.prod(shape)))).cumsum(axis=1)
    model = flow(shape, early_stopping=False, max_iter=3, random_state=0).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0.0, atol=1e-8)


def test_a_deep_copula_begins_with_a_copula():
    X, new = images(800, (3, 5)), images(300, (3, 5), seed=1)
    deep = DeepCopula((3, 5), marginal=PIXELS, random_state=0).fit(X)
    assert deep.layer_names_[:2] == ["start", "layer"]
    assert deep.score(new) > GaussianCopula(PIXELS).fit(X).score(new)


def test_pairs_take_eight_directions_by_turns():
    X = images(200, (4, 4))
    model = ImagePairsCopula(
        (4, 4), early_stopping=False, max_iter=10, random_state=0
    ).fit(X)
    assert len(set(model.layer_names_[1:9])) == 8
    assert model.layer_names_[9] == model.layer_names_[1]


def test_bounds_place_the_bins_of_a_histogram():
    rng = np.random.default_rng(0)
    levels = rng.binomial(3, 0.2, size=(5000, 2))
    X = (levels + rng.uniform(size=(5000, 2))) / 4
    model = HistogramGaussianizer(
        n_bins=4, strategy="uniform", bounds=(0, 1), alpha=1e-9
    ).fit(X)
    shares = np.array([np.bincount(column, minlength=4) for column in levels.T]) / 5000
    # Uniform in each bin: the density is that of the level, less what the tails hold.
    truth = np.log(4 * shares[[0, 1], levels]).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(X), truth, atol=1e-3)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bounds": (0, 1)}, "bounds are for the strategy"),
        ({"bounds": (1, 0), "strategy": "uniform"}, "must be .low, high."),
        ({"bounds": (0, 0.5), "strategy": "uniform"}, "Column 0 has values outside"),
    ],
)
def test_bounds_that_do_not_fit_are_refused(params, message):
    X = np.random.default_rng(0).uniform(size=(50, 2))
    with pytest.raises(ValueError, match=message):
        HistogramGaussianizer(**params).fit(X)


def test_blocks_of_equal_width_are_a_histogram_pulled_to_the_normal():
    X = np.random.default_rng(0).uniform(-1.0, 1.0, size=(4000, 1))
    free, pulled = (
        BlockGaussianizer(n_blocks=10, alpha=alpha).fit(X) for alpha in (0.1, 4000.0)
    )
    assert free.n_blocks_[0] == pulled.n_blocks_[0] == 10
    np.testing.assert_allclose(np.diff(free.block_edges_[0]), 0.1, atol=0.01)
    gaussian = Whitening().fit(X).score(X)
    assert gaussian < pulled.score(X) < free.score(X)


@pytest.mark.parametrize("n_rows", [2, 4, 7])
def test_patches_of_few_images_have_fewer_components(n_rows):
    X = np.random.default_rng(0).normal(size=(n_rows, 12))
    model = PatchFlow((3, 4), max_iter=3, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
