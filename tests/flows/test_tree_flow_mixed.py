"""Tables of both kinds: codes first, integers and numbers given them; all exact."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import destructors
from destructors.base_distributions import IndependentCategorical, StandardNormal
from destructors.compose import ColumnDestructor
from destructors.discrete import CategoricalBase
from destructors.flows import TreeFlow
from destructors.flows._mixed_layers import see_columns
from destructors.maps import Identity
from destructors.maps._mixed_mixture import CodesFirst
from destructors.rows import Rows

FAST = {"n_components": 4, "max_trees": 10, "cv": None, "random_state": 0}


def make_table(n, seed=0):
    """Visits and length of stay depend on the pair of two categories."""
    rng = np.random.default_rng(seed)
    ward, sex = rng.choice(["a", "b", "c"], n), rng.choice(["f", "m"], n)
    odd = (ward == "b") ^ (sex == "m")
    length = np.where(odd, 3.0, -1.0) + np.where(odd, 0.3, 1.0) * rng.normal(size=n)
    visits = rng.poisson(np.where(odd, 8, 2))
    return pd.DataFrame({"ward": ward, "length": length, "sex": sex, "visits": visits})


@pytest.fixture(scope="module")
def table():
    return make_table(1500)


@pytest.fixture(scope="module")
def flow(table):
    return TreeFlow(**FAST).fit(table)


def all_codes(flow):
    sizes = flow.base_distribution_.n_categories
    return np.array(list(itertools.product(*map(range, sizes[sizes > 0]))), float)


def log_density(flow, rows):
    """Score rows as the map knows them: codes of categories that were not seen, too."""
    Z, log_det = flow.map_.forward(rows)
    return flow.base_distribution_.logpdf(Z) + log_det


def test_probabilities_and_densities_sum_and_integrate_to_one(flow):
    x, visits, codes = (
        np.linspace(-15.0, 15.0, 401),
        np.arange(-2.0, 30.0),
        all_codes(flow),
    )
    places = np.meshgrid(np.arange(len(codes)), x, visits, indexing="ij")
    code, number, integer = (place.ravel() for place in places)
    rows = np.column_stack([codes[code, 0], number, codes[code, 1], integer])
    total = logsumexp(log_density(flow, rows)) + np.log(x[1] - x[0])
    assert np.exp(total) == pytest.approx(1.0, abs=3e-3)


def test_the_joint_is_the_marginal_of_codes_times_the_conditional(flow):
    """The integral over the number is the probability that the base gives the rest."""
    x = np.linspace(-25.0, 25.0, 20_001)
    for codes in ([0, 0], [1, 1], [2, 0]):
        rows = np.empty((len(x), 4))
        rows[:, [0, 2]], rows[:, 1], rows[:, 3] = codes, x, 4.0
        integral = logsumexp(log_density(flow, rows)) + np.log(x[1] - x[0])
        # Without the number: its latent is standard normal whatever the rest is.
        rest = np.r_[codes[0], 0.0, codes[1], 4.0][None]
        marginal = flow.base_distribution_.logpdf(rest)
        marginal -= StandardNormal(1).logpdf(np.zeros((1, 1)))
        assert integral == pytest.approx(marginal[0], abs=1e-3)


def test_relations_between_the_kinds_are_learned(table):
    """Codes are independent: all that groups miss is what they tell of the number."""
    columns = ["ward", "length", "sex"]
    table, new = table[columns], make_table(1000, seed=1)[columns]
    groups = ColumnDestructor(
        [
            ("codes", CategoricalBase(structure="independent"), ["ward", "sex"]),
            ("numbers", TreeFlow(**FAST), ["length"]),
        ]
    ).fit(table)
    assert TreeFlow(**FAST).fit(table).score(new) > groups.score(new) + 0.4


def test_trees_may_ask_about_codes():
    """Where one class is all there is, trees alone see what a category tells."""
    frame = make_table(3000)[["ward", "length", "sex"]]
    flow = TreeFlow(n_components=1, max_trees=60, cv=None, random_state=0)
    flow.fit(frame[:2000])
    assert flow.n_trees_ > 10
    assert flow.score_layers(frame[2000:])[1] > 0.3


def test_latents_go_back_to_rows_and_codes_stay(table, flow):
    Z, log_det = flow.transform_and_log_det(table)
    back, log_det_back = flow.inverse_and_log_det(Z)
    pd.testing.assert_frame_equal(back, table, rtol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-9)
    assert (Z[:, 3] == table["visits"]).all()
    assert abs(Z[:, 1].mean()) < 0.15
    assert 0.8 < Z[:, 1].std() < 1.2


def test_samples_are_frames_like_the_table(table, flow):
    drawn = flow.sample(2000, random_state=0)
    assert (drawn.dtypes == table.dtypes).all()
    assert set(drawn["ward"]) == {"a", "b", "c"}
    odd = (drawn["ward"] == "b") ^ (drawn["sex"] == "m")
    assert drawn["length"][odd].median() == pytest.approx(3.0, abs=0.2)
    assert drawn["visits"][odd].mean() > drawn["visits"][~odd].mean() + 4


def test_unseen_and_missing_categories_have_probabilities(table, flow):
    new = table[:2].copy()
    new.loc[0, "ward"] = "z"
    scores = flow.score_samples(new)
    assert np.isfinite(scores).all()
    holed = table.copy()
    holed.loc[::5, "sex"] = None
    model = TreeFlow(**FAST).fit(holed)
    assert model.sample(200, random_state=0)["sex"].isna().any()


def test_what_was_never_missing_is_not_drawn_missing():
    rng = np.random.default_rng(0)
    for n_samples in (12, 20, 30):
        X = pd.DataFrame(
            {name: pd.Categorical(rng.choice(["a", "b"], n_samples)) for name in "xyz"}
        )
        flow = TreeFlow(**FAST).fit(X)
        assert not flow.sample(2000, random_state=0).isna().any(axis=None)
        X.loc[0, "x"] = None
        assert np.isfinite(flow.score_samples(X)).all()


def test_a_missing_number_is_an_error_that_says_what_takes_it(table):
    holed = table.copy()
    holed.loc[3, "length"] = np.nan
    with pytest.raises(ValueError, match=r"length.*MixtureDensity"):
        TreeFlow(**FAST).fit(holed)


def test_masks_and_names_say_which_columns_are_categories(table, flow):
    coded = table.assign(
        ward=table["ward"].map({"a": 0.0, "b": 1.0, "c": 2.0}),
        sex=table["sex"].map({"f": 0.0, "m": 1.0}),
    )
    by_name = TreeFlow(categorical_features=["ward", "sex"], **FAST).fit(coded)
    scores = by_name.score_samples(coded[:50])
    np.testing.assert_allclose(scores, flow.score_samples(table[:50]))
    mask = np.array([True, False, True, False])
    array = coded.to_numpy()
    by_mask = TreeFlow(categorical_features=mask, **FAST).fit(array)
    # Visits are numbers there.
    assert (by_mask.base_distribution_.n_categories > 0).tolist() == mask.tolist()
    with pytest.raises(ValueError, match="categorical_features"):
        TreeFlow(categorical_features=mask[:2], **FAST).fit(array)


def test_numbers_alone_are_fitted_as_numbers():
    X = np.random.default_rng(0).normal(size=(300, 2))
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(c=np.arange(300) % 7)
    plain = TreeFlow(categorical_features=None, **FAST).fit(frame.to_numpy(float))
    found = TreeFlow(**FAST).fit(frame)
    assert found.map_ == plain.map_
    assert found.base_distribution_ == StandardNormal(3)


def test_categories_alone_have_no_map(table):
    codes = table[["ward", "sex"]]
    flow = TreeFlow(**FAST).fit(codes)
    assert isinstance(flow[0].map_, Identity)
    assert flow.n_trees_ == 0
    new = pd.DataFrame(itertools.product("abc", "fm"), columns=codes.columns)
    assert 0.9 < np.exp(flow.score_samples(new)).sum() <= 1.0
    assert set(flow.sample(100, random_state=0)["ward"]) == {"a", "b", "c"}


def test_weights_are_repeated_rows(table):
    rows, weight = table[:300], np.random.default_rng(0).integers(0, 3, 300)
    weighted = TreeFlow(**FAST).fit(rows, sample_weight=weight)
    repeated = TreeFlow(**FAST).fit(rows.loc[rows.index.repeat(weight)])
    np.testing.assert_allclose(
        weighted.score_samples(rows), repeated.score_samples(rows), atol=1e-6
    )


def test_what_was_learned_is_saved_and_pickled(table, flow, tmp_path):
    expected = flow.score_samples(table[:100])
    destructors.save(flow, tmp_path / "flow.npz")
    loaded = destructors.load(tmp_path / "flow.npz")
    np.testing.assert_array_equal(loaded.logpdf(table[:100]), expected)
    copy = pickle.loads(pickle.dumps(flow))
    np.testing.assert_array_equal(copy.score_samples(table[:100]), expected)
    pd.testing.assert_frame_equal(
        loaded.sample(20, random_state=0), flow.sample(20, random_state=0)
    )


def test_few_rows_are_held_out_in_turn():
    flow = TreeFlow(
        marginal=None, n_components=[1, 2], max_trees=5, cv=3, random_state=0
    ).fit(make_table(120))
    assert np.isfinite(flow.validation_score_).all()
    # What is learned is worth more than what was there before.
    assert flow.score(make_table(500, seed=1)) > -6.0


def test_integers_follow_codes_of_another_distribution(flow):
    """p(codes) is that given, p(integers | codes) that of the mixture."""
    mixture = flow.layers_[0].mixture_
    discrete = mixture.without(type(mixture.gaussians))
    sizes = discrete.n_categories[discrete.n_categories > 0]
    rng = np.random.default_rng(0)
    codes = IndependentCategorical([rng.dirichlet(np.ones(k)) for k in sizes])
    both = CodesFirst(codes, discrete)
    ranges = [range(size) for size in sizes] + [range(-40, 100)]
    grid = np.array(list(itertools.product(*ranges)), float)
    p = np.exp(both.logpdf(grid)).reshape(*sizes, 140)
    expected = np.exp(codes.logpdf(grid[::140, :2].astype(int))).reshape(*sizes)
    np.testing.assert_allclose(p.sum(axis=2), expected, atol=2e-3)
    drawn = both.sample(4000, np.random.RandomState(0))
    shares = np.bincount(drawn[:, 0].astype(int), minlength=sizes[0]) / 4000
    np.testing.assert_allclose(shares, expected.sum(axis=1), atol=0.04)


@pytest.mark.parametrize("seed", range(4))
def test_what_trees_see_of_categories_is_no_matter_of_their_names(seed):
    rng = np.random.default_rng(seed)
    Z, codes = rng.normal(size=(60, 2)), rng.integers(0, 7, 60)
    seen = [
        see_columns(replace(Rows.of(np.c_[Z, own]), kinds=np.array([0, 0, 7])))
        for own in (codes, 6 - codes)
    ]
    # An axis has no sign: that of rounding would turn the order round.
    np.testing.assert_allclose(seen[0].values[0], seen[1].values[0][::-1])
