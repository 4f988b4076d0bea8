"""Maps of one column at a time: their closed forms, and their way through a file."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.preprocessing import PowerTransformer

from destructors.maps import (
    BoundedColumns,
    CubeSteps,
    Density,
    Dequantize,
    DequantizeCategories,
    HistogramColumns,
    NormalToUniform,
    ParametricColumn,
    PowerColumns,
    QuadraticSpline,
    RationalQuadraticSpline,
    load,
    save,
)
from destructors.maps._dequantize import Lattice
from destructors.maps._distributions import StandardNormal, Uniform
from destructors.maps._hash import hash_copies, hash_rows

INF = np.inf
INTEGERS = Lattice(1.0, 0.0, 1.0, np.array([0.0]), np.array([2.5]), 0)
MAPS = [
    QuadraticSpline.of([[0.0, 1.0]], [[0.0, 1.5]], [[1.0, 2.0]]),
    RationalQuadraticSpline.of([[0.0, 1.0]], [[0.0, 1.0]], [[0.5, 2.0]]),
    HistogramColumns(
        (np.array([-1.0, 0.0, 2.0]),),
        (np.array([0.3, 0.5]),),
        np.array([0.1]),
        np.ones(1),
    ),
    PowerColumns(
        np.array([0.4]),
        np.array([0.1]),
        np.array([2.0]),
        np.array([[-3.0, 3.0]]),
        "yeo-johnson",
    ),
    BoundedColumns(np.array([-50.0]), np.array([INF]), "clip", ("price",)),
    BoundedColumns(np.array([-50.0]), np.array([50.0])),
    ParametricColumn(
        "t",
        (3.0, 0.2, 1.5),
        1.0,
        2.0,
        np.array([-100.0, 0.2, 100.0]),
        stats.norm.ppf(stats.t.cdf([-100.0, 0.2, 100.0], 3.0, 0.2, 1.5)),
        np.array([0.01, 0.01]),
    ),
    CubeSteps((np.array([0.0, 0.3, 1.0]),), (np.array([0.6, 0.4]),)),
    NormalToUniform(),
    Dequantize(7, (INTEGERS,)),
]


@pytest.mark.parametrize("part", MAPS, ids=lambda part: type(part).__name__)
def test_files_and_pickles_give_the_same_bits(part, tmp_path):
    in_cube = isinstance(part, NormalToUniform)
    density = Density(part, Uniform(1) if in_cube else StandardNormal(1), 1)
    save(density, tmp_path / "density.npz")
    X = np.round(np.random.default_rng(0).normal(scale=3.0, size=(200, 1)), 1)
    Z, log_det = part.forward(X)
    for again in (
        load(tmp_path / "density.npz").map,
        pickle.loads(pickle.dumps(part)),
    ):
        assert again == part
        for a, b in zip(again.forward(X), (Z, log_det), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(again.inverse(Z)[0], part.inverse(Z)[0])


@pytest.mark.parametrize("part", MAPS[:-1], ids=lambda part: type(part).__name__)
def test_inverse_and_jacobian(part):
    X = np.linspace(-8.0, 4.5, 1001)[:, None]
    Z, log_det = part.forward(X)
    assert (np.diff(Z[:, 0]) > 0).all()
    X_back, inverse_log_det = part.inverse(Z)
    np.testing.assert_allclose(X_back, X, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-7)
    step = 1e-6
    slope = (part.forward(X + step)[0] - part.forward(X - step)[0])[:, 0] / (2 * step)
    # Where a density jumps, the difference is between the slopes on both sides.
    right = np.isclose(slope, np.exp(log_det), rtol=1e-4)
    assert right.mean() > 0.99


def test_scipy_stats_and_scikit_learn_are_not_imported_by_maps():
    # scipy.stats alone takes as long as all the rest.
    code = (
        "import sys, destructors.maps, destructors.maps._parametric;"
        "print(*{'scipy.stats', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not found.stdout.strip()


# ---------------------------------------------------------------- powers


@pytest.mark.parametrize("kind", ["yeo-johnson", "box-cox"])
def test_powers_are_those_of_scikit_learn_between_the_ends(kind):
    X = np.random.default_rng(0).gamma(2.0, size=(500, 3)) + 0.1
    theirs = PowerTransformer(method=kind, standardize=False).fit(X)
    ends = np.stack([X.min(axis=0), X.max(axis=0)], axis=1)
    shift, scale = np.array([0.0, 1.0, -2.0]), np.array([1.0, 2.0, 0.5])
    ours = PowerColumns(theirs.lambdas_, shift, scale, ends, kind)
    Z = ours.forward(X)[0]
    np.testing.assert_allclose(Z * scale + shift, theirs.transform(X), atol=1e-12)


@pytest.mark.parametrize("kind", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("exponent", [-2.0, 0.0, 2.0, 5.0])
def test_powers_go_on_linearly_so_that_every_latent_has_a_row(kind, exponent):
    part = PowerColumns(
        np.array([exponent]), np.zeros(1), np.ones(1), np.array([[0.5, 2.0]]), kind
    )
    Z = np.linspace(-1e6, 1e6, 501)[:, None]
    X, log_det = part.inverse(Z)
    assert (np.diff(X[:, 0]) > 0).all()
    np.testing.assert_allclose(part.forward(X)[0], Z, rtol=1e-9, atol=1e-9)
    assert len(np.unique(log_det[X[:, 0] > 2.0])) == 1


# ---------------------------------------------------------------- steps


def test_steps_leave_what_is_far_out_and_columns_of_one_block():
    one = np.array([0.0, 1.0])
    part = CubeSteps(
        (np.array([0.0, 0.3, 1.0]), one), (np.array([0.6, 0.4]), np.ones(1))
    )
    X = np.array([[5.0, -1.0], [-7.0, 0.0], [1e100, 2.0]])
    Z, log_det = part.forward(X)
    np.testing.assert_allclose(Z, X, rtol=1e-15, atol=1e-9)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-8)


# ---------------------------------------------------------------- bounds


def test_message_about_rows_out_of_bounds_names_columns():
    part = BoundedColumns(np.zeros(2), np.ones(2), names=("a", "b"))
    with pytest.raises(ValueError, match=r"column\(s\) b: \[0, 1\]"):
        part.forward(np.array([[0.5, 1.5]]))
    with pytest.raises(ValueError, match=r"column\(s\) 0, 1: \[0, 1\], \[0, 1\]"):
        BoundedColumns(part.low, part.high).forward(np.array([[-0.5, 1.5]]))


def test_support_is_between_the_bounds():
    low, high = np.array([0.0, -INF]), np.array([INF, INF])
    support = BoundedColumns(low, high).support
    np.testing.assert_array_equal(support, [low, high])


# ---------------------------------------------------------------- noise


def test_noise_is_decided_by_row_and_seed():
    X = np.random.default_rng(0).integers(0, 5, size=(100, 1)).astype(float)
    noise = Dequantize(0, (INTEGERS,))
    Z, log_det = noise.forward(X)
    np.testing.assert_array_equal(noise.forward(X[:7])[0], Z[:7])
    np.testing.assert_array_equal(noise.inverse(Z)[0], X)
    np.testing.assert_array_equal(log_det, 0.0)
    assert not np.array_equal(Dequantize(1, (INTEGERS,)).forward(X)[0], Z)
    # Equal rows can be given noise of their own, and still come back.
    own, _ = noise.spread_copies(X)
    assert len(np.unique(own)) == 100
    np.testing.assert_array_equal(noise.inverse(own)[0], X)


def test_after_noise_categories_are_continuous():
    p, ranks = np.array([0.75, 0.25]), np.array([1, 0])
    noise = DequantizeCategories(0, np.array([1]), (p,), (ranks,))
    kinds = np.array([-1, 2, 3])
    np.testing.assert_array_equal(noise.kinds_after(kinds), [-1, 0, 3])
    np.testing.assert_array_equal(kinds, [-1, 2, 3])


def test_copies_of_a_row_are_numbered():
    X = np.array([[1.0], [2.0], [1.0], [1.0]])
    hashes = hash_copies(X, 0)
    assert len(set(hashes)) == 4
    np.testing.assert_array_equal(hashes[:2], hash_rows(X[:2], 0))
    np.testing.assert_array_equal(hash_copies(X[[2, 1, 0]], 0)[::2], hashes[[0, 2]])
    assert len(hash_copies(X[:0], 0)) == 0


def test_hash_is_that_of_the_content():
    X = np.random.default_rng(0).normal(size=(50, 3))
    hashes = hash_rows(X, 0)
    assert len(set(hashes)) == 50
    np.testing.assert_array_equal(hash_rows(X[::-1], 0)[::-1], hashes)
    assert not np.isin(hash_rows(X, 1), hashes).any()
    assert hash_rows(np.array([[0.0]]), 0) == hash_rows(np.array([[-0.0]]), 0)
