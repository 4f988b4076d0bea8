"""QuadraticSpline and RationalQuadraticSpline: formulas, inverse, and both kernels."""

import numpy as np
import pytest

from destructors.maps import QuadraticSpline, RationalQuadraticSpline, _spline


@pytest.fixture(
    params=[QuadraticSpline, RationalQuadraticSpline], ids=lambda kind: kind.__name__
)
def kind(request):
    return request.param


@pytest.fixture(params=["compiled", "vectorised"])
def path(request, monkeypatch):
    """Both ways to evaluate a spline."""
    if request.param == "vectorised":
        monkeypatch.setattr(_spline, "_apply", _spline._apply_vectorised)
    return request.param


@pytest.fixture(params=[1, 3])
def spline(request, kind):
    """Splines of random knots and slopes, consistent in value."""
    rng = np.random.default_rng(0)
    knots, values, slopes = [], [], []
    for n_knots in rng.integers(2, 40, size=request.param):
        x = np.cumsum(rng.exponential(size=n_knots)) - 0.5 * n_knots
        g = np.exp(rng.normal(size=n_knots))
        rises = 0.5 * np.diff(x) * (g[1:] + g[:-1])
        knots.append(x)
        slopes.append(g)
        values.append(np.cumsum(np.r_[-0.5 * rises.sum(), rises]))
    return kind.of(knots, values, slopes)


def points_about(places, starts):
    """Points inside, far outside and exactly on knots."""
    rng = np.random.default_rng(1)
    d = len(starts) - 1
    points = [
        rng.normal(scale=20.0, size=(3000, d)),
        rng.normal(scale=1e6, size=(50, d)),
        [places[starts[:-1]], places[starts[1:] - 1]],
    ]
    return np.concatenate(points)


# ---------------------------------------------------------------- both kinds


def test_values_and_slopes_at_the_knots_are_those_given(kind, path):
    knots, slopes = np.array([-1.0, 0.0, 0.5]), np.array([0.3, 2.0, 1.0])
    values = np.array([0.0, 1.15, 1.9])
    spline = kind.of([knots], [values], [slopes])
    Z, log_det = spline.forward(knots[:, None])
    np.testing.assert_allclose(Z[:, 0], values, atol=1e-15)
    np.testing.assert_allclose(np.exp(log_det), slopes)


def test_linear_beyond_the_knots(spline, path):
    own = slice(spline.starts[1])
    first, value, slope = spline.knots[own], spline.values[own], spline.slopes[own]
    X = np.tile(spline.knots[spline.starts[:-1]], (2, 1))
    X[:, 0] = first[0] - 1000.0, first[-1] + 1000.0
    Z, _ = spline.forward(X)
    np.testing.assert_allclose(
        Z[:, 0], [value[0] - 1000.0 * slope[0], value[-1] + 1000.0 * slope[-1]]
    )


def test_inverse_undoes_forward(spline, path):
    X = points_about(spline.knots, spline.starts)
    Z, log_det = spline.forward(X)
    X_back, inverse_log_det = spline.inverse(Z)
    np.testing.assert_allclose(X_back, X, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-8)


def test_log_det_is_that_of_the_slope(spline, path):
    X = points_about(spline.knots, spline.starts)[:2000]
    step = 1e-6
    log_det = spline.forward(X)[1]
    high, low = spline.forward(X + step)[0], spline.forward(X - step)[0]
    # The slope is continuous, so differences across a knot are right as well.
    expected = np.log((high - low) / (2 * step)).sum(axis=1)
    np.testing.assert_allclose(log_det, expected, atol=2e-4)


