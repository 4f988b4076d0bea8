"""Boosted trees behind marginals on the public density sets."""

import os
from pathlib import Path

import numpy as np
import pytest

from destructors.compose import make_destructor_pipeline
from destructors.marginal import BlockGaussianizer, SplineGaussianizer
from destructors.tree import BoostedTreeDestructor

# What 100 trees reach on test rows, in nats, with some margin.
FLOORS = {
    "magic": -4.55,
    "protein": 0.0,
    "satellite": -8.7,
    "shuttle": 10.5,
    "wilt": -3.65,
}

pytestmark = pytest.mark.skipif(
    "DESTRUCTORS_DATA" not in os.environ,
    reason="the environment variable DESTRUCTORS_DATA names no folder of data sets",
)


@pytest.fixture(scope="module", params=FLOORS)
def fitted(request):
    """Name, a model and the rows to test it on."""
    folder = Path(os.environ["DESTRUCTORS_DATA"], "density")
    with np.load(folder / f"{request.param}.npz") as parts:
        train, val, test = parts["train"], parts["val"], parts["test"]
    marginal = make_destructor_pipeline(SplineGaussianizer(), BlockGaussianizer())
    marginal.fit(train)
    trees = BoostedTreeDestructor(max_iter=100, random_state=0)
    trees.fit(marginal.transform(train), X_val=marginal.transform(val))
    return request.param, trees, marginal.transform_and_log_det(test)


def test_likelihood_of_new_rows(fitted):
    name, trees, (Z, log_det) = fitted
    assert trees.score(Z) + log_det.mean() >= FLOORS[name]


def test_round_trip_of_every_row(fitted):
    _, trees, (Z, _) = fitted
    assert np.abs(trees.inverse_transform(trees.transform(Z)) - Z).max() <= 1e-8


def test_round_trip_however_far(fitted):
    _, trees, (Z, _) = fitted
    latent, log_det = trees.transform_and_log_det(100 * Z)
    assert np.isfinite(latent).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(
        trees.inverse_transform(latent), 100 * Z, rtol=1e-8, atol=1e-8
    )
