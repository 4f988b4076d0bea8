"""One tree for all pixels: what it learns, and that images come back."""

import numpy as np
import pytest

from destructors.flows import PatchFlow
from destructors.image import PixelMixtureDestructor, PixelTreeDestructor
from destructors.image._pixel_tree import find_neighbors
from destructors.linear import Whitening
from destructors.maps import PixelTree
from destructors.maps._pixel_tree import _find_leaves


def copies(n, seed=0, n_levels=4):
    """Images of 3 × 4 pixels: each row is the one above, or, rarely, another one."""
    rng = np.random.default_rng(seed)
    levels = np.zeros((n, 3, 4), int)
    levels[:, 0] = rng.integers(n_levels, size=(n, 4))
    for i in (1, 2):
        changed = rng.uniform(size=(n, 4)) < 0.1
        drawn = rng.integers(n_levels, size=(n, 4))
        levels[:, i] = np.where(changed, drawn, levels[:, i - 1])
    return (levels.reshape(n, 12) + rng.uniform(size=(n, 12))) / n_levels


def test_the_score_is_that_of_the_chain_of_levels():
    X, new = copies(4000), copies(1000, seed=1)
    tree = PixelTreeDestructor((3, 4), n_bins=4, bounds=(0, 1)).fit(X)
    levels = (4 * new).astype(int).reshape(-1, 3, 4)
    same = levels[:, 1:] == levels[:, :-1]
    p = np.where(same, 0.9 + 0.1 / 4, 0.1 / 4)
    # Uniform levels in the first row; a density is a probability over 1/4 of length.
    truth = np.log(4 * p).sum(axis=(1, 2))
    assert tree.score(new) == pytest.approx(truth.mean(), abs=0.05)
    np.testing.assert_allclose(tree.score_samples(new), truth, atol=0.8)


@pytest.mark.parametrize("shape", [(3, 4), (1, 12), (12, 1), (2, 2, 3)], ids=str)
def test_images_of_any_shape_come_back(shape):
    X = copies(300)
    tree = PixelTreeDestructor(shape, n_bins=8, bounds=(0, 1), radius=2).fit(X)
    Z, log_det = tree.transform_and_log_det(X)
    back, log_det_back = tree.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-8)


def test_samples_follow_what_was_learned():
    drawn = PixelTreeDestructor((3, 4), n_bins=4, bounds=(0, 1)).fit(copies(4000))
    levels = (4 * drawn.sample(2000, random_state=0)).astype(int).reshape(-1, 3, 4)
    share = np.mean(levels[:, 1:] == levels[:, :-1])
    assert share == pytest.approx(0.925, abs=0.02)


@pytest.mark.parametrize("shape", [(4, 5), (3, 3, 2), (1, 6)], ids=str)
def test_neighbours_are_near_and_come_before(shape):
    d = int(np.prod(shape))
    neighbors, places = find_neighbors(shape, d, 2)
    assert (neighbors < np.arange(d)[:, None]).all()
    rows, columns = places[:, :1], places[:, 1:2]
    seen = neighbors >= 0
    near = np.abs(places[neighbors, 0] - rows) + np.abs(places[neighbors, 1] - columns)
    assert near[seen].max() <= 4
    # The first pixel sees none, and none sees another row's end as its neighbour.
    assert not seen[0].any()
    assert (np.abs(places[neighbors, 1] - columns)[seen] <= 2).all()


def test_loops_find_the_leaves_that_the_plain_form_finds():
    X = copies(500)
    tree = PixelTreeDestructor((3, 4), n_bins=4, bounds=(0, 1)).fit(X)
    map_ = tree.map_
    bins = (4 * X).astype(np.int64)
    found = [np.zeros(bins.shape, np.int64) for _ in range(2)]
    for form, leaves in zip(
        (_find_leaves.compiled, _find_leaves.plain), found, strict=True
    ):
        form(bins, map_.order, *map_._tree, leaves)
    np.testing.assert_array_equal(*found)
    assert tree.n_leaves_ > 2


def test_a_damaged_tree_is_refused():
    map_ = PixelTreeDestructor((3, 4), n_bins=4, bounds=(0, 1)).fit(copies(500)).map_
    fields = dict(map_.field_values())
    with pytest.raises(ValueError, match="a node points where none can be"):
        PixelTree(**fields | {"left": fields["left"][::-1].copy()})
    ahead = fields["neighbors"].copy()
    ahead[0] = 11
    assert map_.is_valid()
    assert not PixelTree(**fields | {"neighbors": ahead}).is_valid()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bounds": (1, 0)}, "bounds must be .low, high."),
        ({"bounds": (0, 0.5)}, "has values outside bounds"),
        ({"image_shape": (5, 5)}, "has 25 values, but X has 12"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        PixelTreeDestructor(**params).fit(copies(50))


def test_levels_of_a_few_last_places_are_refused():
    with pytest.raises(ValueError, match="cannot be parted"):
        PixelTreeDestructor(n_bins=32).fit(1e15 + 8.0 * copies(50))


@pytest.mark.parametrize("model", [PixelTreeDestructor, PixelMixtureDestructor])
def test_no_edge_of_a_bin_lies_on_a_value(model):
    # Of 32 bins from -10 to 10 an edge is 0.
    rng = np.random.default_rng(0)
    X = np.r_[[[-10.0, 10.0]], rng.integers(-10, 11, size=(200, 2))]
    tree = model(n_bins=32, min_samples_leaf=10).fit(X)
    expected = tree.score_samples(X)
    for way in (-np.inf, np.inf):
        beside = tree.score_samples(np.nextafter(X, way))
        np.testing.assert_allclose(beside, expected, rtol=1e-12)


def test_patches_slide_from_layer_to_layer():
    X = np.random.default_rng(0).normal(size=(300, 48)).cumsum(axis=1)
    flow = PatchFlow(
        (6, 8), layer=Whitening(), max_iter=6, early_stopping=False, random_state=0
    ).fit(X)
    assert flow.layer_names_ == [
        "start",
        *(f"patches {offset}" for offset in ("0 0", "2 2", "0 2", "2 0", "0 0")),
    ]
    np.testing.assert_allclose(flow.inverse_transform(flow.transform(X)), X, atol=1e-8)
