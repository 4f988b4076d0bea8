"""IterativeDestructor: it grows while held-out likelihood grows, and no further."""

import pickle

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import NotFittedError

from destructors.base import Destructor
from destructors.compose import (
    DestructorPipeline,
    IterativeDestructor,
    make_destructor_pipeline,
)
from destructors.linear import RandomRotation, Whitening
from destructors.maps import Affine
from destructors.marginal import SplineGaussianizer


class Halve(Destructor):
    """Halve every value: it learns nothing, so all about a stack of it is known."""

    def _fit(self, fold, random_state):
        d = fold.train.n_features
        return Affine(np.zeros(d), np.full(d, 2.0))


@pytest.fixture(scope="module")
def wide():
    """Rows of N(0, 8² I): three halvings make them standard normal."""
    return np.random.default_rng(0).normal(scale=8.0, size=(1000, 2))


@pytest.fixture(scope="module")
def curved():
    """Rows with a relation that no marginal sees."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=1200)
    return np.c_[x, x**2 + rng.normal(scale=0.3, size=1200)]


def rotated_splines():
    return make_destructor_pipeline(SplineGaussianizer(), RandomRotation())


# ---------------------------------------------------------------- when to stop


def test_scores_are_those_of_each_prefix(wide):
    model = IterativeDestructor(Halve(), max_iter=6).fit(wide, X_val=wide[:100])
    for score, rows in (
        (model.train_score_, wide),
        (model.validation_score_, wide[:100]),
    ):
        expected = [
            stats.norm.logpdf(rows, scale=2.0**depth).sum(axis=1).mean()
            for depth in range(model.n_iter_ + 1)
        ]
        np.testing.assert_allclose(score, expected)


def test_stack_is_cut_back_to_the_best_prefix(wide):
    model = IterativeDestructor(Halve(), n_iter_no_change=2).fit(wide)
    assert model.n_iter_ == 3
    assert len(model.layers_) == len(model.layer_names_) == len(model) == 3
    assert len(model.train_score_) == len(model.validation_score_) == 4
    assert np.argmax(model.validation_score_) == 3


@pytest.mark.parametrize("patience", [1, 3])
def test_growth_ends_after_n_iter_no_change_layers_in_vain(wide, patience, capsys):
    IterativeDestructor(Halve(), n_iter_no_change=patience, verbose=1).fit(wide)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + patience
    assert lines[0].startswith("[IterativeDestructor] layer 1 (halve): train -")


def test_tol_is_the_gain_that_counts(wide):
    # Under tails that are heavier than normal a halving gains some nats.
    model = IterativeDestructor(Halve(), n_iter_no_change=1, random_state=0)
    assert model.set_params(tol=100.0).fit(wide).n_iter_ == 1
    assert model.set_params(tol=0.1).fit(wide).n_iter_ == 3


def test_max_iter_ends_the_growth(wide):
    assert IterativeDestructor(Halve(), max_iter=2).fit(wide).n_iter_ == 2


def test_without_early_stopping_there_are_max_iter_layers(wide, capsys):
    model = IterativeDestructor(Halve(), max_iter=7, early_stopping=False, verbose=1)
    model.fit(wide)
    assert model.n_iter_ == 7
    assert model.validation_score_.size == 0
    assert "held-out" not in capsys.readouterr().out


def test_without_early_stopping_held_out_rows_only_report(wide):
    model = IterativeDestructor(Halve(), max_iter=7, early_stopping=False)
    model.fit(wide, X_val=wide[:100])
    assert model.n_iter_ == 7
    assert np.argmax(model.validation_score_) == 3


def test_without_early_stopping_all_rows_are_trained_on(curved):
    layer = make_destructor_pipeline(SplineGaussianizer(), Whitening())
    model = IterativeDestructor(layer, max_iter=1, early_stopping=False).fit(curved)
    layer.fit(curved)
    np.testing.assert_allclose(model.score_samples(curved), layer.score_samples(curved))


def test_standard_normal_rows_may_need_no_layer():
    X = np.random.default_rng(0).normal(size=(500, 3))
    model = IterativeDestructor(Halve()).fit(X)
    assert model.n_iter_ == 0
    Z, log_det = model.transform_and_log_det(X)
    np.testing.assert_array_equal(Z, X)
    np.testing.assert_array_equal(log_det, 0.0)
    np.testing.assert_array_equal(model.inverse_transform(X), X)
    expected = stats.norm.logpdf(X).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(X), expected)
    assert list(model.staged_transform(X)) == []
    assert model.score_layers(X).size == 0
    assert model.sample(4, random_state=0).shape == (4, 3)
    assert bool(model)


def test_default_on_standard_normal_rows_loses_next_to_nothing():
    rng = np.random.default_rng(0)
    X, X_test = rng.normal(size=(1000, 5)), rng.normal(size=(5000, 5))
    model = IterativeDestructor(random_state=0).fit(X)
    loss = stats.norm.logpdf(X_test).sum(axis=1).mean() - model.score(X_test)
    assert loss < 5 * 0.01


# ---------------------------------------------------------------- what is held out


def test_validation_fraction_is_the_share_held_out(wide):
    # The baseline is the mean over the rows, so its size tells how many there are.
    log_density = stats.norm.logpdf(wide).sum(axis=1)
    model = IterativeDestructor(Halve(), validation_fraction=0.25).fit(wide)
    train, held_out = model.train_score_[0], model.validation_score_[0]
    assert 0.75 * train + 0.25 * held_out == pytest.approx(log_density.mean())


def test_held_out_rows_given_leave_all_others_to_training(wide):
    model = IterativeDestructor(Halve()).fit(wide[:900], X_val=wide[900:])
    log_density = stats.norm.logpdf(wide).sum(axis=1)
    assert model.train_score_[0] == pytest.approx(log_density[:900].mean())
    assert model.validation_score_[0] == pytest.approx(log_density[900:].mean())


def test_held_out_weights(wide):
    weight = np.random.default_rng(0).integers(0, 3, size=100)
    weighted = IterativeDestructor(Halve()).fit(
        wide[:900], X_val=wide[900:], sample_weight_val=weight
    )
    repeated = IterativeDestructor(Halve()).fit(
        wide[:900], X_val=np.repeat(wide[900:], weight, axis=0)
    )
    np.testing.assert_allclose(weighted.validation_score_, repeated.validation_score_)


def test_held_out_rows_of_another_width(wide):
    with pytest.raises(ValueError, match="X_val has 1 features"):
        IterativeDestructor(Halve()).fit(wide, X_val=wide[:, :1])


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_fraction_must_leave_both_parts(wide, fraction):
    with pytest.raises(ValueError, match="'validation_fraction' parameter"):
        IterativeDestructor(Halve(), validation_fraction=fraction).fit(wide)


def test_equal_rows_can_not_be_held_out():
    with pytest.raises(ValueError, match="1 different row"):
        IterativeDestructor().fit(np.ones((10, 2)))
    IterativeDestructor(early_stopping=False, max_iter=1).fit(np.ones((10, 2)))


def test_copies_of_rows_do_not_flatter(curved):
    # Half of the rows stand twice. If copies stood on both sides, the held-out score
    # would be that of rows trained on.
    twice = np.r_[curved, curved[:600]]
    layer = make_destructor_pipeline(
        SplineGaussianizer(n_knots=200, alpha=1e-9), Whitening()
    )
    model = IterativeDestructor(layer, max_iter=3, random_state=0).fit(twice)
    honest = IterativeDestructor(layer, max_iter=3, random_state=0).fit(curved)
    assert model.validation_score_[1] < honest.validation_score_[1] + 0.5


# ---------------------------------------------------------------- weights and seeds


def test_integer_weights_equal_repeated_rows(curved):
    weight = np.random.default_rng(0).integers(0, 3, size=len(curved))
    model = IterativeDestructor(rotated_splines(), max_iter=4, random_state=0)
    weighted = clone(model).fit(curved, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(curved, weight, axis=0))
    np.testing.assert_allclose(weighted.validation_score_, repeated.validation_score_)
    np.testing.assert_allclose(
        weighted.score_samples(curved), repeated.score_samples(curved)
    )


def test_order_of_the_rows_does_not_matter(curved):
    model = IterativeDestructor(rotated_splines(), max_iter=3, random_state=0)
    forth, back = clone(model).fit(curved), clone(model).fit(curved[::-1])
    np.testing.assert_allclose(
        forth.score_samples(curved), back.score_samples(curved), atol=1e-8
    )


def test_layers_have_seeds_of_their_own(curved):
    model = IterativeDestructor(
        rotated_splines(), max_iter=3, early_stopping=False, random_state=0
    ).fit(curved)
    first, second, _ = (layer["randomrotation"].rotation_ for layer in model)
    assert np.abs(first - second).max() > 0.01


def test_random_state_decides(curved):
    model = IterativeDestructor(rotated_splines(), max_iter=3, random_state=0)
    one, same = clone(model).fit(curved), clone(model).fit(curved)
    other = clone(model).set_params(random_state=1).fit(curved)
    np.testing.assert_array_equal(one.score_samples(curved), same.score_samples(curved))
    assert not np.allclose(one.score_samples(curved), other.score_samples(curved))


def test_candidate_given_is_not_fitted(curved):
    layer = rotated_splines()
    IterativeDestructor(layer, max_iter=2).fit(curved)
    assert not hasattr(layer, "steps_")
    assert layer["randomrotation"].random_state is None


def test_refit_forgets_the_old(wide, curved):
    model = IterativeDestructor(rotated_splines(), max_iter=3, random_state=0)
    fresh = clone(model).fit(curved)
    again = model.fit(wide).fit(curved)
    np.testing.assert_array_equal(again.train_score_, fresh.train_score_)
    np.testing.assert_array_equal(
        again.score_samples(curved), fresh.score_samples(curved)
    )


# ---------------------------------------------------------------- what it learns


def test_it_learns_a_curved_relation(curved):
    rng = np.random.default_rng(1)
    x = rng.normal(size=5000)
    noise = rng.normal(scale=0.3, size=5000)
    X_test = np.c_[x, x**2 + noise]
    truth = stats.norm.logpdf(x) + stats.norm.logpdf(noise, scale=0.3)
    model = IterativeDestructor(rotated_splines(), random_state=0).fit(curved)
    one_layer = model[:1]
    assert model.score(X_test) > one_layer.score(X_test) + 0.5
    assert truth.mean() - 0.3 < model.score(X_test) < truth.mean()


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_real_data_gain_on_held_out_rows_over_a_gaussian(load):
    X = np.random.default_rng(0).permutation(load().data)
    train, test = X[::2], X[1::2]
    model = IterativeDestructor(random_state=0, max_iter=10).fit(train)
    assert model.score(test) > Whitening().fit(train).score(test)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(test)), test, rtol=1e-5, atol=1e-8
    )


# ---------------------------------------------------------------- nesting


def test_stack_inside_a_stack(curved):
    inner = IterativeDestructor(
        rotated_splines(), max_iter=2, early_stopping=False, random_state=7
    )
    outer = IterativeDestructor(inner, max_iter=3, early_stopping=False, random_state=0)
    outer.fit(curved)
    assert [layer.n_iter_ for layer in outer] == [2, 2, 2]
    rotations = [
        layer["randomrotation"].rotation_[0, 0] for stack in outer for layer in stack
    ]
    assert len(set(np.round(rotations, 6))) == 6
    Z, log_det = outer.transform_and_log_det(curved)
    X_back, inverse_log_det = outer.inverse_and_log_det(Z)
    np.testing.assert_allclose(X_back, curved, atol=1e-8)
    np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-6)


def test_stack_that_stays_empty_inside_a_pipeline():
    X = np.random.default_rng(0).normal(size=(300, 2))
    pipeline = DestructorPipeline(
        [("stack", IterativeDestructor(Halve())), ("whiten", Whitening())]
    )
    np.testing.assert_allclose(
        pipeline.fit(X).score_samples(X), Whitening().fit(X).score_samples(X)
    )


# ---------------------------------------------------------------- sklearn citizen


def test_parameters_of_a_single_candidate(curved):
    model = IterativeDestructor(SplineGaussianizer(), max_iter=1)
    model.set_params(candidates__n_knots=5, tol=0.1).fit(curved)
    assert model.get_params()["candidates__n_knots"] == 5
    assert all(len(knots) <= 7 for knots in model[0].knots_)
    model.set_params(candidates=Whitening())
    assert "candidates__method" in model.get_params()


def test_pickle_and_clone(curved):
    model = IterativeDestructor(rotated_splines(), max_iter=2, random_state=0)
    model.fit(curved)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        copy.score_samples(curved), model.score_samples(curved)
    )
    assert not hasattr(clone(model), "layers_")


def test_unfitted_use(curved):
    model = IterativeDestructor()
    for use in (
        len,
        iter,
        lambda m: m[0],
        lambda m: m.score_layers(curved),
        lambda m: list(m.staged_transform(curved)),
    ):
        with pytest.raises(NotFittedError):
            use(model)


def test_candidate_must_be_a_destructor_or_a_transformer_that_can_be_one(curved):
    from sklearn.preprocessing import Normalizer, StandardScaler

    with pytest.raises(TypeError, match="'normalizer' must be a Destructor"):
        IterativeDestructor(Normalizer()).fit(curved)
    scaled = IterativeDestructor(StandardScaler(), max_iter=1, random_state=0)
    assert scaled.fit(curved).layer_names_ == ["standardscaler"]
    gaussian = stats.norm(curved.mean(axis=0), curved.std(axis=0))
    expected = gaussian.logpdf(curved).sum(axis=1)
    np.testing.assert_allclose(
        scaled.set_params(early_stopping=False).fit(curved).score_samples(curved),
        expected,
    )
