"""RBIG on the public density sets: likelihood, and the way there and back."""

import os
from pathlib import Path

import numpy as np
import pytest

from destructors.flows import RBIG
from destructors.linear import Whitening

FLOORS = {"magic": -6.65, "protein": -0.60, "wilt": -4.05}
NAMES = [*FLOORS, "satellite", "shuttle"]

pytestmark = pytest.mark.skipif(
    "DESTRUCTORS_DATA" not in os.environ,
    reason="the environment variable DESTRUCTORS_DATA names no folder of data sets",
)


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    """A model, the rows it was fitted on and rows to test it on."""
    folder = Path(os.environ["DESTRUCTORS_DATA"], "density")
    with np.load(folder / f"{request.param}.npz") as parts:
        train, val, test = parts["train"], parts["val"], parts["test"]
    return RBIG(random_state=0).fit(train, X_val=val), train, test


@pytest.mark.parametrize("fitted", FLOORS, indirect=True)
def test_likelihood_of_new_rows(fitted, request):
    model, _, test = fitted
    assert model.score(test) >= FLOORS[request.node.callspec.params["fitted"]]


def test_far_more_likely_than_under_a_gaussian(fitted):
    model, train, test = fitted
    assert model.score(test) > Whitening().fit(train).score(test) + 0.5


def test_round_trip_is_exact(fitted):
    model, _, test = fitted
    error = np.abs(model.inverse_transform(model.transform(test)) - test).max(axis=1)
    assert np.mean(error <= 1e-8) >= 0.999


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_round_trip_of_every_row_however_far(fitted, factor):
    model, _, test = fitted
    X = factor * test
    Z, log_det = model.transform_and_log_det(X)
    assert np.isfinite(Z).all()
    assert np.isfinite(log_det).all()
    difference = model.inverse_transform(Z) - X
    relative = np.linalg.norm(difference, axis=1) / np.linalg.norm(X, axis=1)
    assert relative.max() <= 1e-4


def test_rows_further_out_are_less_likely(fitted):
    model, _, test = fitted
    log_densities = [model.score_samples(factor * test) for factor in (10, 100, 1e4)]
    assert np.isfinite(log_densities).all()
    assert (np.diff([scores.mean() for scores in log_densities]) < 0).all()


def test_samples_look_like_new_rows(fitted):
    model, _, test = fitted
    samples = model.sample(len(test), random_state=0)
    # Per feature, the largest gap between the two distribution functions.
    pooled = np.concatenate([samples, test])
    for j in range(test.shape[1]):
        below = [
            np.searchsorted(np.sort(rows[:, j]), pooled[:, j], side="right") / len(rows)
            for rows in (samples, test)
        ]
        assert np.abs(below[0] - below[1]).max() < 0.15
