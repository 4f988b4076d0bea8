"""Shapes that guide a tree of pixels: what they learn, and that images come back."""

import numpy as np
import pytest

from destructors.image import PixelMixtureDestructor, PixelTreeDestructor
from destructors.maps import PixelMixture
from destructors.maps._pixel_mixture_kernels import find_leaves, find_masses


def shapes(n, seed=0):
    """Images of 4 × 5 pixels, each near one of three, and which."""
    rng = np.random.default_rng(seed)
    known = np.random.default_rng(7).integers(2, size=(3, 20))
    which = rng.integers(3, size=n)
    flipped = rng.uniform(size=(n, 20)) < 0.05
    return (
        (np.where(flipped, 1 - known[which], known[which]) + rng.uniform(size=(n, 20)))
        / 2,
        known,
        which,
    )


def test_the_score_is_that_of_the_mixture_of_shapes():
    X, known, _ = shapes(3000)
    new, _, _ = shapes(1000, seed=1)
    model = PixelMixtureDestructor((4, 5), n_components=3, n_bins=2, bounds=(0, 1))
    model.fit(X)
    wrong = ((2 * new).astype(int)[:, None] != known).sum(axis=2)
    each = wrong * np.log(0.05) + (20 - wrong) * np.log(0.95)
    truth = np.log(np.exp(each).mean(axis=1)) + 20 * np.log(2)
    assert model.score(new) == pytest.approx(truth.mean(), abs=0.15)
    np.testing.assert_allclose(np.sort(model.weights_), 1 / 3, atol=0.05)
    near = np.abs(model.shapes_[:, None] - known).mean(axis=2)
    assert near.min(axis=1).max() < 0.1


def test_a_sample_is_of_one_shape_where_neighbours_are_too_few_to_tell():
    X, known, _ = shapes(3000)
    settings = {"n_bins": 2, "bounds": (0, 1), "radius": 1}
    mixture = PixelMixtureDestructor((4, 5), n_components=3, **settings).fit(X)
    drawn = (2 * mixture.sample(1000, random_state=0)).astype(int)
    wrong = (drawn[:, None] != known).sum(axis=2).min(axis=1)
    assert np.mean(wrong) == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("shape", [(3, 4), (1, 12), (2, 2, 3), None], ids=str)
def test_images_of_any_shape_come_back(shape):
    X = np.random.default_rng(0).uniform(size=(300, 12)).cumsum(axis=1)
    model = PixelMixtureDestructor(shape, n_components=3, n_bins=8).fit(X)
    far = np.vstack([X, X + 100.0, -X - 100.0])
    Z, log_det = model.transform_and_log_det(far)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, far, atol=1e-7)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-7)


def test_one_component_tells_no_less_than_a_tree_of_pixels():
    X, _, _ = shapes(2000)
    new, _, _ = shapes(500, seed=1)
    settings = {"n_bins": 2, "bounds": (0, 1)}
    one = PixelMixtureDestructor((4, 5), n_components=1, **settings).fit(X)
    tree = PixelTreeDestructor((4, 5), **settings).fit(X)
    # Its one shape tells how often each pixel is on.
    assert one.score(new) > tree.score(new) - 0.05


def test_loops_find_the_leaves_that_the_plain_form_finds():
    X, _, _ = shapes(500)
    settings = {"n_components": 3, "n_bins": 2, "bounds": (0, 1)}
    map_ = PixelMixtureDestructor((4, 5), **settings).fit(X).map_
    bins = (2 * X).astype(np.int64)
    nodes = map_.feature, map_.threshold, map_.left
    for j in (0, 7, 19):
        found = [np.zeros((500, 3), np.int64) for _ in range(2)]
        for form, leaves in zip(
            (find_leaves.compiled, find_leaves.plain), found, strict=True
        ):
            form(bins, map_.neighbors[j], map_.guides[j], *nodes, leaves)
        np.testing.assert_array_equal(*found)


def test_a_damaged_mixture_is_refused():
    X, _, _ = shapes(500)
    settings = {"n_components": 3, "n_bins": 2, "bounds": (0, 1)}
    map_ = PixelMixtureDestructor((4, 5), **settings).fit(X).map_
    fields = dict(map_.field_values())
    with pytest.raises(ValueError, match="a node points where none can be"):
        PixelMixture(**fields | {"shares": fields["shares"][:2]})
    ahead = fields["neighbors"].copy()
    ahead[0] = 11
    assert map_.is_valid()
    assert not PixelMixture(**fields | {"neighbors": ahead}).is_valid()


def test_loops_find_the_masses_and_bins_that_the_plain_forms_find():
    X, _, _ = shapes(500)
    model = PixelMixtureDestructor((4, 5), n_components=3, n_bins=4, bounds=(0, 1))
    map_ = model.fit(X).map_
    bins = np.minimum((4 * X).astype(np.int64), 3)
    compiled, plain = ([np.full(X.shape, np.nan) for _ in range(3)] for _ in range(2))
    given = np.full(X.shape, np.nan), np.full(X.shape, np.nan)
    find_masses.compiled(bins, False, *given, map_._learned, *compiled)
    find_masses.plain(bins, False, *given, map_._learned, *plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12)
    mass, under, over = plain
    np.testing.assert_allclose(mass + under + over, 1.0, rtol=1e-12)
    # Halfway through each bin.
    middle = under + 0.5 * mass, over + 0.5 * mass
    for kernel in (find_masses.compiled, find_masses.plain):
        found = [np.full(X.shape, np.nan) for _ in range(3)]
        bins_found = np.full(X.shape, -7)
        kernel(bins_found, True, *middle, map_._learned, *found)
        np.testing.assert_array_equal(bins_found, bins)
        np.testing.assert_allclose(found, plain, rtol=1e-12)


@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_neighbours_do_not_change_a_bit(way):
    X, _, _ = shapes(300)
    settings = {"n_components": 3, "n_bins": 2, "bounds": (0, 1)}
    map_ = PixelMixtureDestructor((4, 5), **settings).fit(X).map_
    Z = X if way == "forward" else map_.forward(X)[0]
    all_rows, log_det = getattr(map_, way)(Z)
    some = np.random.default_rng(0).permutation(300)[:7]
    few, log_det_few = getattr(map_, way)(Z[some])
    np.testing.assert_array_equal(few, all_rows[some])
    np.testing.assert_array_equal(log_det_few, log_det[some])
