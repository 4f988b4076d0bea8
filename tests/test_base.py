"""What the base class gives every destructor: densities, samples, and the conventions
of scikit-learn.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.flows import RBIG
from destructors.linear import RandomRotation, Whitening
from destructors.maps import Map
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer


@dataclass(frozen=True, eq=False)
class LogMap(Map):
    feature_wise = True

    def forward(self, X, context=None):
        Z = np.log(X)
        return Z, -Z.sum(axis=1)

    def inverse(self, Z, context=None):
        return np.exp(Z), Z.sum(axis=1)


@dataclass(frozen=True, eq=False)
class SquareMap(Map):
    def forward(self, X, context=None):
        return X**2, np.log(2.0 * X).sum(axis=1)

    def inverse(self, Z, context=None):
        X = np.sqrt(Z)
        return X, -np.log(2.0 * X).sum(axis=1)


class Log(Destructor):
    """Take logarithms of positive features: a layer of one's own."""

    def _fit(self, fold, random_state):
        self.smallest_ = fold.train.values.min(axis=0)
        return LogMap()


class Square(Destructor):
    """The triangular density on [0, 1], to the unit interval."""

    def _fit(self, fold, random_state):
        self.base_distribution_ = Uniform(fold.train.n_features)
        return SquareMap()


# ---------------------------------------------------------------- density


def test_whitening_is_the_gaussian_of_the_sample_moments(X):
    model = Whitening(shrinkage=0.0).fit(X)
    truth = stats.multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True))
    new = X[:50] * [2.0, 5.0] - 3.0
    np.testing.assert_allclose(model.score_samples(new), truth.logpdf(new), rtol=1e-10)
    assert model.score(new) == pytest.approx(truth.logpdf(new).mean())


def test_weighted_whitening_is_the_gaussian_of_the_weighted_moments(X):
    weight = np.random.default_rng(1).uniform(0.0, 3.0, len(X))
    model = Whitening(shrinkage=0.0).fit(X, sample_weight=weight)
    truth = stats.multivariate_normal(
        np.average(X, axis=0, weights=weight), np.cov(X.T, aweights=weight, bias=True)
    )
    np.testing.assert_allclose(model.score_samples(X), truth.logpdf(X), rtol=1e-10)


def test_a_rotation_has_the_density_of_the_base(X):
    scores = RandomRotation(random_state=0).fit(X).score_samples(X)
    np.testing.assert_allclose(scores, stats.norm.logpdf(X).sum(axis=1))


def test_a_layer_of_ones_own_has_the_density_of_its_change_of_variables(X):
    X = np.exp(X)
    expected = stats.lognorm.logpdf(X, s=1.0).sum(axis=1)
    np.testing.assert_allclose(Log().fit(X).score_samples(X), expected)


def test_layers_of_ones_own_compose():
    # Correlated log-normal features: logarithms, then a Gaussian.
    rng = np.random.default_rng(0)
    truth = stats.multivariate_normal([1.0, -1.0], [[1.0, 0.8], [0.8, 1.0]])
    X, new = np.exp(truth.rvs((2, 4000), random_state=rng))
    model = make_destructor_pipeline(Log(), Whitening()).fit(X)
    expected = truth.logpdf(np.log(new)) - np.log(new).sum(axis=1)
    assert np.mean(expected - model.score_samples(new)) < 0.005
    stack = IterativeDestructor(model, max_iter=1, random_state=0).fit(X)
    assert np.mean(expected - stack.score_samples(new)) < 0.005


def test_the_base_can_be_uniform():
    model = Square().fit(np.full((2, 1), 0.5))
    X = np.array([[0.25], [0.5], [1.0]])
    np.testing.assert_allclose(model.score_samples(X), np.log(2.0 * X[:, 0]))
    assert model.score_samples([[1.5]]) == -np.inf
    sample = model.sample(4000, random_state=0)[:, 0]
    assert stats.kstest(sample, lambda x: x**2).pvalue > 1e-6


