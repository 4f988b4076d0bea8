"""Positive scales and shifts of columns move scores by a logarithm, in every flow."""

import numpy as np
import pytest
from sklearn.base import clone

from destructors import flows
from destructors.flows import (
    RBIG,
    AlignmentFlow,
    AutoDestructor,
    DeepCopula,
    DiscreteTreeFlow,
    GaussianCopula,
    ImagePairsCopula,
    ImagePairsTree,
    PatchFlow,
    RandomLinearFlow,
    RandomTreeFlow,
    SlicedGaussianization,
    TreeFlow,
)
from destructors.marginal import SplineGaussianizer

FLOWS = [
    RBIG(max_iter=3, cv=2),
    RBIG(rotation="random", stopping="total_correlation", max_iter=3),
    AutoDestructor(max_iter=3, cv=2),
    DeepCopula(max_iter=2),
    GaussianCopula(),
    ImagePairsCopula(max_iter=2),
    ImagePairsTree(max_iter=2),
    PatchFlow(max_iter=2),
    RandomLinearFlow(max_iter=3),
    RandomTreeFlow(max_iter=3),
    SlicedGaussianization(max_iter=3),
    TreeFlow(max_trees=10, cv=2),
]
SCALE, SHIFT = np.array([1e-6, 3.7, 91.0, 1e8]), np.array([1.3, -0.7, 40.0, -2.0])


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    hump = np.where(rng.random(400) < 0.3, 4.0, 0.0) + 0.5 * rng.normal(size=400)
    skewed = rng.lognormal(0.5 * x)
    return np.column_stack([x, x**2 + rng.normal(size=400), hump, skewed])


def require_equal(found, scores, scale):
    expected = scores - np.log(scale).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: str(type(flow).__name__))
@pytest.mark.parametrize("seed", [0, 1])
def test_scores_move_by_the_logarithm_of_the_scale(flow, seed, X):
    model = clone(flow)
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    scores = model.fit(X).score_samples(X)
    moved = (X + SHIFT) * SCALE
    require_equal(clone(model).fit(moved).score_samples(moved), scores, SCALE)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: str(type(flow).__name__))
@pytest.mark.parametrize("seed", range(3))
def test_a_standard_normal_is_no_other_density_in_other_units(flow, seed):
    """Where no layer gains, no layer at all would be right in one unit alone."""
    X = np.random.default_rng(seed).normal(size=(100, 4))
    scale = 2.0 ** np.array([10, -7, 3, 0])
    model = clone(flow)
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    scores = clone(model).fit(X).score_samples(X)
    require_equal(model.fit(X * scale).score_samples(X * scale), scores, scale)


TABLES = {
    "sorted beside one-hot": lambda rng, n: np.c_[
        np.sort(rng.lognormal(size=n)), np.eye(3)[rng.integers(0, 3, n)]
    ],
    "a code twice": lambda rng, n: (
        rng.integers(0, 2, n)[:, None] * [1.0, 0.0, 1.0]
        + rng.normal(size=(n, 1)) * [0.0, 1.0, 0.0]
    ),
    "zeros": lambda rng, n: np.where(
        rng.random((n, 4)) < 0.5, 0.0, rng.lognormal(size=(n, 4))
    ),
}


@pytest.mark.filterwarnings("ignore:Columns 0, 2 are equal")
@pytest.mark.parametrize("table", TABLES)
def test_weights_and_units_are_no_matter_where_columns_decide_others(table):
    rng = np.random.default_rng(0)
    X = TABLES[table](rng, 500)
    weight = rng.integers(0, 4, 500)
    model = TreeFlow(max_trees=60, random_state=0)
    scores = clone(model).fit(X, sample_weight=weight).score_samples(X)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0)).score_samples(X)
    np.testing.assert_allclose(repeated, scores, rtol=1e-5, atol=1e-5)
    moved = 3.7 * X + 0.3
    found = clone(model).fit(moved, sample_weight=weight).score_samples(moved)
    require_equal(found, scores, np.full(X.shape[1], 3.7))


def test_an_alignment_goes_with_the_origin_of_columns_and_the_unit_of_all(X):
    # Optimal transport is one in the units of the data; see the notes of the class.
    domain = np.repeat([0, 1], 200)
    flow = AlignmentFlow(
        max_iter=3, cv=None, density=SplineGaussianizer(), random_state=0
    )
    moved, scale = (X + SHIFT) * 3.7, np.full(4, 3.7)
    scores, found = (
        clone(flow)
        .fit(rows, sample_domain=domain)
        .score_samples(rows, sample_domain=domain)
        for rows in (X, moved)
    )
    require_equal(found, scores, scale)


def test_no_flow_is_left_out():
    # Codes have no units.
    tested = {type(flow) for flow in FLOWS} | {AlignmentFlow, DiscreteTreeFlow}
    assert tested == {getattr(flows, name) for name in flows.__all__}


@pytest.mark.filterwarnings("ignore:Features are linear combinations")
@pytest.mark.parametrize("flow", [RBIG(), SlicedGaussianization(), AutoDestructor()])
@pytest.mark.parametrize("n_codes", [2, 3, 5])
def test_a_column_that_only_held_out_rows_tell_has_a_unit(flow, n_codes):
    # Equal rows are held out together: without one code, its column is constant.
    codes = np.random.default_rng(n_codes).integers(0, n_codes, 80)
    X, scale = np.eye(n_codes)[codes], 0.7 * 4.0 ** np.arange(n_codes)
    model = clone(flow).set_params(random_state=0)
    scores = model.fit(X).score_samples(X)
    moved = scale * X + 5.0
    require_equal(model.fit(moved).score_samples(moved), scores, scale)
