"""What a model shows by itself: plot, summary, and its page in a notebook."""

import sys

import matplotlib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from destructors.alignment import GaussianBarycenter
from destructors.compose import ColumnDestructor, make_destructor_pipeline
from destructors.discrete import CategoricalBase
from destructors.estimators import MixtureDensity
from destructors.flows import RBIG, AlignmentFlow
from destructors.inspection import (
    AlignmentDisplay,
    DensityDisplay,
    PairDisplay,
    draw,
    summarize,
)
from destructors.linear import Standardize, Whitening
from destructors.tree import BoostedTreeDestructor

X = np.random.default_rng(0).gamma(2.0, size=(300, 3))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def aligned():
    domain = np.repeat(["a", "b"], 150)
    flow = AlignmentFlow([("gaussian", GaussianBarycenter())], max_iter=2, cv=None)
    return flow.set_params(random_state=0).fit(X, sample_domain=domain), domain


# ---------------------------------------------------------------- plot


@pytest.mark.parametrize(
    ("n_columns", "display"),
    [(1, DensityDisplay), (2, DensityDisplay), (3, PairDisplay)],
)
def test_the_display_suits_the_number_of_columns(n_columns, display):
    rows = X[:, :n_columns]
    model = Standardize().fit(rows)
    assert type(model.plot(rows)) is display
    assert type(model.plot()) is display
    assert type(draw(model.to_density(), rows)) is display


def test_without_rows_the_model_alone_is_drawn():
    one = Standardize().fit(X[:, :1]).plot()
    assert one.rows == [None]
    pairs = Standardize().fit(X).plot()
    assert pairs.real is None
    below, above = pairs.points_[1, 0], pairs.points_[0, 1]
    assert np.allclose(below.get_offsets(), above.get_offsets()[:, ::-1])


def test_arguments_reach_the_display_and_its_axes():
    _, axes = plt.subplots(1, 2)
    display = Standardize().fit(X).plot(X, features=[0, 2], ax=axes[1])
    assert display.names == ["column 0", "column 2"]
    assert not axes[1].axison


def test_domains_are_drawn_before_and_after(aligned):
    flow, domain = aligned
    assert type(flow.plot(X, sample_domain=domain)) is AlignmentDisplay
    with pytest.raises(ValueError, match="give X, and sample_domain"):
        flow.plot(X)
    with pytest.raises(ValueError, match="give X, and sample_domain"):
        flow.plot()


def test_categories_and_holes_are_drawn_as_pairs():
    codes = np.random.default_rng(0).integers(3, size=(100, 2))
    display = CategoricalBase().fit(codes).plot(codes)
    assert type(display) is PairDisplay
    # Codes are spread, but stay next to their own.
    assert len(np.unique(display.real)) > 100
    assert set(np.unique(display.real.round())) == {0.0, 1.0, 2.0}
    holed = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    model = MixtureDensity(1, marginal=None).fit(holed)
    n_whole = (~np.isnan(holed)).all(axis=1).sum()
    assert len(model.plot(holed).real) == n_whole
    with pytest.raises(ValueError, match="no row without missing values"):
        model.plot(np.full((2, 3), np.nan))


def test_what_cannot_be_drawn_is_refused():
    model = Standardize().fit(X)
    with pytest.raises(ValueError, match="Standardize knows no domains"):
        model.plot(X, sample_domain=np.zeros(300))
    with pytest.raises(ValueError, match=r"must have the shape \(n_samples, 3\)"):
        model.plot(X[:, :2])
    with pytest.raises(NotFittedError):
        Standardize().plot()
    with pytest.raises(TypeError, match="Density can be drawn, got dict"):
        draw({})


def test_without_matplotlib_a_plot_says_what_to_install(monkeypatch):
    model = Standardize().fit(X)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install destructors\[plot\]"):
        model.plot()


# ---------------------------------------------------------------- summary


def test_summary_is_that_of_the_inspection():
    model = RBIG(max_iter=2, random_state=0).fit(X)
    assert model.summary() == summarize(model)
    with pytest.raises(NotFittedError):
        RBIG().summary()


def test_steps_groups_and_single_layers_have_lines_too():
    pipeline = make_destructor_pipeline(Whitening(), RBIG(max_iter=2, random_state=0))
    found = pipeline.fit(X).summary()
    assert [kind for _, kind in found.layers] == ["Whitening", "RBIG"]
    scores = pipeline[1].validation_score_
    assert found.validation_gains[1] == pytest.approx(scores[-1] - scores[0])
    assert np.isnan(found.validation_gains[0])
    columns = ColumnDestructor([("one", Standardize(), [0])], remainder=Whitening())
    kinds = columns.fit(X).summary().layers
    assert kinds == (("one", "Standardize"), ("remainder", "Whitening"))
    trees = BoostedTreeDestructor(max_iter=5, random_state=0).fit(X)
    [gain] = trees.summary().train_gains
    assert gain == pytest.approx(trees.train_score_[-1])
    assert str(Standardize().fit(X).summary()).startswith("Standardize: 1 layer of 3")


def test_the_unit_of_an_alignment_is_no_nat(aligned):
    text = str(aligned[0].summary())
    assert "held-out energy" in text
    assert "nats" not in text


# ---------------------------------------------------------------- notebooks


def test_a_notebook_shows_the_layers_below_the_diagram():
    model = RBIG(max_iter=2, random_state=0)
    before = model._repr_html_()
    assert "<caption>" not in before
    after = model.fit(X)._repr_html_()
    assert "sk-top-container" in after
    assert model.summary()._repr_html_() in after
    assert model._repr_mimebundle_()["text/html"].count("<caption>") == 1
    # Of a single layer of which nothing is known, there is nothing to add.
    assert "<caption>" not in Standardize().fit(X)._repr_html_()