@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_vectorised_equals_compiled(spline, way, monkeypatch):
    places = spline.knots if way == "forward" else spline.values
    points = points_about(places, spline.starts)
    compiled = getattr(spline, way)(points)
    monkeypatch.setattr(_spline, "_apply", _spline._apply_vectorised)
    vectorised = getattr(spline, way)(points)
    for a, b in zip(compiled, vectorised, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_order_of_the_numbers_in_memory_does_not_matter(spline, order):
    X = points_about(spline.knots, spline.starts)
    expected = spline.forward(X.copy())
    for a, b in zip(spline.forward(X.copy(order)), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_column_is_what_it_was_made_of(spline):
    parts = spline.knots, spline.values, spline.slopes
    again = [np.split(part, spline.starts[1:-1]) for part in parts]
    assert type(spline).of(*again) == spline


@pytest.mark.parametrize(
    "damage",
    [
        {"starts": np.array([0, 2, 10**9])},
        {"starts": np.array([0, 3, 4])},
        {"starts": np.array([-2, 2, 4])},
        {"starts": np.array([0, 5, 4])},
        {"starts": np.array([0.0, 2.0, 4.0])},
        {"knots": np.array([0.0, 1.0])},
        {"slopes": np.ones((4, 2))},
    ],
)
def test_what_does_not_fit_together_is_refused(kind, damage):
    ends = [[0.0, 1.0]] * 2
    fields = dict(kind.of(ends, ends, ends).field_values())
    with pytest.raises(ValueError, match="starts that part them"):
        kind(**fields | damage)


def test_number_of_columns_must_be_right(spline):
    X = np.zeros((5, len(spline.starts)))
    for way in (spline.forward, spline.inverse):
        with pytest.raises(ValueError, match=r"has \d columns"):
            way(X)


@pytest.mark.parametrize(
    ("values", "is_valid"),
    [
        ([0.0, 1.0, 1.0, 2.0], True),
        ([0.0, 1.0, 0.9, 2.0], False),
        ([0.0, 0.0, 1.0, 2.0], False),
        ([0.0, 1.0, 2.0, 2.0], False),
    ],
)
def test_a_curve_may_be_flat_to_the_last_digit_between_others(path, values, is_valid):
    knots, slopes = np.arange(4.0), np.array([2.0, 1e-200, 1e-200, 2.0])
    spline = QuadraticSpline.of([knots] * 2, [np.arange(4.0), values], [slopes] * 2)
    assert spline.is_valid() == is_valid
    if is_valid:
        X = np.stack([np.linspace(-1.0, 4.0, 101)] * 2, axis=1)
        X_back, log_det = spline.inverse(spline.forward(X)[0])
        assert np.isfinite(X_back).all()
        assert np.isfinite(log_det).all()
    rational = RationalQuadraticSpline.of([knots], [values], [slopes])
    assert rational.is_valid() == (np.diff(values) > 0).all()


# ---------------------------------------------------------------- closed forms


def test_quadratic_formula_between_knots(path):
    spline = QuadraticSpline.of([[0.0, 2.0]], [[1.0, 5.0]], [[1.0, 3.0]])
    s = 0.3
    Z, log_det = spline.forward(np.array([[2.0 * s]]))
    assert Z[0, 0] == pytest.approx(1.0 + 2.0 * (1.0 * s + (3.0 - 1.0) * s**2 / 2))
    assert np.exp(log_det[0]) == pytest.approx(1.0 + (3.0 - 1.0) * s)


def test_formula_of_neural_spline_flows_between_knots(path):
    s, h, r, a, b = 0.3, 0.5, 1.5, 2.0, 1.0
    spline = RationalQuadraticSpline.of([[0.0, h]], [[-0.5, r - 0.5]], [[a, b]])
    m = r / h
    above = r * (m * s**2 + a * s * (1 - s))
    below = m + (b + a - 2 * m) * s * (1 - s)
    Z, log_det = spline.forward(np.array([[s * h]]))
    assert Z[0, 0] == pytest.approx(-0.5 + above / below)
    top = m**2 * (b * s**2 + 2 * m * s * (1 - s) + a * (1 - s) ** 2)
    assert np.exp(log_det[0]) == pytest.approx(top / below**2)


def test_slopes_whose_product_leaves_float64_are_added_as_logarithms():
    slopes = [1e250, 1e90, 1e90, 1e90, 1e-250, 1e-200, 1e-90, 3.0]
    ends = np.array([-1.0, 1.0])
    spline = QuadraticSpline.of(
        [ends] * 8, [slope * ends for slope in slopes], [[s, s] for s in slopes]
    )
    Z, log_det = spline.forward(np.full((3, 8), 0.5))
    np.testing.assert_allclose(log_det, np.log(slopes).sum(), rtol=1e-12)
    np.testing.assert_allclose(spline.inverse(Z)[1], -log_det, rtol=1e-12)
