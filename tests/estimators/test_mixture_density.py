"""Mixtures of numbers, integers and categories: exact, with anything missing."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import destructors
from destructors.base_distributions import MixedMixture
from destructors.estimators import MixtureDensity
from destructors.exceptions import DataWarning
from destructors.flows import TreeFlow
from destructors.maps import CodeForest, Gaussians, IntegerTable
from destructors.marginal import NormalCDF, SplineGaussianizer

NAN = np.nan
# Codes of a small mixture: columns 2, 3 and 4.
SIZES = [2, 3, 2]


def shares(rng, *shape):
    table = rng.uniform(0.1, 1.0, shape)
    return table / table.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def mixture():
    """Three classes of two numbers, three codes along a tree, and an integer."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 2, 2))
    numbers = Gaussians(
        2.0 * rng.normal(size=(3, 2)),
        roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(2),
    )
    tables = shares(rng, 3, 2), shares(rng, 3, 2, 3), shares(rng, 3, 3, 2)
    codes = CodeForest(np.array([-1, 0, 1]), tables)
    both = shares(rng, 3, 4)
    integers = IntegerTable(
        np.array([-1.0, 0.0, 7.0]), both[:, :3], both[:, 3], np.zeros(3), np.ones(3)
    )
    return MixedMixture(
        shares(rng, 3), (numbers, codes, integers), ([0, 1], [2, 3, 4], [5])
    )


def cells():
    return np.array(list(itertools.product(*map(range, SIZES), range(-40, 48))), float)


def test_probabilities_of_codes_and_integers_sum_to_one(mixture):
    rows = np.column_stack([np.full((len(cells()), 2), NAN), cells()])
    total = np.exp(logsumexp(mixture.logpdf(rows)))
    assert total == pytest.approx(1.0, abs=1e-10)


def test_the_density_integrates_to_one(mixture):
    x = np.linspace(-15.0, 15.0, 501)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    rows = np.column_stack([grid, np.full((len(grid), 4), NAN)])
    total = np.exp(mixture.logpdf(rows)).sum() * (x[1] - x[0]) ** 2
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("holes", list(itertools.product([False, True], repeat=3)))
def test_a_marginal_is_the_sum_of_the_joint(mixture, holes):
    holes = np.array(holes)
    for code in itertools.product(*map(range, SIZES)):
        row = np.r_[0.3, -0.2, code, 1.0]
        choices = [
            range(n) if gone else [c]
            for n, gone, c in zip(SIZES, holes, code, strict=True)
        ]
        joint = [np.r_[row[:2], each, row[5]] for each in itertools.product(*choices)]
        row[2:5][holes] = NAN
        expected = logsumexp(mixture.logpdf(np.array(joint)))
        assert mixture.logpdf(row[None])[0] == pytest.approx(expected, abs=1e-10)


def test_a_marginal_of_numbers_is_that_of_the_gaussians(mixture):
    numbers = mixture.emissions[0]
    for j in range(2):
        row = np.full(6, NAN)
        row[j] = 0.7
        density = mixture.weights @ stats.norm.pdf(
            0.7, numbers.means[:, j], np.sqrt(numbers.covariances[:, j, j])
        )
        assert mixture.logpdf(row[None])[0] == pytest.approx(np.log(density), abs=1e-10)


def test_a_row_without_anything_has_probability_one(mixture):
    np.testing.assert_allclose(mixture.logpdf(np.full((2, 6), NAN)), 0.0, atol=1e-12)


