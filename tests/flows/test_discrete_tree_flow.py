"""DiscreteTreeFlow: the stack, its base, and what it does not depend on."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold

from destructors.base_distributions import ChowLiuTree, IndependentCategorical
from destructors.datasets import make_discrete_gaussian_grid
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.flows import DiscreteTreeFlow

# Bases without hidden states.
SIMPLE = ["independent", "chow-liu"]


def parity(n_samples, seed=0, noise=0.05):
    """Three fair bits, their parity but for noise, and a bit of its own."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, size=(n_samples, 4))
    last = bits[:, :3].sum(axis=1) % 2 ^ (rng.uniform(size=n_samples) < noise)
    return np.column_stack([bits[:, :3], last, bits[:, 3]])


@pytest.fixture(scope="module")
def grid():
    return make_discrete_gaussian_grid(6000, random_state=1)


@pytest.fixture(scope="module")
def flow(grid):
    return DiscreteTreeFlow(
        max_depth=3, min_gain=3.0, categories=[91, 91], random_state=0
    ).fit(grid)


# ---------------------------------------------------------------- densities


def test_parity_is_learned_to_its_entropy():
    model = DiscreteTreeFlow(random_state=0).fit(parity(4000))
    noise = -0.05 * np.log(0.05) - 0.95 * np.log(0.95)
    entropy = 4.0 * np.log(2.0) + noise
    assert -model.score(parity(20_000, seed=1)) == pytest.approx(entropy, abs=0.02)
    pairs = CategoricalBase(structure="chow-liu").fit(parity(4000))
    assert -pairs.score(parity(20_000, seed=1)) > entropy + 0.4


def test_normals_on_a_grid_come_near_the_truth(flow):
    test, log_density = make_discrete_gaussian_grid(
        20_000, random_state=2, return_log_density=True
    )
    assert log_density.mean() - flow.score(test) < 0.06
    tree = CategoricalBase(structure="chow-liu", categories=[91, 91], random_state=0)
    full = tree.fit(make_discrete_gaussian_grid(6000, random_state=1)).score(test)
    assert flow.score(test) > full + 0.1


def test_probabilities_of_all_cells_sum_to_one(flow):
    cells = np.array(list(itertools.product(range(91), range(91))))
    probability = np.exp(flow.score_samples(cells))
    assert flow.n_categories_.tolist() == [92, 92]
    known = probability.sum()
    unseen = np.array([[91, 91], *([[91, j] for j in range(91)])])
    others = np.array([[j, 91] for j in range(91)])
    rest = np.exp(flow.score_samples(np.vstack([unseen, others]))).sum()
    assert known + rest == pytest.approx(1.0, abs=1e-10)
    assert len(np.unique(flow.transform(cells), axis=0)) == len(cells)


def test_the_base_is_chosen_by_held_out_rows(flow):
    assert flow.structure_ == "independent"
    assert isinstance(flow.base_distribution_, IndependentCategorical)
    chain = np.repeat(parity(2000)[:, :1], 3, axis=1)
    model = DiscreteTreeFlow(random_state=0).fit(chain)
    assert model.structure_ == "chow-liu"
    assert isinstance(model.base_distribution_, ChowLiuTree)


def test_nothing_is_kept_where_nothing_is_to_gain():
    X = np.random.default_rng(0).integers(0, 3, size=(1000, 4))
    model = DiscreteTreeFlow(random_state=0).fit(X)
    assert len(model) == 0
    assert (model.transform(X) == X).all()
    assert model.score(X) == pytest.approx(-4.0 * np.log(3.0), abs=0.01)
    assert (model.feature_importances_ == 0).all()


# ---------------------------------------------------------------- the stack


def test_scores_of_stages_lead_to_the_score(flow, grid):
    assert len(flow) == flow.n_iter_ == len(flow.layers_) > 1
    stages = list(flow.staged_score_samples(grid))
    assert len(stages) == len(flow)
    np.testing.assert_array_equal(stages[-1], flow.score_samples(grid))
    latents = list(flow.staged_transform(grid))
    np.testing.assert_array_equal(latents[-1], flow.transform(grid))
    for depth, (stage, Z) in enumerate(zip(stages, latents, strict=True), 1):
        part = flow[:depth]
        np.testing.assert_array_equal(part.score_samples(grid), stage)
        np.testing.assert_array_equal(part.transform(grid), Z)
        np.testing.assert_array_equal(part.inverse_transform(Z), grid)
    gains = flow.score_layers(grid)
    assert flow[:0].score(grid) + gains.sum() == pytest.approx(flow.score(grid))
    assert gains.shape == (len(flow),)


