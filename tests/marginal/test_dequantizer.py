"""Dequantizer: what it finds, and that it takes itself back exactly."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from destructors.compose import make_destructor_pipeline
from destructors.linear import Whitening
from destructors.marginal import Dequantizer, SplineGaussianizer

N = 1000
RNG = np.random.default_rng(0)
COLUMNS = {
    "integers": RNG.integers(0, 5, N),
    "binary": RNG.integers(0, 2, N),
    "large integers": 1_000_000 + RNG.integers(0, 1_000_000, N),
    "multiples": 5 * RNG.poisson(20.0, N),
    "tenths": np.round(RNG.normal(size=N), 1),
    "cents": np.round(50.0 * RNG.normal(size=N), 2),
    "bytes": RNG.integers(0, 256, N) / 255,
    "thirds": RNG.integers(0, 9, N) / 3,
    "zero-inflated": np.where(RNG.uniform(size=N) < 0.4, 0.0, RNG.exponential(size=N)),
    "inflated in the middle": np.where(
        RNG.uniform(size=N) < 0.4, 0.0, RNG.normal(size=N)
    ),
    "zero-inflated integers": np.where(
        RNG.uniform(size=N) < 0.9, 0, RNG.integers(1, 100_000, N)
    ),
    "censored": np.clip(RNG.normal(size=N), -1.0, 1.0),
    "few values": RNG.choice([0.12345678901, 1.777777777777, 9.1111111111], N),
    "standardised integers": (RNG.integers(0, 30, N) - 14.5) / 8.66,
    "beyond 2**53": 2.0**60 * RNG.integers(0, 9, N),
    "constant": np.full(N, 3.3),
    "continuous": RNG.normal(size=N),
}
X = np.stack(list(COLUMNS.values()), axis=1).astype(float)


@pytest.fixture(scope="module")
def model():
    return Dequantizer(random_state=0).fit(pd.DataFrame(X, columns=list(COLUMNS)))


# ---------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    ("name", "step", "repeated"),
    [
        ("integers", 1.0, []),
        ("binary", 1.0, []),
        ("large integers", 1.0, []),
        ("multiples", 5.0, []),
        ("tenths", 0.1, []),
        ("cents", 0.01, []),
        ("bytes", 1 / 255, []),
        ("thirds", 1 / 3, []),
        ("zero-inflated", None, [0.0]),
        ("inflated in the middle", None, [0.0]),
        ("zero-inflated integers", 1.0, [0.0]),
        ("censored", None, [-1.0, 1.0]),
        ("few values", None, [0.12345678901, 1.777777777777, 9.1111111111]),
        ("constant", None, [3.3]),
    ],
)
def test_lattice(model, name, step, repeated):
    found = model.lattice_[list(COLUMNS).index(name)]
    assert found["step"] == (step if step is None else pytest.approx(step))
    np.testing.assert_array_equal(found["repeated"], repeated)


def test_continuous_columns_are_left_alone(model):
    assert model.lattice_[-1] is None
    Z = model.transform(pd.DataFrame(X, columns=list(COLUMNS)))
    np.testing.assert_array_equal(Z[:, -1], X[:, -1])


def test_resampled_continuous_data_are_not_taken_for_discrete():
    x = np.random.default_rng(0).normal(size=(500, 1))
    again = x[np.random.default_rng(1).integers(0, 500, 500)]
    assert Dequantizer().fit(again).lattice_ == [None]
    weight = np.random.default_rng(2).integers(1, 4, 500)
    assert Dequantizer().fit(x, sample_weight=weight).lattice_ == [None]


# ---------------------------------------------------------------- the map


@pytest.mark.parametrize("name", COLUMNS)
def test_round_trip_is_exact(name):
    x = np.asarray(COLUMNS[name], dtype=float)[:, None]
    model = Dequantizer(random_state=0).fit(x[::2])
    # New values too. Continuous ones that move aside do so up to rounding.
    atol = 1e-15 if name == "inflated in the middle" else 0.0
    back = model.inverse_transform(model.transform(x))
    np.testing.assert_allclose(back, x, rtol=0.0, atol=atol)
    found = model.lattice_[0]
    if found is not None:
        hit = np.isin(x, found["repeated"])
        np.testing.assert_array_equal(back[hit], x[hit])


@pytest.mark.parametrize(
    "name", ["zero-inflated", "inflated in the middle", "censored"]
)
def test_order_is_kept_and_values_are_spread(name):
    x = np.sort(np.asarray(COLUMNS[name], dtype=float))
    model = make_destructor_pipeline(Dequantizer(random_state=0), SplineGaussianizer())
    model.fit(x[:, None])
    y = model[0].transform(x[:, None])[:, 0]
    different = np.diff(x) > 0
    assert (np.diff(y)[different] > 0).all()


def test_noise_of_a_row_is_its_own(model):
    frame = pd.DataFrame(X, columns=list(COLUMNS))
    Z = model.transform(frame)
    np.testing.assert_array_equal(model.transform(frame[::-1])[::-1], Z)
    np.testing.assert_array_equal(model.transform(frame[:1]), Z[:1])
    other = Dequantizer(random_state=1).fit(frame).transform(frame)
    assert not np.array_equal(other, Z)


def test_noise_is_uniform_in_the_cell():
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 3, 5000), rng.normal(size=5000)]
    noise = Dequantizer(random_state=0).fit_transform(X)[:, 0] - X[:, 0]
    assert stats.kstest(noise, "uniform").pvalue > 1e-3
    for value in range(3):
        part = noise[X[:, 0] == value]
        assert stats.kstest(part, "uniform").pvalue > 1e-3


def test_repeated_rows_get_noise_of_their_own_in_the_fit_of_a_stack():
    x = np.random.default_rng(0).integers(0, 6, size=(3000, 1)).astype(float)
    model = make_destructor_pipeline(Dequantizer(random_state=0), SplineGaussianizer())
    # A die: were noise equal for equal rows, the spline would see six values.
    assert model.fit(x).score(x) == pytest.approx(-np.log(6), abs=0.1)
    samples = model.sample(4000, random_state=0)
    inside = samples[(samples >= 0) & (samples <= 5)]
    assert len(inside) > 3950
    np.testing.assert_array_equal(samples, np.round(samples))
    np.testing.assert_allclose(np.bincount(inside.astype(int)) / 4000, 1 / 6, atol=0.03)


def test_score_bounds_the_log_probability():
    rng = np.random.default_rng(0)
    X = np.c_[rng.poisson(4.0, 5000), rng.poisson(4.0, 5000)].astype(float)
    truth = stats.poisson(4.0).logpmf(X).sum(axis=1).mean()
    layers = SplineGaussianizer(), Whitening()
    scores = [
        make_destructor_pipeline(Dequantizer(random_state=seed), *layers)
        .fit(X)
        .score(X)
        for seed in range(3)
    ]
    assert truth - 0.1 < np.mean(scores) < truth + 0.02


def test_values_off_the_lattice_count_as_dequantized():
    model = Dequantizer().fit(np.arange(20.0)[:, None])
    Z = model.transform([[2.5]])
    assert Z == 2.5
    assert model.inverse_transform(Z) == 2.0


# ---------------------------------------------------------------- columns


def test_named_columns_alone():
    frame = pd.DataFrame({"a": np.arange(50) % 7, "b": np.arange(50) % 5, "c": 0.5})
    model = Dequantizer(["a"]).fit(frame)
    assert [found is not None for found in model.lattice_] == [True, False, False]
    model = Dequantizer([1, -1]).fit(frame.to_numpy())
    assert [found is not None for found in model.lattice_] == [False, True, True]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["z"], r"There is no column 'z' among the 2 of X \(named a, b\)"),
        ([7], "There is no column 7"),
        (["b"], "Column b has neither a lattice nor repeated values"),
        ("every", "'columns' parameter of Dequantizer"),
    ],
)
def test_bad_columns(columns, message):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 9, 50), "b": rng.normal(size=50)})
    with pytest.raises(ValueError, match=message):
        Dequantizer(columns).fit(frame)
    if columns == ["z"]:
        with pytest.raises(ValueError, match="unnamed"):
            Dequantizer(columns).fit(frame.to_numpy())


def test_two_values_as_far_apart_as_float64_reaches():
    X = np.repeat([[-4e307], [4e307]], 20, axis=0)
    layer = Dequantizer(random_state=0).fit(X)
    Z = layer.transform(X)
    assert np.isfinite(Z).all()
    np.testing.assert_array_equal(layer.inverse_transform(Z), X)
