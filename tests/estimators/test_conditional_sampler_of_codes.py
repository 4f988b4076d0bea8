"""Draws and densities of rows with holes, of flows of categories and of both kinds."""

import numpy as np
import pandas as pd
import pytest

from destructors.estimators import ConditionalSampler
from destructors.flows import DiscreteTreeFlow, TreeFlow

KINDS = ["cat", "dog", "fox"]
GRID = np.linspace(-6.0, 12.0, 3001)


def make_table(n, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    count = rng.poisson(1.0 + 2.0 * kind)
    return pd.DataFrame(
        {
            "kind": pd.Categorical.from_codes(kind, KINDS),
            "x": rng.normal(1.5 * kind, 0.5 + 0.5 * (kind == 1)) ** 2 / 3.0 - 1.0,
            "count": count,
            "odd": np.where(rng.random(n) < 0.8, count % 2, 1 - count % 2).astype(bool),
        }
    )


@pytest.fixture(scope="module")
def flow():
    how = {"n_components": 4, "max_trees": 20, "cv": None, "random_state": 0}
    frame = make_table(1500).astype({"odd": "category"})
    return TreeFlow(**how).fit(frame)


@pytest.fixture(scope="module")
def sampler(flow):
    return ConditionalSampler(flow, n_proposals=4000, random_state=0)


def row_of(**values):
    return make_table(1, seed=5).astype({"odd": "category"}).assign(**values)


def each_kind(row):
    """Return the row with each kind in the place of its own."""
    return pd.concat([row] * 3).assign(kind=pd.Categorical(KINDS, KINDS))


@pytest.mark.parametrize("x", [-0.9, 0.2, 3.0])
def test_a_category_that_is_missing_has_its_posterior(flow, sampler, x):
    row = row_of(x=x)
    logs = flow.score_samples(each_kind(row))
    posterior = np.exp(logs - np.logaddexp.reduce(logs))
    asked = row.assign(kind=pd.Categorical([None], KINDS))
    scores, std = sampler.score_samples(asked, return_std=True)
    # What the flow gives to categories that were never seen is in the sum as well.
    assert abs(scores - np.logaddexp.reduce(logs)) < 4.0 * std + 1e-3
    drawn, ess = sampler.sample_conditional(asked, 2000, 0, return_ess=True)
    shares = np.array([(drawn["kind"] == kind).mean() for kind in KINDS])
    error = np.sqrt(posterior * (1.0 - posterior) * (1.0 / 2000 + 1.0 / ess))
    assert (abs(shares - posterior) < 4.0 * error + 1e-3).all()
    assert (drawn.drop(columns="kind").nunique() == 1).all()


def test_numbers_and_categories_that_are_missing_together(flow, sampler):
    """All kinds, and x on a grid: the joint density is added up and integrated."""
    row = row_of(count=4)
    logs = np.stack(
        [
            flow.score_samples(pd.concat([row] * len(GRID)).assign(x=GRID, kind=kind))
            for kind in pd.Categorical(KINDS, KINDS)
        ]
    )
    mass = np.trapezoid(np.exp(logs), GRID, axis=1)
    asked = row.assign(x=np.nan, kind=pd.Categorical([None], KINDS))
    scores, std = sampler.score_samples(asked, return_std=True)
    assert 0.0 < std < 0.1
    assert abs(scores - np.log(mass.sum())) < 4.0 * std + 1e-3
    drawn, ess = sampler.sample_conditional(asked, 2000, 0, return_ess=True)
    shares = np.array([(drawn["kind"] == kind).mean() for kind in KINDS])
    error = np.sqrt(mass / mass.sum() * (1.0 / 2000 + 1.0 / ess))
    assert (abs(shares - mass / mass.sum()) < 4.0 * error + 1e-3).all()
    mean = np.trapezoid(GRID * np.exp(logs).sum(axis=0), GRID) / mass.sum()
    error = drawn["x"].std() * np.sqrt(1.0 / 2000 + 1.0 / ess[0])
    assert abs(drawn["x"].mean() - mean) < 4.0 * error


def test_counts_that_are_missing_are_integers(flow, sampler):
    row = row_of(x=0.1)
    counts = np.arange(40)
    logs = flow.score_samples(pd.concat([row] * 40).assign(count=counts))
    asked = row.astype({"count": float}).assign(count=np.nan)
    drawn, ess = sampler.sample_conditional(asked, 2000, 0, return_ess=True)
    mean = counts @ np.exp(logs) / np.exp(logs).sum()
    error = drawn["count"].std() * np.sqrt(1.0 / 2000 + 1.0 / ess[0])
    assert abs(drawn["count"].mean() - mean) < 4.0 * error
    assert (drawn["count"] % 1 == 0).all()
    scores, std = sampler.score_samples(asked, return_std=True)
    assert abs(scores - np.logaddexp.reduce(logs)) < 4.0 * std + 1e-3


def test_codes_of_a_flow_of_codes():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 600)
    X = np.column_stack([first, (first + (rng.random(600) < 0.3)) % 3, first > 0])
    flow = DiscreteTreeFlow(random_state=0).fit(X)
    sampler = ConditionalSampler(flow, n_proposals=4000, random_state=0)
    asked = np.array([[np.nan, 1.0, 1.0], [2.0, np.nan, np.nan]])
    scores, std = sampler.score_samples(asked, return_std=True)
    first = flow.score_samples([[k, 1, 1] for k in range(3)])
    second = flow.score_samples([[2, k, m] for k in range(3) for m in range(2)])
    truth = [np.logaddexp.reduce(first), np.logaddexp.reduce(second)]
    assert (abs(scores - truth) < 4.0 * std + 1e-3).all()
    drawn = sampler.sample_conditional(asked, 2000, 0)
    expected = np.exp(first - truth[0])
    shares = np.bincount(drawn[:2000, 0].astype(int), minlength=3) / 2000
    error = np.sqrt(expected * (1.0 - expected) / 1000) + 1e-3
    assert (abs(shares - expected) < 4.0 * error).all()


