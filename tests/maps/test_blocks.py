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
