"""The layers that the user guide writes keep the law, pickle and save."""

import doctest
import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import destructors
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.marginal import SplineGaussianizer
from destructors.testing import check_destructor, check_map

GUIDE = Path(__file__).parents[1] / "docs" / "user_guide" / "composing.rst"


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    """The classes of the guide, word for word, in a module of their own."""
    examples = doctest.DocTestParser().get_examples(GUIDE.read_text(encoding="utf-8"))
    begins = ("import", "from", "@dataclass", "class ")
    code = "".join(e.source for e in examples if e.source.startswith(begins))
    path = tmp_path_factory.mktemp("own") / "own_layers.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("own_layers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_layers"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["own_layers"]


@pytest.fixture(scope="module")
def W():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1200)
    return np.c_[x, np.sin(2 * x) + 0.3 * rng.normal(size=1200)]


def test_detrend_keeps_the_law(layers, W):
    results = check_destructor(layers.Detrend(), X=W[:900])
    assert {result["status"] for result in results} == {"passed"}
    check_map(layers.Detrend().fit(W).map_, W[:100])


def test_a_layer_that_overfits_keeps_the_law(layers, W):
    # Its map jumps from neighbour to neighbour; the density is a density all the same.
    layer = layers.NearestDetrend(random_state=0)
    model = layer.fit(W)
    check_map(model.map_, W[:100])
    results = check_destructor(layer, X=W[:900])
    assert {result["status"] for result in results} == {"passed"}
    assert model.map_.k > 1


@pytest.mark.parametrize("name", ["Detrend", "NearestDetrend"])
def test_they_compose_pickle_and_save(layers, W, name, tmp_path):
    layer = getattr(layers, name)()
    candidates = [("trend", layer), ("marginal", SplineGaussianizer())]
    for model in (
        make_destructor_pipeline(layer, SplineGaussianizer()),
        IterativeDestructor(candidates, max_iter=3, random_state=0),
    ):
        model.fit(W)
        destructors.save(model, tmp_path / "model.npz")
        density = destructors.load(tmp_path / "model.npz")
        np.testing.assert_array_equal(density.logpdf(W), model.score_samples(W))
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.score_samples(W), model.score_samples(W))


def test_honest_rows_look_like_new_ones(layers, W):
    # With one neighbour the residuals of training rows would all be zero.
    from destructors.rows import Fold, Rows

    layer = layers.NearestDetrend((1,), random_state=0)
    after = layer._fit_rows(Fold(Rows.of(W[:600]), Rows.of(W[600:])), onwards=True)
    assert (layer.map_.forward(W[:600])[0][:, 1] == 0.0).all()
    train, new = (rows.values[:, 1].std() for rows in (after.train, after.validation))
    assert abs(train / new - 1.0) < 0.1