def test_whole_rows_and_empty_ones(flow, sampler):
    frame = make_table(6, seed=2).astype({"odd": "category"})
    assert (sampler.score_samples(frame) == flow.score_samples(frame)).all()
    empty = frame[:1].astype({"count": float})
    empty.loc[:, :] = np.nan
    assert sampler.score_samples(empty) == [0.0]
    drawn = sampler.sample_conditional(empty, 10, 3)
    expected = flow.sample(10, random_state=3)
    np.testing.assert_array_equal(drawn["x"], expected["x"])
    np.testing.assert_array_equal(drawn["kind"], expected["kind"])


def test_scores_do_not_depend_on_the_other_rows(sampler):
    frame = make_table(12, seed=2).astype({"odd": "category", "count": float})
    frame.loc[::3, "kind"], frame.loc[1::3, "x"] = None, np.nan
    frame.loc[::4, "count"] = np.nan
    together = sampler.score_samples(frame)
    alone = [sampler.score_samples(frame[i : i + 1])[0] for i in range(12)]
    np.testing.assert_allclose(together, alone, rtol=1e-10, atol=1e-12)


def test_a_category_that_was_never_seen_may_be_given(sampler):
    row = row_of(kind=pd.Categorical(["yak"]), x=np.nan)
    drawn = sampler.sample_conditional(row, 20, 0)
    assert np.isfinite(drawn["x"]).all()
    scores, std = sampler.score_samples(row, return_std=True)
    assert np.isfinite(scores).all()
    assert np.isfinite(std).all()


def test_absence_that_was_learned_may_be_drawn():
    frame = make_table(600).drop(columns=["count", "odd"])
    frame.loc[frame["x"] > 1.0, "kind"] = None
    how = {"n_components": 4, "max_trees": 5, "cv": None, "random_state": 0}
    flow = TreeFlow(**how).fit(frame)
    sampler = ConditionalSampler(flow, random_state=0)
    asked = pd.DataFrame({"kind": pd.Categorical([None] * 2, KINDS), "x": [-0.5, 4.0]})
    drawn = sampler.sample_conditional(asked, 200, 0)["kind"]
    assert drawn[0].isna().mean() < 0.2
    assert drawn[1].isna().mean() > 0.8
