"""Densities of some columns given others, of mixtures and of flows."""

import numpy as np
import pandas as pd
import pytest

import destructors
from destructors.estimators import ConditionalSampler, MixtureDensity
from destructors.flows import RBIG


def make_table(n, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    names = np.array(["cat", "dog", "fox"])
    return pd.DataFrame(
        {
            "kind": names[kind],
            "x": rng.normal(2.0 * kind, 0.5),
            "count": rng.poisson(1.0 + 2.0 * kind),
            "y": rng.normal(kind, 1.0),
        }
    )


@pytest.fixture(scope="module")
def model():
    return MixtureDensity(3, marginal=None, random_state=0).fit(make_table(800))


@pytest.mark.parametrize("columns", ["kind", ["y", "kind"], [0, 2], ["x", "count", 3]])
def test_the_conditional_times_the_marginal_is_the_joint(model, columns):
    rows = make_table(50, seed=1)
    conditional = model.condition(columns)
    assert sorted(conditional.given + conditional.targets) == sorted(rows.columns)
    given, rest = rows[conditional.given], rows[conditional.targets]
    holed = given.reindex(columns=rows.columns)
    expected = model.score_samples(rows) - model.score_samples(holed)
    scores = conditional.score_samples(given, rest)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-10)


def test_the_density_of_one_column_given_others_integrates_to_one(model):
    conditional = model.condition(["kind", "count", "y"])
    grid = np.linspace(-6.0, 12.0, 4001)
    for _, row in make_table(3, seed=2).iterrows():
        given = pd.DataFrame([row[["kind", "count", "y"]]] * len(grid))
        given = given.astype({"count": int, "y": float})
        target = pd.DataFrame({"x": grid}, index=given.index)
        density = np.exp(conditional.score_samples(given, target))
        assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)


def test_probabilities_of_a_category_given_numbers_sum_to_one(model):
    conditional = model.condition(["x", "count", "y"])
    rows = make_table(40, seed=3)
    logs = [
        conditional.score_samples(
            rows[conditional.given], pd.DataFrame({"kind": [kind] * 40})
        )
        for kind in ("cat", "dog", "fox", "never seen")
    ]
    np.testing.assert_allclose(np.exp(logs).sum(axis=0), 1.0, rtol=0, atol=1e-10)


def test_draws_are_of_the_other_columns_and_follow_the_density(model):
    conditional = model.condition("kind")
    given = pd.DataFrame({"kind": ["fox", "cat"]}, index=["a", "b"])
    drawn = conditional.sample(given, 4000, random_state=0)
    assert drawn.columns.tolist() == ["x", "count", "y"]
    assert drawn.index.tolist() == ["a"] * 4000 + ["b"] * 4000
    assert drawn.dtypes["count"].kind == "i"
    means = drawn.groupby(level=0)["x"].mean()
    assert abs(means["a"] - 4.0) < 0.15
    assert abs(means["b"]) < 0.15
    again = conditional.sample(given, 4000, random_state=0)
    pd.testing.assert_frame_equal(again, drawn)


def test_a_flow_has_it_by_proposals_within_its_error():
    """A flow of a linear relation, whose conditional is known."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    flow = RBIG(max_iter=3, random_state=0).fit(
        np.c_[x, x + 0.5 * rng.normal(size=3000)]
    )
    sampler = ConditionalSampler(flow, random_state=0)
    conditional = sampler.condition([0])
    given = np.array([[-1.0], [0.0], [1.5]])
    grid = np.linspace(-6.0, 6.0, 1201)
    for value in given:
        each = np.repeat(value[None], len(grid), axis=0)
        scores, std = conditional.score_samples(each, grid, return_std=True)
        whole = np.trapezoid(np.exp(scores), grid)
        assert abs(np.log(whole)) < 4.0 * std.max() + 1e-3
        assert 0.0 < std.max() < 0.1
    drawn, ess = conditional.sample(given, 2000, 0, return_ess=True)
    assert drawn.shape == (6000, 1)
    means = drawn.reshape(3, 2000).mean(axis=1)
    assert (abs(means - given[:, 0]) < 0.2).all()
    assert (ess > 50).all()


def test_arrays_of_names_frames_of_polars_and_loaded_densities(model, tmp_path):
    polars = pytest.importorskip("polars")
    destructors.save(model, tmp_path / "model.npz")
    loaded = ConditionalSampler(destructors.load(tmp_path / "model.npz"))
    rows = make_table(5, seed=4)
    some, rest = rows[["kind", "x"]], rows[["count", "y"]]
    expected = model.condition(["kind", "x"]).score_samples(some, rest)
    for conditional in (loaded.condition(["kind", "x"]), model.condition([0, 1])):
        parts = [polars.from_pandas(part) for part in (some, rest)]
        np.testing.assert_array_equal(conditional.score_samples(*parts), expected)
        arrays = some.to_numpy(dtype=object), rest.to_numpy()
        np.testing.assert_array_equal(conditional.score_samples(*arrays), expected)
    # What is not known after all is integrated out.
    unknown = some.assign(x=np.nan)
    expected = model.condition("kind").score_samples(
        some[["kind"]], rest.assign(x=np.nan)[["x", "count", "y"]]
    )
    found = conditional.score_samples(unknown, rest)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["weight"], "no column 'weight'"),
        ([4], "no column 4"),
        (["x", 1], "repeats"),
        ([], "neither none nor all"),
        (["kind", "x", "count", "y"], "neither none nor all"),
    ],
)
def test_what_cannot_be_given_is_refused(model, columns, message):
    with pytest.raises(ValueError, match=message):
        model.condition(columns)


def test_tables_that_do_not_fit_are_refused(model):
    conditional = model.condition(["kind", "x"])
    rows = make_table(5)
    with pytest.raises(ValueError, match="in this order"):
        conditional.sample(rows[["x", "kind"]])
    with pytest.raises(ValueError, match=r"shape \(n_rows, 2\)"):
        conditional.sample(rows[["kind"]])
    with pytest.raises(ValueError, match="5 rows, but y has 4"):
        conditional.score_samples(rows[["kind", "x"]], rows[["count", "y"]][:4])
    with pytest.raises(TypeError, match="one library"):
        conditional.score_samples(rows[["kind", "x"]], np.zeros((5, 2)))
    with pytest.raises(ValueError, match="n_samples"):
        conditional.sample(rows[["kind", "x"]], 0)
