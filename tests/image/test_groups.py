"""Groups of features and of pixels, and pyramids of images of any shape."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors.flows import GaussianCopula
from destructors.image import (
    FeatureGroups,
    HaarPyramid,
    ImageFeaturePairs,
    ImagePatches,
    RandomFeaturePairs,
)
from destructors.linear import Whitening
from destructors.marginal import NormalCDF, SplineGaussianizer
from destructors.tree import TreeDestructor

SHAPES = [(4, 6), (5, 7), (1, 9), (3, 3, 3), (5, 4, 1)]
GROUPINGS = [
    RandomFeaturePairs(),
    *(
        ImageFeaturePairs(direction=direction, offset=offset, wrap=wrap)
        for direction in [*ImageFeaturePairs.DIRECTIONS, (2, -3)]
        for offset in (0, 1)
        for wrap in (True, False)
    ),
    *(
        ImagePatches(patch_shape=(2, 3), offset=offset, wrap=wrap)
        for offset in [(0, 0), (1, 2), (-1, 7)]
        for wrap in (True, False)
    ),
]


def groups_of(grouping, shape):
    if "image_shape" in grouping.get_params():
        grouping.set_params(image_shape=shape)
    return grouping.make_groups(int(np.prod(shape)), np.random.RandomState(0))


@pytest.mark.parametrize("grouping", GROUPINGS, ids=str)
def test_no_feature_is_in_two_groups(grouping):
    for shape in SHAPES:
        grouped = np.concatenate([part.ravel() for part in groups_of(grouping, shape)])
        d = np.prod(shape)
        assert len(np.unique(grouped)) == len(grouped) <= d
        assert set(grouped) <= set(range(d))
        if isinstance(grouping, ImagePatches):
            assert len(grouped) == d


@pytest.mark.parametrize("direction", ImageFeaturePairs.DIRECTIONS)
@pytest.mark.parametrize("wrap", [True, False])
def test_partners_are_one_direction_apart_and_of_one_channel(direction, wrap):
    shape = (4, 6, 3)
    [pairs] = groups_of(ImageFeaturePairs(direction=direction, wrap=wrap), shape)
    row, column, channel = np.unravel_index(pairs, shape)
    assert (channel[:, 0] == channel[:, 1]).all()
    step = np.stack([np.diff(row)[:, 0], np.diff(column)[:, 0]], axis=1)
    off = step - direction
    assert (off % shape[:2] == 0).all() if wrap else (off == 0).all()


def test_eight_layers_pair_a_pixel_with_its_eight_neighbours():
    partners = set()
    for direction in ImageFeaturePairs.DIRECTIONS:
        for offset in (0, 1):
            pairs = ImageFeaturePairs(direction=direction, offset=offset)
            [found] = groups_of(pairs, (6, 8))
            assert len(found) == 24
            [[i, j]] = np.argwhere(found == 19)
            partners.add(int(found[i, 1 - j]))
    row, column = divmod(19, 8)
    around = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
    assert partners == {8 * (row + a) + column + b for a, b in around}


def test_patches_hold_all_channels_of_neighbours():
    [patches] = groups_of(ImagePatches(patch_shape=(2, 2), offset=(0, 1)), (2, 4, 2))
    assert patches.tolist() == [
        [2, 3, 4, 5, 10, 11, 12, 13],
        [6, 7, 0, 1, 14, 15, 8, 9],
    ]


def test_patches_end_at_the_border_without_wrap():
    parts = groups_of(
        ImagePatches(patch_shape=(1, 2), offset=(0, 1), wrap=False), (1, 4)
    )
    assert [part.tolist() for part in parts] == [[[0], [3]], [[1, 2]]]


def assert_comes_back(layer, X):
    Z, log_det = layer.fit(X).transform_and_log_det(X)
    back, log_det_back = layer.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0.0, atol=1e-8)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("grouping", GROUPINGS, ids=str)
def test_images_of_any_shape_come_back_through_any_grouping(grouping, shape, shared):
    X = np.random.RandomState(0).normal(size=(60, np.prod(shape))).cumsum(axis=1)
    if "image_shape" in grouping.get_params():
        grouping = clone(grouping).set_params(image_shape=shape)
    groups = FeatureGroups(Whitening(), grouping, shared=shared, random_state=0)
    assert_comes_back(groups, X)


@pytest.mark.parametrize("n_levels", [None, 1, 2])
@pytest.mark.parametrize("shape", [*SHAPES, (2, 1), (7, 1, 2)], ids=str)
def test_images_of_any_shape_come_back_through_pyramids(shape, n_levels):
    X = np.random.RandomState(0).normal(size=(60, np.prod(shape))).cumsum(axis=1)
    assert_comes_back(HaarPyramid(shape, n_levels=n_levels), X)


def test_a_shared_fit_is_that_to_the_rows_of_all_groups():
    X = np.random.default_rng(0).gamma(2.0, size=(200, 6))
    groups = ImagePatches(patch_shape=(1, 3))
    layer = FeatureGroups(Whitening(), groups, shared=True).fit(X)
    alone = Whitening().fit(X.reshape(-1, 3))
    scores = alone.score_samples(X.reshape(-1, 3)).reshape(-1, 2).sum(axis=1)
    np.testing.assert_allclose(layer.score_samples(X), scores, atol=1e-9)


def test_the_score_is_the_sum_of_the_scores_of_groups():
    X = np.random.default_rng(0).gamma(2.0, size=(200, 5))
    layer = FeatureGroups(GaussianCopula(), ImageFeaturePairs(), n_jobs=2).fit(X)
    assert [group.tolist() for group in layer.groups_] == [[0, 1], [2, 3]]
    scores = sum(
        part.score_samples(X[:, group])
        for part, group in zip(layer.destructors_, layer.groups_, strict=True)
    )
    # The feature that is left alone stays what it is: standard normal.
    scores -= 0.5 * X[:, 4] ** 2 + 0.5 * np.log(2.0 * np.pi)
    np.testing.assert_allclose(layer.score_samples(X), scores, atol=1e-9)
    np.testing.assert_array_equal(layer.transform(X)[:, 4], X[:, 4])


def test_random_groups_do_not_depend_on_threads():
    X = np.random.default_rng(0).gamma(2.0, size=(300, 6))
    tree = TreeDestructor(splitter="random", max_leaf_nodes=8)
    one, two = (
        FeatureGroups(tree, n_jobs=n_jobs, random_state=0).fit(X) for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.score_samples(X), two.score_samples(X))


def test_the_pyramid_is_the_haar_transform():
    image = np.arange(16.0).reshape(1, 16)
    model = HaarPyramid((4, 4)).fit(np.r_[image, image])
    coefficients = model.transform(image).reshape(4, 4)
    assert coefficients[0, 0] == pytest.approx(image.sum() / 4)
    # Differences along a row are one, and along a column four, everywhere.
    np.testing.assert_allclose(coefficients[:2, 2:], -1.0)
    np.testing.assert_allclose(coefficients[2:, :2], -4.0)
    np.testing.assert_allclose(coefficients[2:, 2:], 0.0, atol=1e-12)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 1), (7, 1, 2)], ids=str)
def test_pyramids_are_orthogonal_and_end_on_one_pixel(shape):
    d = int(np.prod(shape))
    model = HaarPyramid(shape).fit(np.random.default_rng(0).normal(size=(5, d)))
    np.testing.assert_allclose(
        model.rotation_ @ model.rotation_.T, np.eye(d), atol=1e-12
    )
    assert model.coarse_shape_ == (1, 1)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (HaarPyramid((2, 2)), "image_shape=.2, 2. has 4 values, but X has 6 feature"),
        (HaarPyramid((6,)), "image_shape must be .height, width."),
        (HaarPyramid((2, -3)), "image_shape must be"),
        (HaarPyramid(n_levels=0), "n_levels"),
        (
            FeatureGroups(Whitening(), ImagePatches(patch_shape=(0, 2))),
            "patch_shape must be two integers of at least 1",
        ),
        (
            FeatureGroups(Whitening(), ImageFeaturePairs(direction=(0, 0))),
            "leads from a pixel to itself",
        ),
        (FeatureGroups(Whitening(), ImageFeaturePairs(offset=2)), "offset"),
        (FeatureGroups(NormalCDF()), "must end on the standard normal"),
    ],
)
def test_what_does_not_fit_is_refused(layer, message):
    X = np.random.default_rng(0).normal(size=(50, 6))
    with pytest.raises(ValueError, match=message):
        layer.fit(X)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (FeatureGroups("whitening"), "destructor must be a Destructor"),
        (FeatureGroups(SplineGaussianizer(), [[0, 1]]), "groups must be a grouping"),
    ],
)
def test_what_is_no_layer_is_refused(layer, message):
    with pytest.raises(TypeError, match=message):
        layer.fit(np.random.default_rng(0).normal(size=(50, 6)))