def test_conditional_times_marginal_is_the_joint(mixture):
    """By the classes: p(x) = Σ p(k | there) p(missing | there, k) times p(there)."""
    row = np.array([0.3, -0.2, 1.0, 2.0, 0.0, 7.0])
    there = np.where([True, False, True, False, True, False], row, NAN)
    posterior, numbers = mixture.posterior(there[None])[0], mixture.emissions[0]
    given = numbers.given(np.array([True, False]))
    conditional = 0.0
    for k, p in enumerate(posterior):
        mean = numbers.mean_of(given, row[None, :1], k, np.array([False, True]))[0, 0]
        density = stats.norm.pdf(row[1], mean, np.sqrt(given.covariance[k, 0, 0]))
        tables = [table[k] for table in mixture.emissions[1].tables]
        path = tables[1][1] * tables[2][:, 0]
        density *= path[2] / path.sum()
        density *= np.exp(mixture.emissions[2].logpdf(np.array([[7.0]]))[0, k])
        conditional += p * density
    joint = mixture.logpdf(there[None])[0] + np.log(conditional)
    assert mixture.logpdf(row[None])[0] == pytest.approx(joint, abs=1e-10)


def test_draws_follow_the_conditional_distribution(mixture):
    n = 20_000
    row = np.array([0.3, NAN, NAN, NAN, 1.0, NAN])
    rows = np.repeat(row[None], n, axis=0)
    drawn = mixture.fill(rows, np.random.RandomState(0))
    assert (drawn[:, [0, 4]] == [0.3, 1.0]).all()
    # Codes and integers, each pair of codes a cell.
    observed = np.bincount((drawn[:, 2] * 3 + drawn[:, 3]).astype(int), minlength=6)
    pairs = np.array(list(itertools.product(range(2), range(3))), float)
    known = np.repeat(row[None], 6, axis=0)
    known[:, 2:4] = pairs
    expected = n * np.exp(mixture.logpdf(known) - mixture.logpdf(row[None]))
    assert stats.chisquare(observed, expected).pvalue > 1e-4
    # The number, by its distribution function.
    x = np.linspace(-15.0, 15.0, 3001)
    known = np.repeat(row[None], len(x), axis=0)
    known[:, 1] = x
    density = np.exp(mixture.logpdf(known) - mixture.logpdf(row[None]))
    cdf = np.interp(drawn[:, 1], x, np.cumsum(density) * (x[1] - x[0]))
    assert stats.kstest(cdf, "uniform").pvalue > 1e-4


def test_codes_that_are_left_out_are_not_drawn(mixture):
    without = np.array([-1, -1, -1, 2, -1, -1])
    row = np.array([0.3, NAN, 0.0, NAN, 1.0, NAN])
    drawn = mixture.fill(
        np.repeat(row[None], 5000, axis=0), np.random.RandomState(0), without
    )
    known = np.repeat(row[None], 2, axis=0)
    known[:, 3] = [0.0, 1.0]
    p = np.exp(mixture.logpdf(known))
    observed = np.bincount(drawn[:, 3].astype(int), minlength=2)
    assert stats.chisquare(observed, 5000 * p / p.sum()).pvalue > 1e-4


def test_the_most_probable_code_is_predicted(mixture):
    curves = np.zeros((3601, 6))
    rows = np.array([[NAN, NAN, a, NAN, c, NAN] for a in range(2) for c in range(2)])
    rows = np.vstack([rows, np.full((1, 6), NAN), [[NAN, NAN, NAN, 1.0, NAN, 0.0]]])
    filled = mixture.predict(rows, "mode", curves)
    for row, found in zip(rows, filled, strict=True):
        for j in np.flatnonzero(np.isnan(row[2:5])) + 2:
            known = np.repeat(row[None], SIZES[j - 2], axis=0)
            known[:, j] = np.arange(SIZES[j - 2])
            assert found[j] == np.argmax(mixture.logpdf(known))


# ---------------------------------------------------------------- fits


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 650
    kind = rng.choice(["cat", "dog", "owl"], n, p=[0.5, 0.3, 0.2])
    size = rng.normal(pd.Series(kind).map({"cat": 0.0, "dog": 4.0, "owl": -4.0}))
    return pd.DataFrame(
        {
            "kind": pd.Categorical(kind),
            "size": size,
            "length": size + 0.3 * rng.normal(size=n),
            "litter": rng.poisson(np.where(kind == "cat", 4.0, 1.0)),
            "pet": kind != "owl",
        }
    )