def test_score_is_the_weighted_mean_of_score_samples(X):
    model = SplineGaussianizer().fit(X)
    weight = np.arange(len(X))
    scores = model.score_samples(X)
    assert model.score(X) == pytest.approx(scores.mean(), rel=1e-12)
    expected = (weight * scores).sum() / weight.sum()
    assert model.score(X, sample_weight=weight) == pytest.approx(expected, rel=1e-12)


def test_rows_of_weight_zero_do_not_count(X):
    outlier = np.vstack([X, [[1e9, -1e9]]])
    weight = np.r_[np.ones(len(X)), 0.0]
    for destructor in (Whitening(), HistogramGaussianizer(), SplineGaussianizer()):
        model = clone(destructor).fit(outlier, sample_weight=weight)
        expected = clone(destructor).fit(X).score_samples(X)
        np.testing.assert_allclose(model.score_samples(X), expected, rtol=1e-9)


def test_many_rows_are_mapped_in_blocks_and_threads(X):
    sizes = []

    class SpyMap(LogMap):
        def forward(self, X, context=None):
            sizes.append(len(X))
            return super().forward(X)

    class Spy(Log):
        def _fit(self, fold, random_state):
            return SpyMap()

    rows = np.tile(np.exp(X), (1000, 1))
    Z, log_det = Spy().fit(rows).transform_and_log_det(rows)
    np.testing.assert_array_equal(Z, np.log(rows))
    np.testing.assert_array_equal(log_det, -Z.sum(axis=1))
    assert sum(sizes) == len(rows)
    assert max(sizes) < len(rows) / 2
    one, two = (SplineGaussianizer(n_jobs=n).fit(X) for n in (None, 2))
    np.testing.assert_array_equal(one.transform(rows), two.transform(rows))


# ---------------------------------------------------------------- samples


def test_samples_have_the_moments_of_the_model(X):
    sample = Whitening(shrinkage=0.0).fit(X).sample(200_000, random_state=0)
    np.testing.assert_allclose(sample.mean(axis=0), X.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(np.cov(sample.T), np.cov(X.T), atol=0.05)


def test_samples_follow_their_seed(X):
    model = Whitening().fit(X)
    by_seed = model.sample(5, random_state=3)
    rng = np.random.RandomState(3)
    np.testing.assert_array_equal(by_seed, model.sample(5, random_state=rng))
    assert not np.array_equal(by_seed, model.sample(5, random_state=rng))
    assert model.sample().shape == (1, 2)
    assert not np.array_equal(model.sample(), model.sample())


def test_the_random_state_of_fit_does_not_seed_samples(X):
    model = RandomRotation(random_state=0).fit(X)
    assert not np.array_equal(model.sample(5), model.sample(5))


# ---------------------------------------------------------------- scikit-learn


def test_tags(X):
    for destructor in (Whitening(), RBIG()):
        tags = get_tags(destructor)
        assert tags.estimator_type == "density_estimator"
        assert tags.transformer_tags is not None
        assert not tags.input_tags.sparse
        assert not tags.target_tags.required


def test_fit_transform_passes_weights_on(X):
    weight = np.arange(len(X))
    Z = Whitening().fit_transform(X, sample_weight=weight)
    expected = Whitening().fit(X, sample_weight=weight).transform(X)
    np.testing.assert_array_equal(Z, expected)


def test_set_output_gives_frames(X):
    frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(len(X)) + 7)
    model = Whitening().set_output(transform="pandas").fit(frame)
    Z = model.transform(frame)
    assert list(Z.columns) == ["whitening0", "whitening1"]
    assert Z.index.equals(frame.index)
    plain = Whitening().fit(X)
    np.testing.assert_array_equal(Z, plain.transform(X))
    np.testing.assert_array_equal(model.score_samples(frame), plain.score_samples(X))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize(
    "destructor",
    [
        make_destructor_pipeline(SplineGaussianizer(), Whitening()),
        IterativeDestructor(max_iter=2, random_state=0),
        RBIG(max_iter=2, random_state=0),
    ],
    ids=["pipeline", "stack", "rbig"],
)
def test_frames_as_global_output_do_not_reach_inner_layers(destructor, X):
    frame = pd.DataFrame(X, columns=["a", "b"])
    expected = clone(destructor).fit(X).transform(X)
    with config_context(transform_output="pandas"):
        model = clone(destructor).fit(frame)
        Z = model.transform(frame)
        assert isinstance(Z, pd.DataFrame)
        back = model.inverse_transform(Z)
    np.testing.assert_allclose(Z, expected, rtol=1e-12)
    np.testing.assert_allclose(back, X, rtol=1e-9)


