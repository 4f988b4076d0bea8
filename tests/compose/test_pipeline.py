"""DestructorPipeline: maps composed, log-determinants summed."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils import estimator_html_repr

from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.compose import (
    DestructorPipeline,
    IterativeDestructor,
    make_destructor_pipeline,
)
from destructors.linear import RandomRotation, Whitening
from destructors.maps import Map
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer


@dataclass(frozen=True, eq=False)
class CubeMap(Map):
    def forward(self, X, context=None):
        return norm.cdf(X), norm.logpdf(X).sum(axis=1)

    def inverse(self, Z, context=None):
        X = norm.ppf(Z)
        return X, -norm.logpdf(X).sum(axis=1)


class ToUnitCube(Destructor):
    """The normal distribution function: the base is uniform."""

    def _fit(self, fold, random_state):
        self.base_distribution_ = Uniform(fold.train.n_features)
        return CubeMap()


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=400)
    return np.c_[x, x + rng.normal(scale=0.5, size=400)]


@pytest.fixture
def pipeline():
    return DestructorPipeline(
        [
            ("marginal", SplineGaussianizer()),
            ("rotate", RandomRotation(random_state=0)),
            ("whiten", Whitening()),
        ]
    )


# ---------------------------------------------------------------- the map


def test_maps_are_composed_and_log_dets_summed(X, pipeline):
    Z, log_det = pipeline.fit(X).transform_and_log_det(X)
    expected, total = X, 0.0
    for step in (SplineGaussianizer(), RandomRotation(random_state=0), Whitening()):
        expected, step_log_det = step.fit(expected).transform_and_log_det(expected)
        total = total + step_log_det
    np.testing.assert_allclose(Z, expected)
    np.testing.assert_allclose(log_det, total)


def test_inverse_goes_back(X, pipeline):
    Z, log_det = pipeline.fit(X).transform_and_log_det(X)
    X_back, inverse_log_det = pipeline.inverse_and_log_det(Z)
    np.testing.assert_allclose(X_back, X, atol=1e-10)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-9)


def test_density_integrates_to_one(pipeline):
    x = np.random.default_rng(0).gamma(2.0, size=(300, 1))
    density = DestructorPipeline(pipeline.steps).fit(x)
    knots = density[0].knots_[0]
    mass, _ = integrate.quad(
        lambda v: np.exp(density.score_samples([[v]])[0]),
        knots[0] - 20,
        knots[-1] + 20,
        points=knots,
        limit=500,
    )
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_density_of_two_features_integrates_to_one(X, pipeline):
    side = np.linspace(-10, 25, 1401)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    mass = np.exp(pipeline.fit(X).score_samples(grid)).sum() * (side[1] - side[0]) ** 2
    assert mass == pytest.approx(1.0, abs=0.01)


def test_score_is_a_density_of_the_data_unlike_that_of_sklearn_pipeline(X):
    steps = [("marginal", SplineGaussianizer()), ("whiten", Whitening())]
    ours, theirs = DestructorPipeline(steps).fit(X), Pipeline(steps).fit(X)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X))
    log_det = SplineGaussianizer().fit(X).transform_and_log_det(X)[1]
    assert ours.score(X) == pytest.approx(theirs.score(X) + log_det.mean())


def test_base_is_that_of_the_last_step(X):
    model = make_destructor_pipeline(SplineGaussianizer(), ToUnitCube()).fit(X)
    assert isinstance(model.base_distribution_, Uniform)
    without = SplineGaussianizer().fit(X)
    np.testing.assert_allclose(model.score_samples(X), without.score_samples(X))
    assert model.sample(5, random_state=0).shape == (5, 2)


def test_weights_reach_every_step(X, pipeline):
    weight = np.random.default_rng(1).integers(0, 3, size=len(X))
    weighted = clone(pipeline).fit(X, sample_weight=weight)
    repeated = clone(pipeline).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X))


def test_real_data_round_trip(pipeline):
    X = load_wine().data
    model = pipeline.fit(X)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), X, rtol=1e-9, atol=1e-9
    )


# ---------------------------------------------------------------- parameters


def test_parameters_of_steps_are_reached_by_name(pipeline):
    pipeline.set_params(marginal__n_knots=7, whiten=Whitening(method="zca"))
    params = pipeline.get_params()
    assert params["marginal__n_knots"] == 7
    assert params["whiten__method"] == "zca"
    assert pipeline.steps[2][1].method == "zca"
    assert set(pipeline.get_params(deep=False)) == {"steps"}


def test_parameters_are_reached_through_two_levels(X, pipeline):
    outer = DestructorPipeline([("inner", pipeline), ("last", Whitening())])
    outer.set_params(inner__marginal__n_knots=5).fit(X)
    assert len(outer["inner"]["marginal"].knots_[0]) <= 7


def test_wrong_parameter_name(pipeline):
    with pytest.raises(ValueError, match="Invalid parameter 'n_bins'"):
        pipeline.set_params(marginal__n_bins=3)


def test_grid_search_over_nested_parameters():
    rng = np.random.default_rng(0)
    modes = rng.choice([-4.0, 4.0], size=(600, 1))
    X = modes + rng.normal(size=(600, 2))
    pipeline = make_destructor_pipeline(SplineGaussianizer(), Whitening())
    grid = {
        "splinegaussianizer__n_knots": [2, 16],
        "whitening__shrinkage": [0.0, 0.99],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X)
    # Two knots see one mode, and a shrunk correlation no relation.
    assert search.best_params_ == {
        "splinegaussianizer__n_knots": 16,
        "whitening__shrinkage": 0.0,
    }
    assert search.best_estimator_.score(X) == pytest.approx(search.score(X))


def test_grid_search_over_whole_steps(X, pipeline):
    grid = {"marginal": [HistogramGaussianizer(n_bins=2), SplineGaussianizer()]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X)
    assert isinstance(search.best_params_["marginal"], SplineGaussianizer)


def test_inside_a_sklearn_pipeline(X, pipeline):
    model = Pipeline([("scale", StandardScaler()), ("destroy", pipeline)]).fit(X)
    model.set_params(destroy__marginal__n_knots=6)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), X, atol=1e-9
    )


# ---------------------------------------------------------------- sequence


def test_index_by_number_name_and_slice(X, pipeline):
    pipeline.fit(X)
    fitted = [step for _, step in pipeline.steps_]
    assert pipeline[0] is fitted[0]
    assert pipeline[-1] is fitted[2]
    assert pipeline["rotate"] is fitted[1]
    assert pipeline.named_steps.rotate is fitted[1]
    assert list(pipeline) == fitted
    assert len(pipeline) == 3
    assert [name for name, _ in pipeline[1:].steps] == ["rotate", "whiten"]


def test_slices_share_fitted_steps_and_compose_back(X, pipeline):
    pipeline.fit(X)
    head, tail = pipeline[:2], pipeline[2:]
    assert head[0] is pipeline[0]
    Z, head_log_det = head.transform_and_log_det(X)
    Z, tail_log_det = tail.transform_and_log_det(Z)
    expected, log_det = pipeline.transform_and_log_det(X)
    np.testing.assert_allclose(Z, expected)
    np.testing.assert_allclose(head_log_det + tail_log_det, log_det)
    assert np.isfinite(head.score(X))
    assert head.sample(3, random_state=0).shape == (3, 2)


def test_unfitted_pipeline_slices_to_an_unfitted_one(pipeline):
    part = pipeline[:2]
    assert part[0] is pipeline.steps[0][1]
    with pytest.raises(NotFittedError):
        part.transform([[0.0, 0.0]])


def test_slice_can_be_fitted_again(X, pipeline):
    part = pipeline.fit(X)[:1].fit(X[:200])
    np.testing.assert_allclose(
        part.score_samples(X), SplineGaussianizer().fit(X[:200]).score_samples(X)
    )


@pytest.mark.parametrize("index", [slice(3, 3), slice(None, None, -1), slice(0, 3, 2)])
def test_slice_must_be_a_run_of_steps(X, pipeline, index):
    with pytest.raises(ValueError, match="not a run of at least one step"):
        pipeline.fit(X)[index]


def test_unknown_index(pipeline):
    with pytest.raises(IndexError):
        pipeline[3]
    with pytest.raises(KeyError):
        pipeline["unknown"]


def test_flatten_unpacks_nested_pipelines(X, pipeline):
    outer = DestructorPipeline([("first", pipeline), ("last", Whitening())]).fit(X)
    flat = outer.flatten()
    names = ["first-marginal", "first-rotate", "first-whiten", "last"]
    assert [name for name, _ in flat.steps] == names
    np.testing.assert_array_equal(flat.score_samples(X), outer.score_samples(X))
    assert flat[0] is outer["first"]["marginal"]
    unfitted = clone(outer).flatten()
    assert [name for name, _ in unfitted.steps] == names
    np.testing.assert_allclose(unfitted.fit(X).score(X), outer.score(X))


def test_make_names_steps_by_class_and_unpacks_pipelines():
    inner = make_destructor_pipeline(Whitening(), RandomRotation())
    pipeline = make_destructor_pipeline(Whitening(), inner, SplineGaussianizer())
    assert [name for name, _ in pipeline.steps] == [
        "whitening",
        "whitening2",
        "randomrotation",
        "splinegaussianizer",
    ]


def test_feature_names(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"])
    marginals = make_destructor_pipeline(SplineGaussianizer(), HistogramGaussianizer())
    assert list(marginals.fit(frame).get_feature_names_out()) == ["a", "b"]
    mixed = make_destructor_pipeline(SplineGaussianizer(), Whitening()).fit(frame)
    assert list(mixed.get_feature_names_out()) == [
        "destructorpipeline0",
        "destructorpipeline1",
    ]
    # The first part sees the frame's columns, a later one does not.
    for part in (mixed[:1], mixed[-2:1]):
        assert list(part.feature_names_in_) == ["a", "b"]
        assert np.isfinite(part.score(frame))
    assert not hasattr(mixed[1:], "feature_names_in_")


# ---------------------------------------------------------------- sklearn citizen


def test_steps_given_are_not_fitted(X, pipeline):
    given = list(pipeline.steps)
    pipeline.fit(X)
    assert pipeline.steps == given
    assert not any(hasattr(step, "n_features_in_") for _, step in given)


def test_clone_forgets_the_fit(X, pipeline):
    copy = clone(pipeline.fit(X))
    assert not hasattr(copy, "steps_")
    assert copy.steps[0][1] is not pipeline.steps[0][1]


def test_pickle_keeps_the_density(X, pipeline):
    copy = pickle.loads(pickle.dumps(pipeline.fit(X)))
    np.testing.assert_array_equal(copy.score_samples(X), pipeline.score_samples(X))


def test_repr_shows_the_steps(pipeline):
    text = repr(pipeline)
    assert text.startswith(
        "DestructorPipeline(steps=[('marginal', SplineGaussianizer()"
    )
    assert "RandomRotation(random_state=0)" in text


def test_html_repr_names_the_steps(X, pipeline):
    assert "RandomRotation" in pipeline._repr_html_()
    assert "RandomRotation" in pipeline.fit(X)._repr_html_()


def test_stack_as_a_step(X):
    stack = IterativeDestructor(max_iter=2, early_stopping=False)
    model = DestructorPipeline([("whiten", Whitening()), ("stack", stack)]).fit(X)
    assert model["stack"].n_iter_ == 2
    assert model.score(X) > model[:1].score(X)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), X, atol=1e-9
    )


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([], ValueError, "steps is empty"),
        ([("a", Whitening()), ("a", Whitening())], ValueError, "not unique"),
        ([("a__b", Whitening())], ValueError, "must not contain __"),
        ([("steps", Whitening())], ValueError, "conflict with constructor"),
        ([("scale", Normalizer())], TypeError, "'scale' must be a Destructor"),
        ([("class", Whitening)], TypeError, "'class' must be a Destructor"),
        ([Whitening()], TypeError, r"must be a \(name, destructor\) tuple"),
        ([("a", Whitening(), 1)], TypeError, r"must be a \(name, destructor\) tuple"),
        (
            [("a", Whitening(method="svd"))],
            ValueError,
            "'method' parameter of Whitening",
        ),
        ("whiten", ValueError, "'steps' parameter of DestructorPipeline"),
    ],
)
def test_bad_steps(X, steps, error, message):
    with pytest.raises(error, match=message):
        DestructorPipeline(steps).fit(X)


def test_html_repr_shows_the_steps(pipeline):
    text = estimator_html_repr(pipeline)
    for name in ("marginal", "SplineGaussianizer", "rotate", "RandomRotation"):
        assert name in text


def test_callbacks_reach_each_step(pipeline, X):
    events = []

    class Recorder:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context):
            events.append(context.task_name)

        def on_fit_task_end(self, estimator, context): ...

    pipeline.set_callbacks(Recorder()).fit(X)
    names = [name for name, _ in pipeline.steps]
    assert [event for event in events if event in names] == names


def test_held_out_rows_reach_the_steps(X):
    stack = IterativeDestructor(SplineGaussianizer(), max_iter=2, random_state=0)
    pipeline = DestructorPipeline([("whiten", Whitening()), ("stack", stack)])
    pipeline.fit(X[:300], X_val=X[300:])
    latent = pipeline["whiten"].transform(X[300:])
    np.testing.assert_allclose(
        pipeline["stack"].validation_score_[-1], pipeline["stack"].score(latent)
    )
