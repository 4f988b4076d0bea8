"""Layers of splines in one compiled kernel, against each map by itself."""

import numpy as np
import pytest

from destructors.maps import Affine, Along, Chain, Map, QuadraticSpline
from destructors.maps._jit import has_numba
from destructors.maps._slices import Layer, Slices, can_pack

pytestmark = pytest.mark.skipif(not has_numba(), reason="kernels are not compiled")

LARGEST = np.finfo(float).max


def draw_spline(rng, n_columns, scale=1.0, spread=0.0):
    """Return splines of 2 to 40 knots; ``spread`` is of the columns' log slopes."""
    knots, values, slopes = [], [], []
    for _ in range(n_columns):
        x = np.sort(rng.normal(scale=scale, size=rng.integers(2, 41)))
        slope = np.exp(rng.normal(scale=0.5, size=len(x)) + spread * rng.normal())
        rises = 0.5 * (slope[1:] + slope[:-1]) * np.diff(x)
        knots.append(x)
        values.append(np.cumsum([0.0, *rises]))
        slopes.append(slope)
    return QuadraticSpline.of(knots, values, slopes)


def draw_layers(d, n_directions, n_layers=5, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(n_layers):
        frame = np.linalg.qr(rng.normal(size=(d, d)))[0][:, :n_directions]
        layers.append(Along(frame, draw_spline(rng, n_directions, **kwargs)))
    return layers


def draw_turns(d, n_layers=5, seed=0, **kwargs):
    """Return splines with a rotation after each."""
    rng = np.random.default_rng(seed)
    maps: list[Map] = []
    for _ in range(n_layers):
        rotation = Affine.rotation(np.linalg.qr(rng.normal(size=(d, d)))[0])
        maps += [draw_spline(rng, d, **kwargs), rotation]
    return maps


def draw_maps(kind, d, **kwargs):
    """Return layers along directions, splines with rotations, or some of both."""
    along, turns = draw_layers(d, d - 1, **kwargs), draw_turns(d, **kwargs)
    return {"along": along, "turns": turns, "both": [*turns, *along, *turns]}[kind]


def pass_plainly(maps, X, way):
    total = np.zeros(len(X))
    for part in maps if way == "forward" else reversed(maps):
        if isinstance(part, Along):
            X, log_det = part._through_plain(X, None, way)
        else:
            X, log_det = getattr(part, way)(X)
        total += log_det
    return X, total


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize(
    ("d", "n_directions"), [(1, 1), (2, 1), (3, 3), (5, 2), (9, 8), (36, 7)]
)
def test_one_pass_is_layer_by_layer(d, n_directions, way):
    layers = draw_layers(d, n_directions)
    X = np.random.default_rng(1).normal(scale=3.0, size=(600, d))
    Z, log_det = getattr(Chain(tuple(layers)), way)(X)
    expected, log_det_expected = pass_plainly(layers, X, way)
    np.testing.assert_allclose(Z, expected, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(log_det, log_det_expected, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("d", [1, 2, 3, 10, 36])
@pytest.mark.parametrize("n_around", [0, 2])
def test_one_pass_is_spline_by_spline_and_turn_by_turn(d, n_around, way):
    # Among others that the kernel does not know.
    others = [Affine(np.ones(d), np.full(d, 2.0))] * n_around
    maps = [*others, *draw_turns(d), *others]
    X = np.random.default_rng(1).normal(scale=3.0, size=(600, d))
    Z, log_det = getattr(Chain(tuple(maps)), way)(X)
    expected, log_det_expected = pass_plainly(maps, X, way)
    np.testing.assert_allclose(Z, expected, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(log_det, log_det_expected, rtol=0.0, atol=1e-10)


def test_chains_of_chains_are_one():
    maps = draw_turns(4)
    nested = Chain(
        (Chain((Chain(tuple(maps[:2])), *maps[2:6])), Chain(tuple(maps[6:])))
    )
    X = np.random.default_rng(1).normal(size=(50, 4))
    for way in ("forward", "inverse"):
        found, expected = getattr(nested, way)(X), getattr(Chain(tuple(maps)), way)(X)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        plain, _ = pass_plainly(maps, X, way)
        np.testing.assert_allclose(found[0], plain, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("n_directions", [1, 4, 6])
def test_it_comes_back(n_directions):
    chain = Chain(tuple(draw_layers(6, n_directions)))
    X = np.random.default_rng(1).normal(scale=3.0, size=(500, 6))
    Z, log_det = chain.forward(X)
    back, log_det_back = chain.inverse(Z)
    np.testing.assert_allclose(back, X, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("kind", ["along", "turns", "both"])
def test_neighbours_and_the_number_of_rows_do_not_change_a_bit(kind, way):
    chain = Chain(tuple(draw_maps(kind, 7)))
    X = np.random.default_rng(1).normal(scale=3.0, size=(700, 7))
    X[::50] *= 1e200
    Z, log_det = getattr(chain, way)(X)
    some = np.random.default_rng(2).permutation(700)
    for n in (1, 2, 15, 255, 256, 257):
        part, log_det_part = getattr(chain, way)(X[some[:n]])
        np.testing.assert_array_equal(part, Z[some[:n]])
        np.testing.assert_array_equal(log_det_part, log_det[some[:n]])


def test_a_chain_maps_rows_to_the_bits_of_its_layers():
    layers = draw_layers(4, 3)
    X = np.random.default_rng(1).normal(size=(300, 4))
    Z = X
    for layer in layers:
        Z, _ = layer.forward(Z)
    np.testing.assert_array_equal(Chain(tuple(layers)).forward(X)[0], Z)


@pytest.mark.parametrize("way", ["forward", "inverse"])
@pytest.mark.parametrize("size", [1e20, 1e140, 1e160, 1e307, LARGEST])
@pytest.mark.parametrize("kind", ["along", "turns", "both"])
def test_far_rows_are_those_of_layer_by_layer(kind, size, way):
    layers = draw_maps(kind, 5, n_layers=3)
    X = np.random.default_rng(1).uniform(-1.0, 1.0, size=(40, 5)) * size
    Z, log_det = getattr(Chain(tuple(layers)), way)(X)
    assert np.isfinite(Z).all()
    expected, log_det_expected = pass_plainly(layers, X, way)
    np.testing.assert_allclose(Z / size, expected / size, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(log_det, log_det_expected, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("spread", [30.0, 200.0])
def test_steep_splines_overflow_no_product_of_turns(spread):
    maps = draw_turns(3, n_layers=2, scale=1e-3, spread=spread)
    X = np.random.default_rng(1).normal(scale=1e-3, size=(100, 3))
    Z, log_det = Chain(tuple(maps)).forward(X)
    expected, log_det_expected = pass_plainly(maps, X, "forward")
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    scale = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(Z / scale, expected / scale, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(log_det, log_det_expected, rtol=1e-9)


@pytest.mark.parametrize("spread", [30.0, 200.0])
def test_steep_splines_overflow_no_product(spread):
    layers = draw_layers(3, 3, n_layers=4, scale=1e-3, spread=spread)
    X = np.random.default_rng(1).normal(scale=1e-3, size=(100, 3))
    for way in ("forward", "inverse"):
        for layer in layers:
            Z, log_det = getattr(layer, way)(X)
            expected, log_det_expected = layer._through_plain(X, None, way)
            assert np.isfinite(Z).all()
            assert np.isfinite(log_det).all()
            np.testing.assert_allclose(Z, expected, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(log_det, log_det_expected, rtol=1e-9)


def test_what_lies_across_is_not_rounded_as_a_far_row_is():
    # The rows are 1e12 long, and next to the direction.
    w = np.array([[np.cos(1e-3)], [np.sin(1e-3)]])
    shrink = QuadraticSpline.of([[-1e13, 1e13]], [[-1e5, 1e5]], [[1e-8, 1e-8]])
    X = np.array([[1e12, 0.3], [-1e12, 5.0]])
    map_ = Along(w, shrink)
    assert can_pack(map_.map)
    back, _ = map_.inverse(map_.forward(X)[0])
    np.testing.assert_allclose(back[:, 1], X[:, 1], rtol=0.0, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_knots_that_crowd_are_found_by_halving(scale):
    """Numbers go to the interval that the knots say, from cells or by halving."""
    rng = np.random.default_rng(0)
    knots = (
        np.sort(np.r_[rng.normal(scale=1e-6, size=30), -1.0, -0.9, 0.9, 1.0]) * scale
    )
    splines = [
        QuadraticSpline.of([x], [x], [np.ones(len(x))])
        for x in (knots, np.linspace(-1.0, 1.0, 32) * scale)
    ]
    lookups = [Slices.of(Layer(np.eye(1), spline)).lookup for spline in splines]
    assert lookups[0].most[0] == -1
    x = np.r_[knots, rng.normal(scale=2.0 * scale, size=300), 1e-6 * scale][:, None]
    for spline in splines:
        Z, log_det = Along(np.eye(1), spline).forward(x)
        np.testing.assert_allclose(Z, x, rtol=1e-12, atol=1e-12 * scale)
        np.testing.assert_allclose(log_det, 0.0, atol=1e-12)


def test_intervals_without_a_reciprocal_are_not_packed():
    tiny = np.array([0.0, 1e-310])
    spline = QuadraticSpline.of([tiny], [tiny], [np.ones(2)])
    assert not can_pack(spline)
    layer = Along(np.eye(1), spline)
    assert layer.slices is None
    np.testing.assert_array_equal(layer.forward(np.zeros((1, 1)))[0], [[0.0]])


def test_no_rows():
    Z, log_det = Chain(tuple(draw_layers(3, 2))).forward(np.empty((0, 3)))
    assert Z.shape == (0, 3)
    assert log_det.shape == (0,)


@pytest.mark.parametrize("is_packed", [True, False])
def test_the_way_back_of_one_column_never_falls(is_packed):
    """Rows within last places of 1, and latents far longer than the columns' scale."""
    x = 1.0 + np.array([0.0, 3e-15])
    steep = QuadraticSpline.of([x], [[-1.0, 1.0]], [[7e14, 7e14]])
    assert can_pack(steep)
    map_ = Along(np.eye(1), steep)
    way_back = (
        map_.inverse if is_packed else lambda z: map_._through_plain(z, None, "inverse")
    )
    z = np.linspace(-20.0, 20.0, 2001)
    back, _ = way_back(z[:, None])
    assert (np.diff(back[:, 0]) >= 0.0).all()
    np.testing.assert_array_equal(back, steep.inverse(z[:, None])[0])