def test_names_are_kept_where_features_are(X):
    frame = pd.DataFrame(X, columns=["a", "b"])
    kept = make_destructor_pipeline(SplineGaussianizer(), HistogramGaussianizer())
    assert list(kept.fit(frame).get_feature_names_out()) == ["a", "b"]
    mixed = make_destructor_pipeline(SplineGaussianizer(), Whitening())
    names = mixed.fit(frame).get_feature_names_out()
    assert list(names) == ["destructorpipeline0", "destructorpipeline1"]
    assert list(Log().fit(np.exp(X)).get_feature_names_out()) == ["x0", "x1"]
    assert list(Log().fit(np.exp(X)).get_feature_names_out(["u", "v"])) == ["u", "v"]


def test_representations_before_and_after_fit(X):
    for destructor in (Whitening(), IterativeDestructor(max_iter=1), RBIG(max_iter=1)):
        name = type(destructor).__name__
        assert name in clone(destructor)._repr_html_()
        assert name in clone(destructor).fit(X)._repr_html_()


def test_last_step_of_a_pipeline(X):
    rng = np.random.default_rng(0)
    X[rng.random(X.shape) < 0.05] = np.nan
    model = make_pipeline(
        SimpleImputer(), StandardScaler(), RBIG(max_iter=3, random_state=0)
    )
    model.fit(X)
    ready = model[:-1].transform(X)
    np.testing.assert_array_equal(
        model.score_samples(X), model[-1].score_samples(ready)
    )
    assert model.score(X) == pytest.approx(model[-1].score(ready))
    assert model.transform(X).shape == X.shape
    assert np.isfinite(cross_val_score(model, X, cv=3)).all()


def test_grid_search_over_a_pipeline(X):
    model = make_pipeline(
        SimpleImputer(),
        StandardScaler(),
        RBIG(rotation="random", early_stopping=False, random_state=0),
    )
    search = GridSearchCV(model, {"rbig__max_iter": [1, 3, 10]}, cv=3).fit(X)
    means = search.cv_results_["mean_test_score"]
    # One layer sees no dependence.
    assert means.max() > means[0] + 0.05
    assert search.best_score_ == means.max()
    assert search.best_estimator_[-1].n_iter_ == search.best_params_["rbig__max_iter"]
    assert np.isfinite(search.score(X))


def test_metadata_routing_brings_weights_to_fit_and_score(X):
    weight = np.random.default_rng(0).uniform(0.0, 3.0, len(X))
    direct = Whitening().fit(X, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        last = Whitening().set_fit_request(sample_weight=True)
        last.set_score_request(sample_weight=True)
        scaler = StandardScaler(with_mean=False, with_std=False)
        scaler.set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, last).fit(X, sample_weight=weight)
        score = routed.score(X, sample_weight=weight)
        grid = {"whitening__shrinkage": [0.0, 0.9]}
        search = GridSearchCV(routed, grid, cv=3).fit(X, sample_weight=weight)
    np.testing.assert_allclose(routed[-1].components_, direct.components_)
    assert score == pytest.approx(direct.score(X, sample_weight=weight))
    assert search.best_params_ == {"whitening__shrinkage": 0.0}


def test_weights_that_nobody_asked_for_are_an_error(X):
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), Whitening())
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            model.fit(X, sample_weight=np.ones(len(X)))