@pytest.fixture(scope="module")
def model(frame):
    rng = np.random.default_rng(1)
    holed = frame.astype({"litter": "Int64", "pet": object})
    holed = holed.mask(rng.random(frame.shape) < 0.15)
    return MixtureDensity(3, marginal=None, random_state=0).fit(holed)


def test_holes_in_training_rows_hardly_cost(frame, model):
    whole = MixtureDensity(3, marginal=None, random_state=0).fit(frame)
    assert model.score(frame) > whole.score(frame) - 0.1


def test_samples_have_the_dtypes_and_no_holes(frame, model):
    samples = model.sample(300, random_state=0)
    assert samples["kind"].dtype == frame["kind"].dtype
    assert samples["litter"].dtype == "Int64"
    assert not samples.isna().any(axis=None)
    assert set(samples["kind"]) == {"cat", "dog", "owl"}
    assert (samples["pet"] == (samples["kind"] != "owl")).mean() > 0.97


def test_what_is_there_stays_as_it_is(frame, model):
    holed = frame.astype({"litter": "Int64", "pet": object}).head(50)
    holed = holed.mask(np.random.default_rng(2).random(holed.shape) < 0.4)
    for filled in (
        model.sample_conditional(holed, random_state=0),
        model.predict_missing(holed),
        model.predict_missing(holed, "mode"),
    ):
        assert not filled.isna().any(axis=None)
        for name in holed:
            there = holed[name].notna()
            assert (filled[name][there] == holed[name][there]).all()


def test_draws_of_a_row_stand_together(model):
    row = pd.DataFrame(
        {"kind": ["owl", "cat"], "size": NAN, "length": NAN, "litter": NAN, "pet": None}
    )
    drawn = model.sample_conditional(row, 200, random_state=0)
    assert len(drawn) == 400
    # Each has the index of its row.
    assert (drawn["kind"][0] == "owl").all()
    assert drawn["size"][0].mean() < -3.0 < drawn["size"][1].mean()
    again = model.sample_conditional(row, 200, random_state=0)
    pd.testing.assert_frame_equal(drawn, again)


def test_saved_and_loaded_to_the_same_bits(frame, model, tmp_path):
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    holed = frame.astype({"litter": "Int64", "pet": object})
    holed = holed.mask(np.random.default_rng(2).random(frame.shape) < 0.4)
    np.testing.assert_array_equal(density.logpdf(holed), model.score_samples(holed))
    pd.testing.assert_frame_equal(
        density.sample_conditional(holed, 2, 0), model.sample_conditional(holed, 2, 0)
    )
    pd.testing.assert_frame_equal(
        density.predict_missing(holed), model.predict_missing(holed)
    )


def test_the_score_with_marginals_integrates_to_one(frame):
    model = MixtureDensity(
        2, marginal=SplineGaussianizer(n_knots=8), random_state=0
    ).fit(frame[["size", "kind"]])
    x = np.linspace(-30.0, 30.0, 4001)
    total = 0.0
    for kind in ("cat", "dog", "owl", "unseen"):
        rows = pd.DataFrame({"size": x, "kind": kind})
        total += np.exp(model.score_samples(rows)).sum() * (x[1] - x[0])
    assert total == pytest.approx(1.0, abs=2e-3)


def test_without_marginals_the_density_is_a_gaussian_mixture():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2)) @ [[2.0, 1.0], [0.0, 0.5]] + [10.0, -3.0]
    holed = np.where(rng.random(X.shape) < 0.2, NAN, X)
    model = MixtureDensity(1, marginal=None, random_state=0).fit(holed)
    row = np.array([[12.0, NAN]])
    drawn = model.sample_conditional(row, 4000, random_state=0)[:, 1]
    # y = -3 + (x - 10) / 2 + noise of variance 1/4
    assert drawn.mean() == pytest.approx(-2.0, abs=0.05)
    assert drawn.std() == pytest.approx(0.5, abs=0.05)
    assert model.predict_missing(row)[0, 1] == pytest.approx(-2.0, abs=0.05)
    known = stats.norm.logpdf(12.0, 10.0, 2.0)
    assert model.score_samples(row)[0] == pytest.approx(known, abs=0.05)


