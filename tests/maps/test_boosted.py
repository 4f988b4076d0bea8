"""Shares of bins of a mixture's features: exact, whatever the trees say."""

from dataclasses import replace

import numpy as np
import pytest

from destructors.maps import (
    BoostedRosenblatt,
    Rosenblatt,
    _rosenblatt,
    _rosenblatt_plain,
)
from destructors.maps._jit import has_numba

N_BINS = 7


@pytest.fixture(params=["compiled", "vectorised"])
def path(request, monkeypatch):
    """Both ways to evaluate the map."""
    if request.param == "compiled" and not has_numba():
        pytest.skip("kernels are not compiled")
    if request.param == "vectorised":
        plain = _rosenblatt_plain.solve_plainly
        monkeypatch.setattr(_rosenblatt, "_solve", plain)


def make_map(n_features=3, n_trees=2, strength=1.0, seed=0):
    """Return a mixture of overlapping components, and random trees."""
    rng = np.random.default_rng(seed)
    d = n_features
    factors = np.tril(0.3 * rng.normal(size=(4, d, d)))
    factors[:, *np.diag_indices(d)] = rng.uniform(0.5, 1.0, (4, d))
    mixture = Rosenblatt(np.full(4, 0.25), rng.normal(size=(4, d)), factors, 1e-7)
    nodes, roots, starts, n_leaves = [], [], [0], 0
    for j in range(d):
        # The second feature has none.
        for _ in range(0 if j == 1 else n_trees):
            root = len(nodes)
            roots.append(root)
            if j > 0:
                nodes.append((rng.integers(j), rng.integers(N_BINS - 1), root + 1))
            for _ in range(1 + (j > 0)):
                nodes.append((-1, 0, n_leaves))
                n_leaves += 1
        starts.append(len(roots))
    return BoostedRosenblatt(
        mixture,
        np.sort(rng.normal(size=(d, N_BINS - 1)), axis=1),
        np.array(nodes, np.int32).reshape(-1, 3),
        np.array(roots, np.int64),
        np.array(starts, np.int64),
        strength * rng.normal(size=(n_leaves, N_BINS)),
    )


def draw(n_rows, n_features=3):
    return 1.3 * np.random.default_rng(1).normal(size=(n_rows, n_features))


def log_density(map_, X):
    Z, log_det = map_.forward(X)
    d = X.shape[1]
    return log_det - 0.5 * np.sum(Z**2, axis=1) - 0.5 * d * np.log(2.0 * np.pi)


@pytest.mark.usefixtures("path")
def test_rows_come_back():
    map_, X = make_map(), draw(1000)
    Z, log_det = map_.forward(X)
    back, log_det_back = map_.inverse(Z)
    np.testing.assert_allclose(back, X, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-7)


@pytest.mark.usefixtures("path")
def test_log_determinant_is_that_of_the_jacobian():
    map_, X, h = make_map(), draw(200), 1e-6
    columns = [
        (map_.forward(X + step)[0] - map_.forward(X - step)[0]) / (2.0 * h)
        for step in h * np.eye(3)
    ]
    found = np.linalg.slogdet(np.stack(columns, axis=2))[1]
    # A step over the edge of a bin sees both sides.
    close = np.abs(found - map_.forward(X)[1]) < 1e-5
    assert close.mean() > 0.97


@pytest.mark.usefixtures("path")
def test_the_density_adds_up_to_one():
    map_ = make_map(n_features=2)
    axis = np.linspace(-8.0, 8.0, 1601)
    X = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    total = np.exp(log_density(map_, X)).sum() * (axis[1] - axis[0]) ** 2
    # The density jumps from bin to bin, and the grid does not know where.
    assert total == pytest.approx(1.0, abs=3e-3)


@pytest.mark.usefixtures("path")
def test_bins_get_the_shares_that_trees_give_them():
    """Of one feature, in closed form."""
    map_ = make_map(n_features=1, n_trees=1)
    X = map_.inverse(np.random.default_rng(0).normal(size=(200_000, 1)))[0]
    bins = np.searchsorted(map_.edges[0], X[:, 0], side="right")
    mixture = map_.mixture.inverse(np.random.default_rng(1).normal(size=(200_000, 1)))
    before = np.searchsorted(map_.edges[0], mixture[0][:, 0], side="right")
    expected = np.bincount(before, minlength=N_BINS) * np.exp(map_.values[0])
    found = np.bincount(bins, minlength=N_BINS) / len(X)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=5e-3)


@pytest.mark.usefixtures("path")
def test_without_trees_it_is_the_mixture():
    map_ = make_map(n_trees=0)
    X = draw(100)
    for own, other in zip(map_.forward(X), map_.mixture.forward(X), strict=True):
        np.testing.assert_array_equal(own, other)


def test_compiled_and_plain_are_the_same(monkeypatch):
    map_, X = make_map(), draw(500)
    own, (bins, shares) = map_.forward(X), map_.shares(X)
    monkeypatch.setattr(_rosenblatt, "_solve", _rosenblatt_plain.solve_plainly)
    for a, b in zip(own, map_.forward(X), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    np.testing.assert_array_equal(bins, map_.shares(X)[0])
    np.testing.assert_allclose(shares, map_.shares(X)[1], atol=1e-6)


@pytest.mark.usefixtures("path")
def test_shares_add_up_and_hold_the_value():
    map_, X = make_map(), draw(500)
    bins, shares = map_.shares(X)
    np.testing.assert_allclose(shares.sum(axis=2), 1.0, atol=1e-5)
    # By the mixture's probabilities, which are rough near edges.
    truth = np.stack(
        [
            np.searchsorted(e, x, side="right")
            for e, x in zip(map_.edges, X.T, strict=True)
        ],
        axis=1,
    )
    assert (bins == truth).mean() > 0.99


@pytest.mark.usefixtures("path")
def test_far_out_and_strong_trees_stay_finite():
    map_ = make_map(strength=1e3)
    X = np.array([[1e300, 0.0, 0.0], [0.0, -1e100, 5.0], [1.0, 1.0, 1e8]])
    for part in map_.forward(X):
        assert np.isfinite(part).all()
    Z, log_det = map_.forward(draw(300))
    back, log_det_back = map_.inverse(Z)
    np.testing.assert_allclose(back, draw(300), atol=1e-6)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": np.array([[0, 0, 0]], np.int32)},
        {"roots": np.array([5], np.int64)},
        {"starts": np.array([0, 0, 0, 9], np.int64)},
        {"edges": np.zeros((2, 6))},
        {"values": np.zeros((1, N_BINS))},
        {"values": np.zeros(())},
    ],
)
def test_trees_that_lead_nowhere_are_refused(change):
    with pytest.raises(ValueError, match="lead on to later nodes"):
        replace(make_map(), **change)


def test_the_largest_number_leads_nowhere():
    map_ = make_map()
    nodes = map_.nodes.copy()
    nodes[map_.roots[-1], 2] = 2**31 - 1
    with pytest.raises(ValueError, match="lead on to later nodes"):
        replace(map_, nodes=nodes)


def test_a_tree_asks_for_earlier_features_only():
    map_ = make_map()
    nodes = map_.nodes.copy()
    nodes[map_.roots[-1], 0] = 2
    with pytest.raises(ValueError, match="features before their own"):
        replace(map_, nodes=nodes)
