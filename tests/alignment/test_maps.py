"""The maps that alignment is made of: closed forms, inverses, files."""

import numpy as np
import pytest

import destructors
from destructors.maps import Affine, Along, Density, Identity, Switch
from destructors.maps._cells import Cells
from destructors.maps._spline import RationalQuadraticSpline
from destructors.maps._stretch import Stretch

rng = np.random.default_rng(0)
FRAME = np.linalg.qr(rng.normal(size=(4, 4)))[0][:, :2]


def spline(n_columns, seed):
    rng = np.random.default_rng(seed)
    knots, values = np.sort(rng.normal(size=(2, n_columns, 5)), axis=2)
    return RationalQuadraticSpline.of(
        knots, values, rng.uniform(0.3, 3, (n_columns, 5))
    )


def shift(by):
    return Affine(np.full(3, -by), np.ones(3))


MAPS = {
    "stretch": Stretch(FRAME, np.array([0.2, 4.0]), rng.normal(size=4), np.ones(4)),
    "along": Along(FRAME, spline(2, 0)),
    "along-switch": Along(FRAME, Switch((spline(2, 0), spline(2, 1)))),
    "cells": Cells(
        2, spline(1, 0), np.array([-0.5, 0.5]), (shift(1), spline(3, 2), shift(2))
    ),
    "cells-switch": Cells(
        0, spline(1, 0), np.array([0.0]), (Switch((shift(1), shift(3))), Identity())
    ),
    "cells-of-cells": Cells(
        1,
        Identity(),
        np.array([0.0]),
        (
            spline(3, 3),
            Cells(0, spline(1, 4), np.array([0.1]), (spline(2, 5), spline(2, 6))),
        ),
    ),
}
each_map = pytest.mark.parametrize("map_", MAPS.values(), ids=MAPS)


@pytest.fixture
def X():
    return 2.0 * np.random.default_rng(1).normal(size=(300, 4))


@pytest.fixture
def context():
    return np.random.default_rng(2).integers(0, 2, size=300)


@each_map
def test_inverse_and_log_det(map_, X, context):
    Z, log_det = map_.forward(X, context)
    back, back_log_det = map_.inverse(Z, context)
    np.testing.assert_allclose(back, X, atol=1e-9)
    np.testing.assert_allclose(log_det + back_log_det, 0.0, atol=1e-9)
    step = 1e-6
    columns = [
        map_.forward(X + step * axis, context)[0]
        - map_.forward(X - step * axis, context)[0]
        for axis in np.eye(4)
    ]
    numerical = np.linalg.slogdet(np.stack(columns, axis=2) / (2 * step))[1]
    # A knot or a cut within the step mixes two slopes.
    assert np.mean(np.abs(numerical - log_det) < 1e-5) > 0.98


@each_map
def test_rows_do_not_depend_on_each_other(map_, X, context):
    whole = map_.forward(X, context)[0]
    parts = [map_.forward(X[i : i + 1], context[i : i + 1])[0] for i in range(50)]
    np.testing.assert_allclose(np.vstack(parts), whole[:50], atol=1e-12)


@each_map
def test_files(map_, X, context, tmp_path):
    destructors.save(Density(map_, None, 4), tmp_path / "map.npz")
    loaded = destructors.load(tmp_path / "map.npz")
    assert loaded.map == map_
    for given, expected in zip(
        loaded.forward(X, context), map_.forward(X, context), strict=True
    ):
        np.testing.assert_array_equal(given, expected)


def test_stretch_of_a_frame_is_a_symmetric_matrix(X):
    map_ = MAPS["stretch"]
    matrix = np.eye(4) + FRAME @ np.diag([-0.8, 3.0]) @ FRAME.T
    Z, log_det = map_.forward(X)
    np.testing.assert_allclose(Z, (X - map_.location) @ matrix + 1.0, atol=1e-12)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1])


def test_across_the_directions_nothing_changes(X):
    Z, _ = MAPS["along"].forward(X)
    across = np.eye(4) - FRAME @ FRAME.T
    np.testing.assert_allclose(Z @ across, X @ across, atol=1e-12)
    np.testing.assert_allclose(
        Z @ FRAME, spline(2, 0).forward(X @ FRAME)[0], atol=1e-12
    )


def test_a_value_on_a_cut_belongs_to_the_cell_before():
    cells = Cells(0, Identity(), np.array([0.0, 1.0]), (shift(1), shift(2), shift(3)))
    X = np.zeros((5, 4))
    X[:, 0] = [-1.0, 0.0, 0.5, 1.0, 1.5]
    Z, _ = cells.forward(X)
    np.testing.assert_array_equal(Z[:, 1], [1.0, 1.0, 2.0, 2.0, 3.0])
    np.testing.assert_array_equal(cells.inverse(Z)[0], X)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_what_is_not_stretched_keeps_its_digits(factor):
    """However far from the location, and the direction alone is rounded by that."""
    far, first = np.full(2, 1e12), np.eye(2)[:, :1]
    X = np.random.default_rng(0).normal(size=(20, 2))
    Z = Stretch(first, np.array([factor]), far, far).forward(X)[0]
    np.testing.assert_array_equal(Z[:, 1], X[:, 1])
    if factor == 1.0:
        np.testing.assert_array_equal(Z, X)


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_stretches_near_the_largest_number_do_not_overflow(factor):
    far = np.array([1.6e308, 0.0])
    stretch = Stretch(np.eye(2)[:, :1], np.array([factor]), far, -0.75 * far)
    X = np.array([[-1.6e308, 1.0], [1.6e308, 2.0], [1.5e308, 3.0]])
    Z = stretch.forward(X)[0]
    assert np.isfinite(Z).all()
    # A tenth of 1e308 below the location, times the factor, and moved.
    np.testing.assert_allclose(Z[1:, 0], [-1.2e308, -1.2e308 - factor * 1e307])
    np.testing.assert_array_equal(Z[:, 1], X[:, 1])
    np.testing.assert_allclose(stretch.inverse(Z[1:])[0], X[1:])
