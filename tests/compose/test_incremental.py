"""A chain that learns from a stream, against closed forms and fits to all rows."""

import pickle
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import destructors
from destructors.compose import DestructorPipeline, IncrementalDestructor
from destructors.linear import FixedRotation, Standardize, Whitening
from destructors.marginal import HistogramGaussianizer, SplineGaussianizer


def gaussian(n_rows: int, seed: int) -> NDArray:
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal([1.0, 200.0], [[2.0, 1.0], [1.0, 1.0]], n_rows)


def batches(X: NDArray, size: int) -> Iterator[NDArray]:
    return (X[start : start + size] for start in range(0, len(X), size))


def learn(model: IncrementalDestructor, X: NDArray, size: int) -> IncrementalDestructor:
    for batch in batches(X, size):
        model.partial_fit(batch)
    return model


def short(**params) -> IncrementalDestructor:
    steps = [
        ("marginal", SplineGaussianizer()),
        ("whitening", Whitening(method="zca", shrinkage=0.0)),
    ]
    return IncrementalDestructor(steps, random_state=0, **params)


def test_a_gaussian_stream_scores_minus_its_entropy():
    model = learn(IncrementalDestructor(random_state=0), gaussian(6000, 0), 500)
    entropy = np.log(2 * np.pi * np.e)  # the covariance has determinant 1
    assert model.score(gaussian(6000, 1)) == pytest.approx(-entropy, abs=0.03)
    assert model.batch_score_ == pytest.approx(-entropy, abs=0.15)
    assert model.prequential_score_ == pytest.approx(-entropy, abs=0.06)
    assert model.n_samples_seen_ == 6000