def test_recorded_scores(flow):
    # The training rows may well lose: a full table learns them by heart.
    assert flow.train_score_.shape == flow.validation_score_.shape == (len(flow) + 1,)
    assert flow.validation_score_.argmax() == len(flow)
    assert len(flow.bases_) == len(flow) + 1


def test_parts_share_layers_and_leave_the_whole_alone(flow):
    part = flow[:1]
    assert part.layers_[0] is flow.layers_[0] is flow[0]
    assert len(part) == 1 < len(flow)
    assert len(part.bases_) == 2
    for wrong in (slice(1, None), slice(None, None, 2)):
        with pytest.raises(ValueError, match=r"beginning of the flow|not a run"):
            flow[wrong]


def test_depth_is_chosen_from_a_list():
    X = parity(3000)
    model = DiscreteTreeFlow(max_depth=[1, 4], base=SIMPLE, random_state=0).fit(X)
    assert set(model.layer_names_) <= {"depth-1", "depth-4"}
    shallow = DiscreteTreeFlow(max_depth=1, base=SIMPLE, random_state=0).fit(X)
    assert model.score(X) > shallow.score(X) + 0.3


def test_without_held_out_rows_all_is_given():
    X = parity(500)
    with pytest.raises(ValueError, match="give base and alpha, or X_val"):
        DiscreteTreeFlow(early_stopping=False).fit(X)
    settings = {"base": "independent", "alpha": 0.3, "max_iter": 3}
    model = DiscreteTreeFlow(early_stopping=False, **settings).fit(X)
    assert len(model) == 3
    assert len(model.validation_score_) == 0
    assert (model.structure_, model.alpha_) == ("independent", 0.3)
    # Each layer is fitted on what the last made of all rows.
    Z = X
    for layer in model:
        expected = TreePermutation(categories=model.n_categories_.tolist()).fit(Z)
        np.testing.assert_array_equal(layer.transform(Z), expected.transform(Z))
        Z = layer.transform(Z)
    np.testing.assert_array_equal(model.transform(X), Z)


def test_layers_are_permutations_of_codes(flow, grid):
    layer = flow[0]
    Z = layer.transform(grid)
    np.testing.assert_array_equal(layer.inverse_transform(Z), grid)
    with pytest.raises(
        ValueError, match="X must be integer codes; column 1 has 0 … 91"
    ):
        layer.transform([[0, 92]])


def test_held_out_rows_can_be_given():
    X, X_val = parity(1000), parity(1000, seed=1)
    model = DiscreteTreeFlow(random_state=0).fit(X, X_val=X_val)
    # The last recorded score is under a base fitted on the training rows: the base.
    assert model.validation_score_[-1] == pytest.approx(model.score(X_val))
    assert model.train_score_[-1] == pytest.approx(model.score(X))


@pytest.mark.parametrize("cv", [3, KFold(3)])
def test_folds_choose_and_all_rows_are_fitted(cv):
    X = parity(900)
    model = DiscreteTreeFlow(cv=cv, random_state=0).fit(X)
    assert len(model) > 0
    noise = -0.05 * np.log(0.05) - 0.95 * np.log(0.95)
    assert -model.score(X) == pytest.approx(4.0 * np.log(2.0) + noise, abs=0.06)


def test_folds_given_as_indices_count_rows_without_weight():
    X = parity(600)
    weight = np.tile([1.0, 2.0, 0.0], 200)
    splits = list(KFold(3).split(X))
    weighted = DiscreteTreeFlow(cv=splits).fit(X, sample_weight=weight)
    rows = np.repeat(np.arange(600), weight.astype(int))
    repeated = [
        (np.flatnonzero(np.isin(rows, a)), np.flatnonzero(np.isin(rows, b)))
        for a, b in splits
    ]
    other = DiscreteTreeFlow(cv=repeated).fit(X[rows])
    np.testing.assert_allclose(weighted.score_samples(X), other.score_samples(X))


def test_weights_equal_repeated_rows():
    X = parity(500)
    weight = np.random.default_rng(0).integers(0, 4, size=500)
    weighted = DiscreteTreeFlow(random_state=0).fit(X, sample_weight=weight)
    repeated = DiscreteTreeFlow(random_state=0).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.score_samples(X), repeated.score_samples(X))


