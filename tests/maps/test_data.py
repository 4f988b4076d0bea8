"""Maps are data: equal if their content is, and refused where it is not data."""

import numpy as np
import pytest

from destructors.compose import as_destructor
from destructors.flows import AlignmentFlow, GaussianCopula, TreeFlow
from destructors.maps import Affine, Chain, CubeSteps, Identity, Trees
from destructors.marginal import BlockGaussianizer


def halve(times):
    return Affine(np.zeros(1), np.full(1, 2.0**times))


@pytest.mark.parametrize("kind", [tuple, list])
def test_lists_and_tuples_are_equal_if_what_is_in_them_is(kind):
    assert Chain(kind([halve(1)])) == Chain(kind([halve(1)]))
    assert Chain(kind([halve(1)])) != Chain(kind([halve(2)]))
    assert len({Chain(kind([halve(1)])), Chain(kind([halve(2)]))}) == 2
    edges, shares = np.array([0.0, 0.5, 1.0]), np.array([0.4, 0.6])
    steps = CubeSteps(kind([edges]), kind([shares]))
    assert steps != CubeSteps(kind([edges]), kind([shares + np.array([1e-12, -1e-12])]))


def test_a_number_of_numpy_is_a_number():
    one = np.float64(1.0)
    assert Affine(np.zeros(1), np.ones(1), None, None, one) == Affine(
        np.zeros(1), np.ones(1), None, None, 1.0
    )


def test_what_is_no_data_has_no_content_to_compare():
    with pytest.raises(TypeError, match="A dict is no data"):
        hash(Chain(({},)))


def test_trees_need_starts():
    splits = np.empty(0, "i4, i4, f4, f4")
    with pytest.raises(ValueError, match="Trees needs"):
        Trees(splits, np.empty(0, np.int64))


def test_the_largest_numbers_pass_beside_the_cube():
    X = np.random.default_rng(0).normal(size=(200, 1))
    model = BlockGaussianizer().fit(X / X.std())
    assert np.isfinite(model.score_samples([[1.7e308], [-1.7e308]])).all()


@pytest.mark.parametrize("context", [["x"] * 5, ["x"] * 301, "x"])
def test_a_context_has_one_entry_a_row(context):
    X = np.random.default_rng(0).normal(size=(300, 2))
    domain = np.array(["x", "y"])[np.arange(300) // 2 % 2]
    flow = AlignmentFlow(density=GaussianCopula(), max_iter=1, random_state=0)
    density = flow.fit(X, sample_domain=domain).to_density()
    with pytest.raises(ValueError, match="one entry a row: 300"):
        density.logpdf(X, context)


def test_what_a_part_of_a_flow_lacks_is_not_said_of_it():
    X = np.random.default_rng(0).normal(size=(200, 2))
    flow = TreeFlow(n_components=2, marginal=None, early_stopping=False, max_trees=5)
    flow.fit(X)
    assert flow[:1].n_components_ == 2
    assert flow[:1].n_trees_ == 0
    assert flow[1:].n_trees_ == 5
    assert not hasattr(flow[1:], "n_components_")


def test_frames_of_scikit_learn_stay_outside():
    pd = pytest.importorskip("pandas")
    from sklearn import config_context
    from sklearn.preprocessing import FunctionTransformer

    log = FunctionTransformer(np.log, np.exp)
    X = pd.DataFrame(np.random.default_rng(0).uniform(1.0, 2.0, size=(50, 2)))
    X.columns = ["a", "b"]
    model = as_destructor(log, log_det=lambda X: -np.log(X).sum(axis=1))
    with config_context(transform_output="pandas"):
        assert np.isfinite(model.fit(X).score(X))


def test_the_identity_copies():
    X = np.zeros((2, 2))
    assert not np.shares_memory(Identity().forward(X)[0], X)