def test_whitening_of_a_stream_is_that_of_its_rows():
    X = gaussian(5000, 0)
    steps = [("whitening", Whitening(shrinkage=0.0))]
    model = learn(IncrementalDestructor(steps), X, 100).steps_[0][1]
    # Those that wait for their block are not yet known.
    n_seen = 64
    while n_seen + max(64, n_seen // 8) <= len(X):
        n_seen += max(64, n_seen // 8)
    rows = Whitening(shrinkage=0.0).fit(X[:n_seen])
    assert n_seen > 4000
    np.testing.assert_allclose(model.mean_, rows.mean_, rtol=1e-2)
    np.testing.assert_allclose(model.scale_, rows.scale_, rtol=1e-2)
    at_once = IncrementalDestructor(steps).fit(X).steps_[0][1]
    every = Whitening(shrinkage=0.0).fit(X)
    np.testing.assert_allclose(at_once.mean_, every.mean_, rtol=1e-12)
    np.testing.assert_allclose(at_once.components_, every.components_, atol=1e-9)


def test_a_stream_ends_near_the_batch_fit_of_the_same_steps():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    steps = [
        ("marginal", SplineGaussianizer()),
        ("rotation", FixedRotation(turn)),
        ("marginal2", SplineGaussianizer()),
    ]
    x = rng.gamma(2.0, size=40_000)
    X = np.c_[x, np.sin(x) + 0.3 * rng.normal(size=len(x))]
    stream = learn(IncrementalDestructor(steps), X[:30_000], 1000)
    batch = DestructorPipeline(steps).fit(X[:30_000])
    assert stream.score(X[30_000:]) > batch.score(X[30_000:]) - 0.05
    assert stream.n_settled_ == 3


def test_what_is_learned_does_not_depend_on_the_batches():
    X = gaussian(1500, 0)
    one, few, many = (learn(short(), X, size) for size in (1500, 97, 10))
    assert one.map_.digest() == few.map_.digest() == many.map_.digest()
    assert one.prequential_score_ == few.prequential_score_


def test_rows_come_one_by_one():
    X, model = gaussian(70, 0), short()
    assert not hasattr(model.partial_fit(X[:1]), "map_")
    assert np.isnan(model.batch_score_)
    learn(model, X[1:], 1)
    assert np.isfinite(model.batch_score_)
    assert model.map_.digest() == learn(short(), X, 70).map_.digest()


def test_a_pickle_goes_on_to_the_same_bits():
    X = gaussian(1200, 0)
    model = learn(short(), X[:700], 50)
    copy = pickle.loads(pickle.dumps(model))
    digests = {learn(m, X[700:], 50).map_.digest() for m in (model, copy)}
    assert len(digests) == 1


def test_what_is_saved_is_the_map_so_far(tmp_path):
    X = gaussian(1200, 0)
    model = learn(short(), X[:600], 100)
    destructors.save(model, tmp_path / "model.npz")
    scores = model.score_samples(X)
    learn(model, X[600:], 100)
    assert (destructors.load(tmp_path / "model.npz").logpdf(X) == scores).all()
    assert (model.score_samples(X) != scores).any()


def test_weights_move_the_model_as_repeated_rows_do():
    X = gaussian(4000, 0)
    weight = np.where(X[:, 0] > 1.0, 3.0, 1.0)
    steps = [("units", Standardize())]
    weighted = IncrementalDestructor(steps).fit(X, sample_weight=weight)
    repeated = IncrementalDestructor(steps).fit(np.repeat(X, weight.astype(int), 0))
    assert weighted.score(X) == pytest.approx(repeated.score(X), abs=1e-9)
    stream = IncrementalDestructor(steps)
    for rows, w in zip(batches(X, 100), batches(weight, 100), strict=True):
        stream.partial_fit(rows, sample_weight=w)
    assert stream.score(X) == pytest.approx(weighted.score(X), abs=0.01)


def test_half_of_what_a_drift_costs_is_regained_within_the_half_life():
    half_life = 2000
    model = learn(short(half_life=half_life), gaussian(6000, 0), 200)
    drifted = gaussian(half_life, 1) * [2.0, 1.0] + [5.0, 3.0]
    new = gaussian(4000, 2) * [2.0, 1.0] + [5.0, 3.0]
    best = -np.log(2 * np.pi * np.e) - np.log(2.0)
    before = best - model.score(new)
    after = best - learn(model, drifted, 200).score(new)
    assert before > 2.0
    assert after < 0.5 * before
    assert model.n_settled_ == 0


def test_what_is_kept_of_a_stream_does_not_grow():
    model = learn(short(half_life=500), gaussian(4000, 0), 400)
    size = len(pickle.dumps(model))
    learn(model, gaussian(8000, 1), 400)
    assert len(pickle.dumps(model)) < 1.5 * size


def test_fit_begins_anew_and_partial_fit_goes_on():
    X = gaussian(1000, 0)
    model = learn(short(), 10.0 * X, 500).fit(X)
    digest = model.map_.digest()
    assert digest == short().fit(X).map_.digest()
    model.partial_fit(gaussian(1000, 1))
    assert model.map_.digest() != digest
    assert model.n_samples_seen_ == 2000


def test_other_columns_are_refused_and_change_nothing():
    frame = pd.DataFrame(gaussian(200, 0), columns=["a", "b"])
    model = short().partial_fit(frame)
    digest = model.map_.digest()
    with pytest.raises(ValueError, match="same order as they were in fit"):
        model.partial_fit(frame[["b", "a"]])
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame.assign(c=1.0))
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(pd.DataFrame({"a": [np.nan], "b": [1.0]}))
    with pytest.raises(ValueError, match="too near the largest"):
        model.partial_fit(pd.DataFrame({"a": [1.7e308], "b": [1.0]}))
    assert model.map_.digest() == digest
    assert model.n_samples_seen_ == 200


def test_a_step_that_needs_the_rows_is_refused():
    model = IncrementalDestructor([("bins", HistogramGaussianizer())])
    with pytest.raises(TypeError, match="only moments, and quantiles"):
        model.partial_fit(gaussian(100, 0))


def test_huge_and_tiny_columns_stay_finite():
    X = gaussian(600, 0) * [1e200, 1e-200]
    model = learn(IncrementalDestructor([("units", Standardize())]), X, 50)
    learn(model, X * [1e60, 1.0], 50)
    assert np.isfinite(model.score_samples(X)).all()