def test_threads_change_nothing():
    X = parity(500)
    one, two = (
        DiscreteTreeFlow(max_depth=[2, 4], random_state=0, n_jobs=n).fit(X)
        for n in (1, 2)
    )
    assert one.layer_names_ == two.layer_names_
    np.testing.assert_array_equal(one.score_samples(X), two.score_samples(X))


def test_importances_name_the_columns_that_depend():
    model = DiscreteTreeFlow(base="independent", random_state=0).fit(parity(3000))
    assert model.feature_importances_.sum() == pytest.approx(1.0)
    assert model.feature_importances_[4] < 0.05


def test_a_layer_of_random_splits():
    X = parity(3000)
    model = DiscreteTreeFlow(splitter="random", random_state=0).fit(X)
    assert (model.inverse_transform(model.transform(X)) == X).all()
    assert model.score(X) >= CategoricalBase(random_state=0).fit(X).score(X) - 0.01


# ---------------------------------------------------------------- small and wide


@pytest.mark.parametrize("n_samples", [2, 3, 10, 60, 200])
def test_few_rows(n_samples):
    X = parity(n_samples)
    model = DiscreteTreeFlow(random_state=0).fit(X)
    assert (model.inverse_transform(model.transform(X)) == X).all()
    assert np.isfinite(model.score_samples(parity(50, seed=1))).all()


def test_one_row_is_too_few_to_hold_out_from():
    with pytest.raises(ValueError, match=r"1 sample.* minimum of 2 is required"):
        DiscreteTreeFlow().fit([[0, 1]])


def test_one_row_many_times():
    X = np.full((30, 3), "a")
    model = DiscreteTreeFlow(random_state=0).fit(X)
    assert model.score(X) == pytest.approx(0.0, abs=0.2)
    assert (model.sample(5, random_state=0) == "a").all()


def test_a_thousand_categories():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 1000, size=4000)
    X = np.stack([many, many % 3, rng.integers(0, 3, size=4000)], axis=1)
    model = DiscreteTreeFlow(categories=[1000, 3, 3], max_iter=2, random_state=0)
    model.fit(X)
    assert (model.inverse_transform(model.transform(X)) == X).all()
    rows = np.stack([np.arange(1000)] + [np.arange(1000) % 3] * 2, axis=1)
    assert (model.inverse_transform(model.transform(rows)) == rows).all()


def test_frames_in_and_out():
    X = pd.DataFrame(parity(400).astype(str), columns=list("abcde")).astype("category")
    model = DiscreteTreeFlow(random_state=0).fit(X)
    pd.testing.assert_frame_equal(model.inverse_transform(model.transform(X)), X)
    assert (model.sample(9, random_state=0).dtypes == X.dtypes).all()
    assert model.feature_names_in_.tolist() == list("abcde")


def test_errors_before_a_fit_and_for_wrong_parameters():
    with pytest.raises(NotFittedError):
        DiscreteTreeFlow().score([[0, 1]])
    with pytest.raises(NotFittedError):
        DiscreteTreeFlow().sample()
    with pytest.raises(ValueError, match="'splitter' parameter"):
        DiscreteTreeFlow(splitter="best").fit(parity(50))
    with pytest.raises(ValueError, match="'base' parameter"):
        DiscreteTreeFlow(base="tree").fit(parity(50))


def test_a_line_for_each_layer(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DiscreteTreeFlow(random_state=0, verbose=1).fit(parity(500))
    assert "[DiscreteTreeFlow] layer 1 (depth-8): train" in capsys.readouterr().out


class Collector:
    """A callback that keeps the models of all layers."""

    def __init__(self):
        self.models = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        # A candidate that is tried makes no model.
        if fitted_estimator is not None:
            self.models.append(fitted_estimator)


def test_callbacks_get_a_flow_that_works():
    X = parity(1000).astype(str)
    collector = Collector()
    model = DiscreteTreeFlow(random_state=0).set_callbacks(collector).fit(X)
    assert len(collector.models) > len(model) > 0
    for depth in range(1, len(model) + 1):
        on_the_way = collector.models[depth - 1]
        expected = model[:depth].score_samples(X)
        np.testing.assert_allclose(on_the_way.score_samples(X), expected)
    assert (
        collector.models[-1].sample(5, random_state=0)
        == model.sample(5, random_state=0)
    ).all()