def test_weights_are_repeats(frame):
    frame = frame[["kind", "size", "litter"]].head(40)
    counts = np.random.default_rng(0).integers(0, 3, len(frame))
    weighted = MixtureDensity(2, marginal=None, random_state=0).fit(
        frame, sample_weight=counts
    )
    repeated = MixtureDensity(2, marginal=None, random_state=0).fit(
        frame.loc[frame.index.repeat(counts)]
    )
    np.testing.assert_allclose(
        weighted.score_samples(frame), repeated.score_samples(frame), atol=1e-6
    )


def test_integers_have_probabilities_that_sum_to_one():
    x = np.random.default_rng(0).geometric(0.2, 400)
    model = MixtureDensity(2, random_state=0).fit(pd.DataFrame({"n": x}))
    rows = pd.DataFrame({"n": np.arange(-3000, 3001)})
    total = np.exp(model.score_samples(rows)).sum()
    assert total == pytest.approx(1.0, abs=1e-8)
    far = model.score_samples(pd.DataFrame({"n": [10**6, -(10**15)]}))
    assert np.isfinite(far).all()


def test_floats_that_are_integers_with_holes_count_as_integers():
    x = pd.Series(np.random.default_rng(0).poisson(3.0, 200)).mask(np.arange(200) < 9)
    model = MixtureDensity(1, random_state=0).fit(pd.DataFrame({"n": x}))
    samples = model.sample(50, random_state=0)["n"]
    assert (samples == samples.round()).all()


# ---------------------------------------------------------------- hostile tables


def test_a_category_that_was_not_seen_has_little_probability(frame, model):
    row = frame.head(1).astype({"pet": object})
    strange = row.assign(kind=["emu"])
    scores = model.score_samples(pd.concat([row.astype({"kind": str}), strange]))
    assert np.isfinite(scores).all()
    assert scores[1] < scores[0] - 2.0
    assert np.isfinite(model.predict_missing(strange.assign(size=NAN))["size"]).all()
    strict = MixtureDensity(
        1, marginal=None, handle_unknown="error", random_state=0
    ).fit(frame)
    with pytest.raises(ValueError, match=r"not seen in fit.*kind"):
        strict.score_samples(strange)


def test_a_column_that_is_all_missing_is_named(frame):
    with pytest.raises(ValueError, match="Column size has no value at all: drop it"):
        MixtureDensity().fit(frame.assign(size=NAN))


def test_absence_can_be_a_category():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    kind = np.where(x > 0.5, None, rng.choice(["a", "b"], 400))
    frame = pd.DataFrame({"x": x, "kind": kind})
    model = MixtureDensity(
        4, marginal=None, handle_missing="category", random_state=0
    ).fit(frame)
    rows = pd.DataFrame({"x": [1.0, 1.0], "kind": [None, "a"]})
    scores = model.score_samples(rows)
    assert scores[0] > scores[1] + 2.0


