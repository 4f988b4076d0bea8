"""What does not learn by sums over blocks: it learns from rows that are gathered."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.tree import DecisionTreeRegressor

from destructors import open_rows
from destructors.autoregressive import RegressionDestructor
from destructors.base import Destructor
from destructors.compose import ColumnDestructor, make_destructor_pipeline
from destructors.linear import ICAWhitening, Standardize
from destructors.marginal import KernelGaussianizer, SplineGaussianizer
from destructors.rows import Fold, Rows, _stored
from tests.registry import REGISTRY

RNG = np.random.default_rng(0)
_x = RNG.gamma(2.0, size=800)
X = np.c_[_x, np.sin(_x) + 0.2 * RNG.normal(size=800), RNG.normal(size=800)]
CODES = np.clip(np.round(2.0 * X), -3, 6).astype(np.int64)


def seeded(model):
    names = [name for name in model.get_params() if name.endswith("random_state")]
    return clone(model).set_params(**dict.fromkeys(names, 0))


@pytest.mark.parametrize("name", REGISTRY)
def test_every_destructor_is_fitted_to_blocks(name):
    model = seeded(REGISTRY[name].destructor)
    given = CODES if "discrete" in type(model).__mro__[1].__module__ else X
    law = REGISTRY[name].law.get("X")
    if isinstance(law, np.ndarray) and law.dtype.kind in "biuf":
        given = law
    rows = open_rows(given, block_size=-(-len(given) // 4))
    found = clone(model).fit(rows)
    assert np.isfinite(np.concatenate(list(found.score_samples(rows)))).all()
    folds = Fold(Rows.of(given))
    if not model._fits_stored(folds) and type(model)._honest is Destructor._honest:
        in_memory = clone(model).fit(given)
        assert found.map_.digest() == in_memory.map_.digest()


def test_of_more_rows_than_memory_holds_some_are_drawn(monkeypatch):
    monkeypatch.setattr(_stored, "_MOST_NUMBERS", 300 * X.shape[1])
    rows = open_rows(X, block_size=100)
    gathered = rows.load(None).gathered()
    assert 230 < len(gathered) < 370
    assert (gathered.values[:, None] == X).all(axis=2).any(axis=1).all()
    for model in (KernelGaussianizer(), ICAWhitening()):
        found = clone(model).fit(rows)
        assert found.map_ == clone(model).fit(gathered.values).map_
        # By content: the order of the table does not matter.
        shuffled = open_rows(RNG.permutation(X), block_size=100).load(None).gathered()
        in_order = lambda values: values[np.lexsort(values.T)]
        np.testing.assert_array_equal(
            in_order(shuffled.values), in_order(gathered.values)
        )


def test_layers_that_learn_by_heart_hand_on_rows_that_they_did_not_see():
    grown = RegressionDestructor(DecisionTreeRegressor(random_state=0), random_state=0)
    rows = open_rows(X, block_size=100).load(None)
    after = grown._fit_rows(Fold(rows), onwards=True)
    seen = np.vstack(list(rows.through(grown.map_).each_block(_values)))
    handed_on = np.vstack(list(after.train.each_block(_values)))
    # A tree down to single rows knows its own by heart.
    assert np.std(seen[:, 1]) < 0.1
    assert 0.5 < np.std(handed_on[:, 1]) < 3.0
    # The log-determinants are those of the maps that the rows went through.
    log_det = np.concatenate(list(after.train.each_block(_log_det)))
    assert np.isfinite(log_det).all()
    pipeline = make_destructor_pipeline(grown, SplineGaussianizer())
    score = pipeline.fit(open_rows(X, block_size=100)).score(X)
    assert score == pytest.approx(clone(pipeline).fit(X).score(X), abs=0.3)


def test_groups_of_columns_are_fitted_to_blocks():
    groups = [("a", Standardize(), [0, 2]), ("b", KernelGaussianizer(), [1])]
    found = ColumnDestructor(groups).fit(open_rows(X, block_size=100))
    assert found.score(X) == pytest.approx(ColumnDestructor(groups).fit(X).score(X))


def _values(block):
    return block.values


def _log_det(block):
    return block.log_det
