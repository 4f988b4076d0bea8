"""Trees, and the flow they end, on rows that are not in memory."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

import destructors.tree._turns as turns
from destructors import TreeFlow, open_rows, write_rows
from destructors.callbacks import Checkpoint
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Rows, StoredRows
from destructors.tree import BoostedTreeDestructor


def make_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    return np.c_[np.cos(angle), np.sin(angle)] + rng.normal(scale=0.2, size=(n, 2))


X, NEW = make_rows(6000), make_rows(2000, seed=1)
SIZE = 1000
TREES = BoostedTreeDestructor(max_iter=60, random_state=0)
FLOW = TreeFlow(n_components=[1, 2], max_trees=40, random_state=0)


@pytest.fixture(autouse=True)
def few_rows_have_their_turn(monkeypatch):
    monkeypatch.setattr(turns, "_N_NUMBERS", 2 * 1500)


def bits(model):
    return model.to_density().digest()


def stored(source=X, **options):
    return open_rows(source, block_size=SIZE, **options)


def test_turns_come_near_to_all_rows_and_beat_one_part():
    by_turns = clone(TREES).fit(stored()).score(NEW)
    in_memory = clone(TREES).fit(X).score(NEW)
    on_part = clone(TREES).fit(X[:1500]).score(NEW)
    assert in_memory - by_turns < 0.05
    assert by_turns > on_part + 0.01


def test_the_order_of_the_table_costs_nothing():
    by_value = X[np.argsort(X[:, 0])]
    ordered = clone(FLOW).fit(stored(by_value)).score(NEW)
    assert abs(ordered - clone(FLOW).fit(stored()).score(NEW)) < 0.02


@pytest.mark.parametrize("model", [TREES, FLOW], ids=["trees", "flow"])
def test_threads_executors_and_files_do_not_change_a_bit(model, tmp_path):
    expected = bits(clone(model).fit(stored()))
    assert bits(clone(model).set_params(n_jobs=3).fit(stored())) == expected
    with ThreadPoolExecutor(2) as pool:
        for name in ("x.npy", "x.parquet"):
            path = write_rows(tmp_path / name, np.array_split(X, 7))
            rows = stored(path, scratch=tmp_path, engine=pool)
            assert bits(clone(model).fit(rows)) == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.npy", "x.parquet"]


def test_rows_of_a_turn_that_are_lost_are_dealt_again(monkeypatch):
    expected = bits(clone(TREES).fit(stored()))
    monkeypatch.setattr(turns.Turns, "_bring_back", lambda self: False)
    assert bits(clone(TREES).fit(stored())) == expected


# Behind a boosted mixture trees end before the third turn.
@pytest.mark.parametrize(
    "model",
    [TREES, clone(FLOW).set_params(boost_mixture=False)],
    ids=["trees", "flow"],
)
def test_a_fit_that_was_cut_off_goes_on_to_the_same_bits(model, tmp_path):
    expected = bits(clone(model).fit(stored()))

    begun = []

    def bring_back(self, bring_back=turns.Turns._bring_back):
        # The rows that had their turn are gone.
        begun.append(self._part)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return bring_back(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns.Turns, "_bring_back", bring_back)
        cut = clone(model).set_callbacks(Checkpoint(tmp_path / "run", every=5))
        with pytest.warns(match="interrupted|KeyboardInterrupt"):
            cut.fit(stored())
    again = clone(model).set_callbacks(
        Checkpoint(tmp_path / "run", every=5, resume=True)
    )
    assert bits(again.fit(stored())) == expected


def test_integer_weights_count_rows():
    weight = np.random.default_rng(0).integers(1, 3, size=len(X)).astype(float)
    weighted = clone(TREES).fit(stored(weight=weight))
    repeated = clone(TREES).fit(stored(np.repeat(X, weight.astype(int), axis=0)))
    assert abs(weighted.score(NEW) - repeated.score(NEW)) < 0.03


def test_trees_on_part_of_the_rows_and_values_that_repeat_take_turns_too():
    model = clone(TREES).set_params(subsample=0.5, max_iter=30)
    assert np.isfinite(model.fit(stored(np.round(X, 1))).score(NEW))
    assert bits(clone(model).fit(stored(X))) == bits(clone(model).fit(stored(X)))


def test_folds_and_held_out_rows_of_a_file():
    by_cv = clone(TREES).set_params(cv=2, max_iter=20).fit(stored())
    given = clone(TREES).fit(stored(), X_val=stored(NEW))
    in_memory = clone(TREES).fit(X, X_val=stored(NEW))
    for model in (by_cv, given, in_memory):
        assert model.score(NEW) > -1.95
    all_rows = clone(TREES).set_params(early_stopping=False, max_iter=30).fit(stored())
    assert all_rows.n_iter_ == 30


def test_a_fit_goes_on_from_its_trees():
    model = clone(TREES).set_params(max_iter=15, warm_start=True).fit(stored())
    again = model.set_params(max_iter=30).fit(stored())
    assert again.n_iter_ == 30


def test_the_flow_on_disk_comes_near_to_that_in_memory():
    model = clone(FLOW).fit(stored())
    assert (
        abs(model.score(NEW) - clone(FLOW).set_params(cv=None).fit(X).score(NEW)) < 0.05
    )
    assert len(model.train_score_) == len(model.validation_score_) == 3
    assert abs(model.train_score_[-1] - model.score(X)) < 0.05


def test_a_mixture_of_all_rows_does_not_depend_on_the_order_of_the_table():
    model = GaussianMixtureDestructor(6, random_state=0)
    by_value = X[np.argsort(X[:, 0])]
    scores = [clone(model).fit(stored(table)).score(NEW) for table in (X, by_value)]
    in_memory = clone(model).fit(X).score(NEW)
    assert max(abs(score - in_memory) for score in scores) < 0.01


def test_parts_hold_all_rows_once():
    rows = stored().load(None)
    assert isinstance(rows, StoredRows)
    dealt = np.concatenate([rows.deal(part, 4, 1).values for part in range(4)])
    blocks = np.concatenate([part.few(9999, 0).values for part in rows.parts(2500)])
    for found in (dealt, blocks):
        np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(X, axis=0))
    assert [len(part) for part in rows.parts(2500)] == [3000, 2000, 1000]
    assert [len(part) for part in Rows.of(X).parts(2500)] == [2500, 2500, 1000]
