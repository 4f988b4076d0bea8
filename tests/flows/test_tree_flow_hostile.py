"""Tables of both kinds that are hard: right answers, or errors that say what to do."""

import numpy as np
import pandas as pd
import pytest

from destructors.flows import TreeFlow

FAST = {"n_components": 2, "max_trees": 5, "cv": None, "random_state": 0}


def make_table(n, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b"], n)
    return pd.DataFrame({"kind": kind, "x": rng.normal(np.where(kind == "a", -2, 2))})


@pytest.mark.slow
def test_a_thousand_columns_of_codes_beside_a_number():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, size=(200, 1))
    codes = first ^ (rng.uniform(size=(200, 1000)) < 0.1)
    X = np.column_stack([codes, rng.normal(4.0 * first[:, 0])]).astype(float)
    is_category = np.arange(1001) < 1000
    model = TreeFlow(categorical_features=is_category, **FAST).fit(X)
    # Independent fair codes have 693 nats; with the class that is known, 325.
    assert model.score(X) > -400.0
    assert np.isfinite(model.score_samples(1.0 - X)).all()
    drawn = model.sample(20, random_state=0)
    assert np.isin(drawn[:, :1000], [0.0, 1.0]).all()


def test_a_category_with_ten_thousand_values():
    rng = np.random.default_rng(0)
    codes = rng.permutation(10_000)
    x = (codes % 2) * 4.0 + rng.normal(size=10_000)
    frame = pd.DataFrame({"code": pd.Categorical(codes), "x": x})
    model = TreeFlow(**FAST).fit(frame)
    # That no code is seen twice tells nothing of it.
    expected = -np.log(10_000) - 2.1
    assert model.score_samples(frame[:200]).mean() == pytest.approx(expected, abs=1.0)
    assert model.sample(5, random_state=0)["code"].isin(codes).all()


def test_a_column_that_is_all_missing():
    table = make_table(300)
    with pytest.raises(ValueError, match=r"gone.*MixtureDensity"):
        TreeFlow(**FAST).fit(table.assign(gone=np.nan))
    model = TreeFlow(**FAST).fit(table)
    gone = table.assign(gone=pd.Series([None] * 300, dtype=object))
    holed = TreeFlow(**FAST).fit(gone)
    # A category that all rows share tells nothing.
    assert holed.score(gone) == pytest.approx(model.score(table), abs=0.1)
    assert holed.sample(10, random_state=0)["gone"].isna().all()


def test_constant_columns_of_each_kind():
    table = make_table(300)
    constant = table.assign(code="only", integer=7)
    model = TreeFlow(**FAST).fit(constant)
    expected = TreeFlow(**FAST).fit(table).score(table)
    assert model.score(constant) == pytest.approx(expected, abs=0.2)
    drawn = model.sample(50, random_state=0)
    assert (drawn["code"] == "only").all()
    assert (drawn["integer"] == 7).mean() > 0.9
    # Only two rows are different.
    flat = TreeFlow(**{**FAST, "n_components": 1}).fit(table.assign(x=3.0))
    assert np.isfinite(flat.score_samples(table)).all()
    np.testing.assert_allclose(flat.sample(5, random_state=0)["x"], 3.0, atol=0.1)


def test_one_row_a_class():
    table = make_table(40).assign(name=[f"name {i}" for i in range(40)])
    model = TreeFlow(**FAST).fit(table)
    assert np.isfinite(model.score_samples(table)).all()
    new = table.assign(name="another")
    assert np.isfinite(model.score_samples(new)).all()
    assert set(model.sample(50, random_state=0)["name"]) <= set(table["name"])


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_a_hundred_codes():
    """Twenty groups of five columns, each of which tells a third of the next."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (100_000, 100))
    for j in range(100):
        if j % 5:
            same = rng.random(100_000) < 0.8
            X[:, j] = np.where(same, X[:, j - 1], X[:, j])
    frame = pd.DataFrame(X.astype("U1"), columns=[f"c{j}" for j in range(100)])
    model = TreeFlow(**FAST).fit(frame[:90_000])
    p_same = 0.8 + 0.2 / 4
    step = -p_same * np.log(p_same) - (1 - p_same) * np.log((1 - p_same) / 3)
    truth = -20 * (np.log(4) + 4 * step)
    assert model.score(frame[90_000:]) > truth - 0.5


def test_rows_that_layers_make_one_end_a_fit_without_a_warning():
    """Of a column that spans 170 magnitudes, latents of the first layers are one."""
    rng = np.random.default_rng(0)
    X = np.exp(np.exp(rng.uniform(0.0, 6.0, size=(62, 1))))[12:]
    assert X.max() > 1e170
    model = TreeFlow(random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