def test_a_constant_column_and_few_rows():
    X = np.column_stack([np.full(30, 3.0), np.random.default_rng(0).normal(size=30)])
    model = MixtureDensity(2, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    np.testing.assert_allclose(model.sample(5, random_state=0)[:, 0], 3.0, atol=0.1)
    two = MixtureDensity(2, marginal=None, random_state=0).fit(X[:2])
    assert np.isfinite(two.score_samples(X)).all()


def test_as_many_classes_as_rows(frame):
    few = frame[["kind", "size"]].head(6)
    model = MixtureDensity(6, marginal=None, random_state=0).fit(few)
    assert np.isfinite(model.score_samples(frame[["kind", "size"]])).all()


def test_a_category_with_ten_thousand_values():
    rng = np.random.default_rng(0)
    codes = rng.permutation(10_000)
    x = (codes % 2) * 4.0 + rng.normal(size=10_000)
    frame = pd.DataFrame({"code": pd.Categorical(codes), "x": x})
    model = MixtureDensity(2, marginal=None, random_state=0).fit(frame)
    # That no code is seen twice tells nothing of it.
    scores = model.score_samples(frame.head(100))
    assert scores.mean() == pytest.approx(-np.log(10_000) - 2.1, abs=1.0)
    strange = model.score_samples(pd.DataFrame({"code": [-1, 5], "x": 0.0}))
    assert strange[0] < strange[1] + 0.5


def test_columns_of_codes_by_mask_position_and_name(frame):
    X = np.column_stack([frame["kind"].cat.codes, frame["size"]]).astype(float)
    scores = [
        MixtureDensity(2, marginal=None, categorical_features=given, random_state=0)
        .fit(X)
        .score(X)
        for given in ([True, False], [0])
    ]
    assert scores[0] == scores[1]
    with pytest.raises(ValueError, match="mask of the shape"):
        MixtureDensity(categorical_features=[True]).fit(X)
    named = frame.assign(kind=frame["kind"].cat.codes)
    model = MixtureDensity(
        2, marginal=None, categorical_features=["kind"], random_state=0
    ).fit(named)
    assert model.base_distribution_.n_categories[0] == 4
    with pytest.raises(ValueError, match="categorical_features"):
        MixtureDensity(categorical_features=["colour"]).fit(named)


def test_infinite_numbers_are_refused_and_flows_say_what_takes_holes(frame):
    X = frame[["size", "length"]].to_numpy(copy=True)
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"infinity \(inf\) in 1 row"):
        MixtureDensity().fit(X)
    X[0, 0] = NAN
    flow = TreeFlow(n_components=1, max_trees=1, cv=None, random_state=0).fit(X[1:])
    with pytest.raises(
        ValueError, match=r"NaN in 1 row.*DensityImputer.*MixtureDensity"
    ):
        flow.transform(X)
    with pytest.raises(ValueError, match="No conditional of this density is known"):
        flow.to_density().sample_conditional(X)


def test_equal_categories_are_no_warning(frame):
    twice = frame.assign(again=frame["kind"])
    model = MixtureDensity(2, marginal=None, random_state=0).fit(twice)
    base = MixtureDensity(2, marginal=None, random_state=0).fit(frame)
    assert model.score(twice) > base.score(frame) - 0.1
    with pytest.warns(DataWarning, match="are equal"):
        MixtureDensity(1, marginal=None, random_state=0).fit(
            frame.assign(twin=frame["size"])
        )


def test_a_marginal_has_to_end_on_the_normal():
    with pytest.raises(ValueError, match="must end on the standard normal"):
        MixtureDensity(1, marginal=NormalCDF()).fit(
            np.random.default_rng(0).normal(size=(50, 1))
        )


def test_a_number_too_far_out_to_be_learned_from_does_not_keep_em_going():
    # Its squared distance is 1e20, of which no step of EM changes less than 0.001.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4)) @ rng.normal(size=(4, 4))
    X[rng.random(X.shape) < 0.3] = np.nan
    X[7, 2] = 1e10
    model = MixtureDensity(3, marginal=None, random_state=0).fit(X)
    assert model.converged_
    assert model.n_iter_ < 100
    assert model.lower_bound_ == pytest.approx(model.score_samples(X).mean())


@pytest.mark.parametrize("weight", [1.0, 1e-300])
@pytest.mark.parametrize("n_rows", [1, 3])
def test_few_rows_of_any_weight_are_enough_for_em(n_rows, weight):
    X = np.eye(12)[:n_rows].repeat(2, axis=0)
    model = MixtureDensity(random_state=0).fit(X, sample_weight=np.full(len(X), weight))
    assert model.converged_
