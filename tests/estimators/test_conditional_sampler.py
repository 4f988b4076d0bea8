"""Draws and densities of rows with holes, of any flow."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.exceptions import NotFittedError

import destructors
from destructors.alignment import GaussianBarycenter
from destructors.estimators import ConditionalSampler, MixtureDensity
from destructors.exceptions import SamplingWarning
from destructors.flows import RBIG, GaussianCopula, TreeFlow
from destructors.linear import Whitening
from destructors.mixture import GaussianMixtureDestructor

NAN = np.nan
COVARIANCE = np.array([[2.0, 0.8, -0.5], [0.8, 1.0, 0.3], [-0.5, 0.3, 1.5]])
MEAN = np.array([1.0, -2.0, 0.5])


def gaussian(mean=MEAN, covariance=COVARIANCE):
    return GaussianMixtureDestructor.from_parameters([1.0], [mean], [covariance])


def banana(n_rows):
    x = np.random.default_rng(0).normal(size=(n_rows, 2))
    return np.c_[x[:, 0], x[:, 0] ** 2 + 0.5 * x[:, 1]]


@pytest.fixture(scope="module")
def flow():
    # Of two components, so that there is something left for trees to find.
    flow = TreeFlow(n_components=2, max_trees=30, cv=None, random_state=0)
    assert flow.fit(banana(1500)).n_trees_ > 0
    return flow


@pytest.fixture(scope="module")
def sampler(flow):
    return ConditionalSampler(flow, random_state=0)


# ---------------------------------------------------------------- closed forms


def test_a_gaussian_has_its_conditional_mean_and_covariance():
    row, known, gone = np.array([NAN, -1.0, NAN]), [1], [0, 2]
    sampler = ConditionalSampler(gaussian(), random_state=0)
    drawn, ess = sampler.sample_conditional([row], 20_000, 0, return_ess=True)
    gain = COVARIANCE[np.ix_(gone, known)] / COVARIANCE[1, 1]
    mean = MEAN[gone] + gain[:, 0] * (-1.0 - MEAN[1])
    rest = COVARIANCE[np.ix_(gone, gone)] - gain @ COVARIANCE[np.ix_(known, gone)]
    np.testing.assert_allclose(drawn[:, gone].mean(0), mean, atol=0.04)
    np.testing.assert_allclose(np.cov(drawn[:, gone].T), rest, atol=0.05)
    assert (drawn[:, 1] == -1.0).all()
    # Nothing is drawn twice: such draws are independent.
    assert len(np.unique(drawn[:, 0])) == 20_000
    np.testing.assert_allclose(ess, 40_000, rtol=1e-6)


@pytest.mark.parametrize("known", [[0], [2], [0, 1], [1, 2]])
def test_a_gaussian_has_its_marginal_density(known):
    rows = np.full((4, 3), NAN)
    rows[:, known] = np.random.default_rng(0).normal(MEAN, 2.0, (4, 3))[:, known]
    sampler = ConditionalSampler(gaussian(), random_state=0)
    scores = sampler.score_samples(rows)
    of = MEAN[known], COVARIANCE[np.ix_(known, known)]
    truth = multivariate_normal(*of).logpdf(rows[:, known])
    np.testing.assert_allclose(scores, truth, atol=1e-6)


def test_what_is_linear_is_a_gaussian_too():
    X = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, 500)
    sampler = ConditionalSampler(Whitening().fit(X), random_state=0)
    scores, std = sampler.score_samples([[0.0, NAN, NAN]], return_std=True)
    truth = norm(X[:, 0].mean(), X[:, 0].std()).logpdf(0.0)
    np.testing.assert_allclose(scores, truth, atol=1e-3)
    assert std[0] < 1e-6


def test_a_mixture_has_its_conditional():
    model = GaussianMixtureDestructor.from_parameters(
        [0.3, 0.7], [[-2.0, -3.0], [2.0, 3.0]], [np.eye(2), 0.5 * np.eye(2)]
    )
    sampler = ConditionalSampler(model, random_state=0)
    drawn = sampler.sample_conditional([[0.2, NAN]], 20_000, 0)[:, 1]
    joint = np.array([0.3 * norm(-2.0, 1.0).pdf(0.2), 0.7 * norm(2, 0.5**0.5).pdf(0.2)])
    assert np.mean(drawn < 0.0) == pytest.approx(joint[0] / joint.sum(), abs=0.012)
    scores = sampler.score_samples([[0.2, NAN]])
    np.testing.assert_allclose(scores, np.log(joint.sum()), atol=1e-5)


def test_a_copula_of_skewed_columns_has_its_marginals_within_errors():
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal(MEAN, COVARIANCE, 1000)
    model = GaussianCopula().fit(np.exp(0.5 * z))
    sampler = ConditionalSampler(model, n_proposals=4000, random_state=0)
    x = np.quantile(np.exp(0.5 * z[:, 0]), [0.1, 0.5, 0.9])
    rows = np.c_[x, np.full((3, 2), NAN)]
    scores, std = sampler.score_samples(rows, return_std=True)
    # A marginal map stretches a column: that is its density.
    step = 1e-4
    ends = np.zeros((6, 3)) + np.median(np.exp(0.5 * z), axis=0)
    ends[:, 0] = np.r_[x - step, x + step]
    spline, linear = model.map_.maps
    before, _ = spline.forward(ends)
    covariance = linear.inverse_matrix @ linear.inverse_matrix.T
    scale = np.sqrt(covariance[0, 0]) * linear.scale[0]
    low, high = np.split((before[:, 0] - linear.location[0]) / scale, 2)
    truth = norm.logpdf(0.5 * (low + high)) + np.log((high - low) / (2.0 * step))
    assert (np.abs(scores - truth) < 3.0 * std + 1e-4).all()
    assert (std < 0.02).all()


# ---------------------------------------------------------------- a flow


GRID = np.linspace(-6.0, 12.0, 6001)


def along(flow, row):
    """The joint density of a row along the column that it misses."""
    rows = np.repeat(row[None], len(GRID), axis=0)
    rows[:, np.isnan(row)] = GRID[:, None]
    return np.exp(flow.score_samples(rows))


@pytest.mark.parametrize("row", [[1.5, NAN], [-0.3, NAN], [NAN, 2.0], [NAN, 0.1]])
def test_draws_of_a_flow_follow_its_joint_density(flow, sampler, row):
    row = np.array(row)
    density = along(flow, row)
    drawn, ess = sampler.sample_conditional([row], 4000, 0, return_ess=True)
    drawn = drawn[:, np.isnan(row)].ravel()
    cdf = np.cumsum(density) / density.sum()
    edges = np.interp(np.linspace(0.05, 0.95, 10), cdf, GRID)
    shares = np.bincount(np.searchsorted(edges, drawn), minlength=11) / 4000
    expected = np.diff(np.r_[0.0, np.linspace(0.05, 0.95, 10), 1.0])
    error = np.sqrt(expected * (1 - expected) * (1 / 4000 + 1 / ess[0]))
    assert (np.abs(shares - expected) < 4.0 * error).all()


def test_marginals_of_a_flow_are_its_joint_density_integrated(flow, sampler):
    rows = np.array([[1.5, NAN], [-0.3, NAN], [NAN, 2.0], [NAN, 0.1], [NAN, 5.0]])
    scores, std = sampler.score_samples(rows, return_std=True)
    truth = [np.log(np.trapezoid(along(flow, row), GRID)) for row in rows]
    assert (std > 0.0).all()
    assert (np.abs(scores - truth) < 3.0 * std + 1e-3).all()


# ---------------------------------------------------------------- rows


def test_a_whole_row_is_itself(flow, sampler):
    X = banana(5)
    drawn, ess = sampler.sample_conditional(X, 2, 0, return_ess=True)
    assert (drawn == np.repeat(X, 2, axis=0)).all()
    assert (ess == 1000).all()
    scores, std = sampler.score_samples(X, return_std=True)
    assert (scores == flow.score_samples(X)).all()
    assert (std == 0.0).all()


def test_an_empty_row_is_a_sample(flow, sampler):
    drawn, ess = sampler.sample_conditional([[NAN, NAN]], 50, 3, return_ess=True)
    assert (drawn == flow.sample(50, random_state=3)).all()
    assert ess == [1000]
    assert sampler.score_samples([[NAN, NAN]]) == [0.0]


def test_scores_do_not_depend_on_the_other_rows(sampler):
    X = banana(30)
    X[::3, 0], X[1::3, 1], X[3] = NAN, NAN, NAN
    together = sampler.score_samples(X)
    alone = [sampler.score_samples(X[i : i + 1])[0] for i in range(30)]
    np.testing.assert_allclose(together, alone, rtol=1e-10, atol=1e-12)


def test_draws_of_a_row_come_together_and_keep_what_is_there(sampler):
    X = banana(6)
    X[::2, 0], X[1::2, 1] = NAN, NAN
    drawn = sampler.sample_conditional(X, 4, 0).reshape(6, 4, 2)
    assert np.isfinite(drawn).all()
    assert (drawn == X[:, None])[~np.isnan(np.repeat(X[:, None], 4, axis=1))].all()
    assert (np.ptp(drawn[::2, :, 0], axis=1) > 0.0).all()


def test_a_seed_gives_the_same_again(flow, sampler):
    X = [[0.5, NAN], [NAN, 1.0]]
    first = sampler.sample_conditional(X, 5, 0)
    assert (first == sampler.sample_conditional(X, 5, 0)).all()
    assert (first != sampler.sample_conditional(X, 5, 1)).any()
    again = ConditionalSampler(flow, random_state=0)
    assert (first == again.sample_conditional(X, 5, 0)).all()
    assert (sampler.score_samples(X) == again.score_samples(X)).all()


def test_a_frame_comes_back_as_a_frame():
    frame = pd.DataFrame(banana(300), columns=["a", "b"])
    sampler = ConditionalSampler(RBIG(max_iter=2, random_state=0).fit(frame))
    asked = frame[:2].assign(b=NAN).set_axis(["x", "y"])
    drawn = sampler.sample_conditional(asked, 3, 0)
    assert drawn.index.tolist() == ["x"] * 3 + ["y"] * 3
    assert drawn.columns.tolist() == ["a", "b"]
    assert drawn.notna().all(axis=None)


def test_a_density_from_a_file_is_taken(tmp_path):
    destructors.save(gaussian(), tmp_path / "model.npz")
    loaded = ConditionalSampler(
        destructors.load(tmp_path / "model.npz"), random_state=0
    )
    known = ConditionalSampler(gaussian(), random_state=0)
    X = [[0.0, NAN, 1.0]]
    assert (loaded.score_samples(X) == known.score_samples(X)).all()


def test_a_mixture_of_mixed_tables_keeps_its_own_conditionals():
    frame = pd.DataFrame({"a": banana(300)[:, 0], "kind": ["cat", "dog"] * 150})
    model = MixtureDensity(n_components=2, random_state=0).fit(frame)
    sampler = ConditionalSampler(model)
    asked = pd.DataFrame({"a": [NAN, 1.0], "kind": ["cat", None]})
    drawn = sampler.sample_conditional(asked, 3, 0)
    pd.testing.assert_frame_equal(drawn, model.sample_conditional(asked, 3, 0))
    scores, std = sampler.score_samples(asked, return_std=True)
    assert (scores == model.score_samples(asked)).all()
    assert (std == 0.0).all()


# ---------------------------------------------------------------- what goes wrong


def test_few_effective_draws_are_told(sampler):
    # So far out that a few proposals have all the weight.
    X = [[0.5, NAN], [1000.0, NAN]]
    with pytest.warns(SamplingWarning, match="1 of 2 rows have an effective sample"):
        _, ess = sampler.sample_conditional(X, 5, 0, return_ess=True)
    assert ess[1] < 50 < ess[0]
    with pytest.warns(SamplingWarning):
        scores = sampler.score_samples(X)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("far", [1e3, -1e10, 1e100, 1e300])
def test_nothing_is_ever_nan_or_infinite(sampler, far):
    X = [[far, NAN], [NAN, far]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        drawn, ess = sampler.sample_conditional(X, 2, 0, return_ess=True)
        scores, std = sampler.score_samples(X, return_std=True)
    for found in (drawn, ess, scores, std):
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, NAN, 2.0]], r"must have the shape \(n_samples, 2\)"),
        ([[np.inf, NAN]], "inf"),
        ([1.0, NAN], "must have the shape"),
    ],
)
def test_bad_rows(sampler, X, message):
    with pytest.raises(ValueError, match=message):
        sampler.sample_conditional(X)
    with pytest.raises(ValueError, match=message):
        sampler.score_samples(X)


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, None])
def test_bad_numbers_of_draws(sampler, n_samples):
    with pytest.raises(ValueError, match="n_samples must be an integer"):
        sampler.sample_conditional([[1.0, NAN]], n_samples)


def test_bad_models():
    with pytest.raises(NotFittedError):
        ConditionalSampler(TreeFlow())
    with pytest.raises(TypeError, match="must be a fitted destructor"):
        ConditionalSampler("flow")
    with pytest.raises(ValueError, match="n_proposals must be an integer of at least"):
        ConditionalSampler(gaussian(), n_proposals=10)
    aligned = GaussianBarycenter().fit(banana(40), sample_domain=np.arange(40) % 2)
    with pytest.raises(ValueError, match="depends on the domain"):
        ConditionalSampler(aligned)
