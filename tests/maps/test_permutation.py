"""Permutation: exact both ways, and the same by either path."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from destructors.base_distributions import IndependentCategorical
from destructors.maps import Chain, Density, Identity, load
from destructors.maps._permutation import Permutation, _apply, _apply_vectorised

SIZES = np.array([3, 2, 4])


def fork():
    """Rows with code 1 of the first column go left, and change in the others."""
    stay = [0, 1, 2, 0, 1, 0, 1, 2, 3]
    return Permutation(
        SIZES,
        features=np.array([0, -1, -1]),
        children=np.array([[1, 2], [0, 0], [1, 1]]),
        before=np.array([[False, True, False, False]] + [[False] * 4] * 2),
        after=np.array([[False, True, False, False]] + [[False] * 4] * 2),
        places=np.array([[0, 1, 2, 1, 0, 3, 2, 1, 0], stay], dtype=np.int32),
    )


def cells():
    return np.array(list(itertools.product(*map(range, SIZES))))


def expected(X):
    left = X[:, 0] == 1
    return np.where(left[:, None], np.stack([X[:, 0], 1 - X[:, 1], 3 - X[:, 2]], 1), X)


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_codes_change_places(dtype, order):
    X = cells().astype(dtype, order=order)
    Z, log_det = fork().forward(X)
    np.testing.assert_array_equal(Z, expected(cells()))
    assert Z.dtype == np.int64
    assert (log_det == 0).all()
    back, log_det = fork().inverse(Z.astype(dtype, order=order))
    np.testing.assert_array_equal(back, cells())
    assert (log_det == 0).all()


def test_leaves_and_depth():
    assert len(fork()) == 2
    assert fork().depth == 1
    assert not fork().feature_wise


@pytest.mark.parametrize("value", [-1, 4, 0.5, np.nan, np.inf])
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_rows_that_are_no_codes(way, value):
    rows = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, value]])
    with pytest.raises(ValueError, match=r"integer codes .* below \[3, 2, 4\]"):
        getattr(fork(), way)(rows)


@pytest.mark.parametrize("n_columns", [1, 2, 4])
def test_rows_of_another_width(n_columns):
    with pytest.raises(ValueError, match="integer codes"):
        fork().forward(np.zeros((5, n_columns)))


def test_paths_agree():
    part, X = fork(), cells()
    for goes_left, table in ((part.before, part.places), (part.after, part._codes)):
        found = []
        for apply in (_apply, _apply_vectorised):
            Z = np.empty_like(X)
            tree = part.features, part.children
            apply(X, *tree, goes_left, table, part._starts, Z)
            found.append(Z)
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", [3, -1, -1]),
        ("features", [0, -1, 0]),
        ("children", [[0, 2], [0, 0], [1, 1]]),
        ("children", [[1, 3], [0, 0], [1, 1]]),
        ("children", [[1, 2], [0, 0], [2, 1]]),
        ("children", [[1, 2], [-1, 0], [1, 1]]),
        ("children", [[1, 2], [0, 0]]),
        ("before", [[False, True, False]] * 3),
        ("after", [[False, True, False, False]] * 2),
        ("places", [[0, 1, 2, 1, 0, 3, 2, 1, 4]] * 2),
        ("places", [[-1, 1, 2, 1, 0, 3, 2, 1, 0]] * 2),
        ("places", [[0, 1, 2, 1, 0, 3, 2, 1]] * 2),
        ("places", [0, 1, 2, 1, 0, 3, 2, 1, 0]),
        ("sizes", [3, 2, 5]),
        ("sizes", [9, 0, 0]),
        ("sizes", []),
    ],
)
def test_arrays_of_a_damaged_file_are_refused(field, value):
    part = fork()
    damaged = np.array(value, dtype=getattr(part, field).dtype)
    with pytest.raises(ValueError, match="Permutation needs nodes"):
        replace(part, **{field: damaged})


def test_saved_and_loaded(tmp_path):
    base = IndependentCategorical([[0.2, 0.3, 0.5], [0.5, 0.5], [0.1, 0.2, 0.3, 0.4]])
    density = Density(Chain((fork(), Identity())), base, 3)
    density.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert loaded == density
    np.testing.assert_array_equal(loaded.logpdf(cells()), density.logpdf(cells()))
    assert np.exp(loaded.logpdf(cells())).sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(loaded.sample(9, 0), density.sample(9, 0))
