"""IterativeDestructor: its layers one by one, as slices and as stages."""

import numpy as np
import pytest
from scipy import stats

from destructors.compose import (
    IterativeDestructor,
    make_destructor_pipeline,
)
from destructors.linear import RandomRotation
from destructors.marginal import SplineGaussianizer


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=500)]


@pytest.fixture(scope="module")
def X_test():
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=300)]


@pytest.fixture(scope="module")
def model(X):
    layer = make_destructor_pipeline(SplineGaussianizer(), RandomRotation())
    model = IterativeDestructor(layer, max_iter=5, early_stopping=False, random_state=0)
    return model.fit(X)


def test_index_and_iteration_give_layers(model):
    assert model[0] is model.layers_[0]
    assert model[-1] is model.layers_[-1]
    assert list(model) == model.layers_
    assert len(model) == 5
    with pytest.raises(IndexError):
        model[5]


def test_slice_is_a_fitted_stack_that_shares_layers(model, X_test):
    part = model[:2]
    assert isinstance(part, IterativeDestructor)
    assert len(part) == part.n_iter_ == 2 < model.n_iter_
    assert part[0] is model[0]
    assert part.n_features_in_ == 2
    np.testing.assert_allclose(
        part.inverse_transform(part.transform(X_test)), X_test, atol=1e-9
    )
    assert part.sample(3, random_state=0).shape == (3, 2)


def test_whole_slice_is_the_model(model, X_test):
    np.testing.assert_array_equal(
        model[:].score_samples(X_test), model.score_samples(X_test)
    )


def test_slices_compose(model, X_test):
    Z, first = model[:2].transform_and_log_det(X_test)
    Z, second = model[2:].transform_and_log_det(Z)
    expected, log_det = model.transform_and_log_det(X_test)
    np.testing.assert_allclose(Z, expected)
    np.testing.assert_allclose(first + second, log_det)


def test_layer_slices_keep_what_is_known_of_layers(model):
    part = model[2:4]
    assert part.layer_names_ == model.layer_names_[2:4]
    np.testing.assert_array_equal(part.train_score_, model.train_score_[2:5])


def test_a_beginning_can_be_gone_on_from_and_no_other_part(model, X):
    longer = model[:2].set_params(warm_start=True).fit(X)
    np.testing.assert_array_equal(longer.train_score_, model.train_score_)
    anew = model[2:].set_params(warm_start=True).fit(X)
    np.testing.assert_array_equal(anew.train_score_, model.train_score_)


def test_before_all_layers_there_is_the_base(model, X_test):
    expected = stats.norm.logpdf(X_test).sum(axis=1)
    np.testing.assert_allclose(model[:0].score_samples(X_test), expected)


@pytest.mark.parametrize("index", [slice(5, 5), slice(None, None, -1), slice(0, 5, 2)])
def test_slice_must_be_a_run_of_layers(model, index):
    with pytest.raises(ValueError, match="not a run of layers"):
        model[index]


def test_first_slice_knows_the_feature_names(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = IterativeDestructor(max_iter=2, early_stopping=False).fit(frame)
    assert list(model[:1].feature_names_in_) == ["a", "b"]
    assert np.isfinite(model[:1].score(frame))
    assert not hasattr(model[1:], "feature_names_in_")


def test_stages_agree_with_slices(model, X_test):
    latents = list(model.staged_transform(X_test))
    scores = list(model.staged_score_samples(X_test))
    assert len(latents) == len(scores) == 5
    for depth in range(1, 6):
        part = model[:depth]
        np.testing.assert_allclose(latents[depth - 1], part.transform(X_test))
        np.testing.assert_allclose(scores[depth - 1], part.score_samples(X_test))


def test_stages_do_not_overwrite_one_another(model, X_test):
    given = X_test.copy()
    first, *others = model.staged_transform(X_test)
    np.testing.assert_array_equal(first, model[:1].transform(given))
    assert not any(np.shares_memory(first, other) for other in others)
    np.testing.assert_array_equal(X_test, given)


def test_stages_follow_the_scores_of_the_fit(model, X):
    means = [scores.mean() for scores in model.staged_score_samples(X)]
    np.testing.assert_allclose(means, model.train_score_[1:])


def test_score_layers_sums_to_the_difference_of_scores(model, X_test):
    gains = model.score_layers(X_test)
    baseline = stats.norm.logpdf(X_test).sum(axis=1).mean()
    assert gains.shape == (5,)
    assert gains.sum() == pytest.approx(model.score(X_test) - baseline)
    np.testing.assert_allclose(
        np.cumsum(gains) + baseline,
        [scores.mean() for scores in model.staged_score_samples(X_test)],
    )


def test_score_layers_of_weighted_rows(model, X_test):
    weight = np.random.default_rng(0).integers(0, 4, size=len(X_test))
    np.testing.assert_allclose(
        model.score_layers(X_test, sample_weight=weight),
        model.score_layers(np.repeat(X_test, weight, axis=0)),
    )


def test_score_layers_of_training_rows_are_the_gains_of_the_fit(model, X):
    np.testing.assert_allclose(model.score_layers(X), np.diff(model.train_score_))
