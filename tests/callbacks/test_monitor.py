"""LikelihoodMonitor: what it records is what the model has become."""

import pickle
import sys
from types import ModuleType, SimpleNamespace

import matplotlib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from destructors.callbacks import LikelihoodMonitor, ProgressBar
from destructors.compose import IterativeDestructor
from destructors.estimators import OutlierDetector
from destructors.flows import RBIG
from destructors.mixture import GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor

X = np.random.default_rng(0).gamma(2.0, size=(300, 2))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def monitor():
    return LikelihoodMonitor(live=False)


def nested():
    trees = BoostedTreeDestructor(max_iter=3, early_stopping=False)
    return IterativeDestructor([("trees", trees)], max_iter=2, random_state=0)


def test_scores_are_those_of_the_model(monitor):
    model = RBIG(max_iter=3, n_iter_no_change=3, random_state=0)
    model.set_callbacks(monitor).fit(X)
    n = model.n_iter_
    train = [record["train_score"] for record in monitor.records]
    held_out = [record["validation_score"] for record in monitor.records]
    np.testing.assert_array_equal(train[:n], model.train_score_[1:])
    np.testing.assert_array_equal(held_out[:n], model.validation_score_[1:])
    assert [record["step"] for record in monitor.records] == [1, 2, 3]
    seconds = [record["seconds"] for record in monitor.records]
    assert seconds == sorted(seconds)


def test_what_is_fitted_inside_has_records_of_its_own(monitor):
    model = nested().set_callbacks(monitor).fit(X)
    told = [(record["task"], record["step"]) for record in monitor.records]
    layer = [("tree", 1), ("tree", 2), ("tree", 3)]
    assert told == [*layer, ("layer", 1), *layer, ("layer", 2)]
    first = monitor.records[0]
    assert first["within"] == "IterativeDestructor / layer 0 / trees 1"
    assert first["estimator"] == "BoostedTreeDestructor"
    assert first["train_score"] == model[0].train_score_[1]
    assert np.isnan(first["validation_score"]) == (not len(model[0].validation_score_))


def test_numbers_of_components_and_steps_of_an_em_are_told(monitor):
    GaussianMixtureDestructor([1, 2], random_state=0).set_callbacks(monitor).fit(X)
    assert {record["task"] for record in monitor.records} == {"number"}
    GaussianMixtureDestructor(2, random_state=0).set_callbacks(monitor).fit(X)
    assert monitor.records[-1]["task"] == "step"
    assert {record["run"] for record in monitor.records} == {0, 1}


def test_a_table_of_the_records(monitor, monkeypatch):
    assert list(monitor.to_frame().columns)[:3] == ["run", "fit", "within"]
    RBIG(max_iter=2, random_state=0).set_callbacks(monitor).fit(X)
    frame = monitor.to_frame()
    assert len(frame) == len(monitor.records)
    assert frame["train_score"].dtype == float
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install destructors\[tables\]"):
        monitor.to_frame()


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_records_all_of_its_fits(monitor, n_jobs):
    model = RBIG(early_stopping=False, random_state=0)
    search = GridSearchCV(model, {"max_iter": [1, 2]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(monitor).fit(X)
    # Of two candidates on two folds, and of the best on all rows.
    fits = [record["fit"] for record in monitor.records]
    assert len(fits) == 2 * 1 + 2 * 2 + search.best_estimator_.n_iter_
    assert len(set(fits)) == 5
    assert not monitor._handles
    assert monitor.records[0]["within"].startswith("GridSearchCV / ")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_density_of_a_detector_is_a_run(monitor, n_jobs):
    model = RBIG(max_iter=2, early_stopping=False).set_callbacks(monitor)
    OutlierDetector(model, n_folds=3, n_jobs=n_jobs, random_state=0).fit(X)
    assert sorted(record["run"] for record in monitor.records) == [0, 0, 1, 1, 2, 2]
    assert not monitor._handles


def test_it_is_cloned_and_pickled_with_its_records(monitor):
    model = RBIG(max_iter=2, early_stopping=False, random_state=0)
    model.set_callbacks(monitor).fit(X)
    copy = pickle.loads(pickle.dumps(monitor))
    assert repr(copy.records) == repr(monitor.records)
    clone(model).fit(X)
    assert [record["run"] for record in monitor.records] == [0, 0, 1, 1]
    assert len(copy.records) == 2


def test_the_model_is_the_same_with_and_beside_other_callbacks(monitor, capsys):
    pytest.importorskip("rich")
    watched = nested().set_callbacks(monitor, ProgressBar()).fit(X)
    np.testing.assert_array_equal(
        watched.score_samples(X), nested().fit(X).score_samples(X)
    )
    assert "IterativeDestructor" in capsys.readouterr().out


def test_the_picture_has_the_outermost_fit_and_the_last_inside(monitor):
    with pytest.raises(ValueError, match="Nothing was recorded"):
        monitor.plot()
    model = nested().set_callbacks(monitor).fit(X)
    model.fit(X)
    display = monitor.plot()
    assert [noun for noun, *_ in display.panels] == ["layer"]
    steps = display.lines_[0].get_ydata()
    assert steps[1:].tolist() == [
        record["train_score"]
        for record in monitor.records
        if record["task"] == "layer" and record["run"] == 1
    ]
    monitor.records.pop()
    assert [noun for noun, *_ in monitor.plot().panels] == ["layer", "tree"]


def test_a_notebook_shows_the_curves_while_it_fits(monkeypatch):
    shown = []

    class Screen:
        def update(self, figure):
            shown.append("update")

    def display(figure, display_id):
        shown.append("first")
        return Screen()

    notebook = ModuleType("IPython")
    notebook.get_ipython = lambda: SimpleNamespace(kernel=object())
    notebook.display = SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setattr("destructors.callbacks._monitor._BETWEEN", 0.0)
    monitor = LikelihoodMonitor()
    model = RBIG(max_iter=2, early_stopping=False, random_state=0)
    model.set_callbacks(monitor).fit(X)
    # After each layer, and at the end.
    assert shown == ["first", "update", "update"]
    assert not plt.get_fignums()
    pickle.dumps(monitor)
    # Without Matplotlib, and outside of notebooks, it records only.
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    model.fit(X)
    assert len(shown) == 3
    assert len(monitor.records) == 4


def test_nonsense_is_refused():
    with pytest.raises(TypeError, match="live must be True or False"):
        LikelihoodMonitor("yes")
