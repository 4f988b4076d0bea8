"""A row is mapped as if it stood alone, to the last bit."""

import numpy as np
import pytest

from destructors.maps import Affine, Along, Stretch
from destructors.maps._autoregressive import Linear


def rotation(d):
    return np.linalg.qr(np.random.default_rng(d).normal(size=(d, d)))[0]


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_neighbours_do_not_change_a_bit(d):
    X = np.random.default_rng(0).normal(size=(300, d))
    first = rotation(d)[:, : max(1, d // 2)]
    k = first.shape[1]
    halves = Affine(np.zeros(k), np.full(k, 2.0))
    maps = [
        Affine.rotation(rotation(d)),
        Along(first, halves),
        Stretch(first, np.full(k, 3.0), np.zeros(d), np.ones(d)),
    ]
    some = np.random.default_rng(1).permutation(300)
    for map_ in maps:
        for way in (map_.forward, map_.inverse):
            Z = way(X)[0]
            for n in (1, 2, 63, 64, 65, 129):
                np.testing.assert_array_equal(way(X[some[:n]])[0], Z[some[:n]])
    predict = Linear(first[:, 0], 1.0).predict
    np.testing.assert_array_equal(predict(X[some[:1]]), predict(X)[some[:1]])
    np.testing.assert_allclose(predict(X), X @ first[:, 0] + 1.0)


def test_no_rows():
    assert Affine.rotation(rotation(3)).forward(np.empty((0, 3)))[0].shape == (0, 3)


def test_what_an_affine_map_leads_out_of_float64_ends_there_without_a_warning():
    largest = np.finfo(float).max
    shift = Affine(np.array([1e-303, 1.5e308]), np.array([1e-303, 1e308]))
    X = np.array([[1e6, -1e308], [1e-303, 1.5e308]])
    Z, log_det = shift.forward(X)
    np.testing.assert_allclose(Z, [[largest, -2.5], [0.0, 0.0]])
    assert np.isfinite(log_det).all()
    # The product alone is out of range; the sum is not.
    np.testing.assert_allclose(shift.inverse(np.array([[0.0, -2.5]]))[0][0, 1], -1e308)
