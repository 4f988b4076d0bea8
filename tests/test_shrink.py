"""Models as small as a device asks for."""

import numpy as np
import pandas as pd
import pytest

import destructors
from destructors.base import _shrink
from destructors.base_distributions import StandardNormal
from destructors.flows import (
    RBIG,
    AlignmentFlow,
    GaussianCopula,
    TreeFlow,
)
from destructors.linear import Whitening
from destructors.maps import Trees
from destructors.maps._cut import cut_to
from destructors.maps._save import n_bytes
from destructors.marginal import NormalCDF
from destructors.mixture import GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(_shrink, "_N_TRAIN", 3000)
    monkeypatch.setattr(_shrink, "_N_STOP", 600)
    monkeypatch.setattr(_shrink, "_N_CHOOSE", 1000)


def draw(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=n_rows)
    return np.c_[x, np.sin(x) + 0.2 * rng.normal(size=n_rows)]


MODELS = [
    (RBIG(max_iter=5, random_state=0), 2_500),
    (GaussianCopula(), 1_800),
    (GaussianMixtureDestructor(32, random_state=0), 1_800),
    (TreeFlow(n_components=32, cv=None, max_trees=40, random_state=0), 3_000),
    (BoostedTreeDestructor(max_iter=60, random_state=0), 8_000),
]


@pytest.mark.parametrize(
    ("model", "max_bytes"), MODELS, ids=lambda value: type(value).__name__
)
def test_what_is_shrunk_fits_and_beats_a_gaussian(model, max_bytes, tmp_path):
    X, new = draw(2000), draw(2000, 1)
    model.fit(X)
    before = model.to_density().digest()
    assert n_bytes(model.to_density()) > max_bytes
    small = model.shrink(max_bytes, random_state=0)
    small.save(tmp_path / "small.npz")
    assert (tmp_path / "small.npz").stat().st_size <= max_bytes
    assert small.logpdf(new).mean() > Whitening().fit(X).score(new) + 0.05
    assert model.to_density().digest() == before
    again = model.shrink(max_bytes, random_state=0)
    assert again.digest() == small.digest()


def test_a_fit_to_draws_is_better_than_what_the_first_maps_give():
    model = TreeFlow(n_components=32, cv=None, max_trees=40, random_state=0)
    model.fit(draw(2000))
    small, new = model.shrink(3_000, random_state=0), draw(2000, 1)
    cut = cut_to(model.to_density(), 3_000)
    assert cut is None or small.logpdf(new).mean() > cut.logpdf(new).mean() + 0.1


def test_more_room_is_not_worse():
    model = GaussianMixtureDestructor(32, random_state=0).fit(draw(2000))
    held_out = draw(3000, 1)
    scores = [
        model.shrink(n, held_out, random_state=0).logpdf(held_out).mean()
        for n in (1_500, 2_000, 3_000)
    ]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 0.1


def test_what_is_small_enough_stays():
    model = Whitening().fit(draw(500))
    density = model.to_density()
    assert model.shrink(n_bytes(density)).digest() == density.digest()


def test_size_is_that_of_the_file(tmp_path):
    model = RBIG(max_iter=2, random_state=0).fit(draw(500))
    for each in (model, model.to_density()):
        destructors.save(each, tmp_path / "model.npz")
        assert n_bytes(each) == (tmp_path / "model.npz").stat().st_size


def test_as_many_trees_stay_as_fit():
    model = BoostedTreeDestructor(max_iter=30, early_stopping=False, random_state=0)
    whole = model.fit(draw(1000)).to_density()
    for limit in (5_000, 8_000):
        _, trees = cut_to(whole, limit).map
        assert isinstance(trees, Trees)
        assert 0 < len(trees) < 30
        more = model._first(len(trees) + 1)
        assert len(more.map_[1]) == len(trees) + 1
        assert n_bytes(more.to_density()) > limit


def test_tables_of_both_kinds_keep_their_columns():
    rng = np.random.default_rng(0)
    X = draw(1500)
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame["c"] = np.where(X[:, 0] + rng.normal(size=1500) > 2, "much", "little")
    model = TreeFlow(n_components=4, max_trees=20, random_state=0).fit(frame)
    size = n_bytes(model.to_density())
    small = model.shrink(int(0.8 * size), random_state=0)
    assert n_bytes(small) <= 0.8 * size
    assert np.isfinite(small.logpdf(frame)).all()
    found = small.sample(50, random_state=0)
    assert found.columns.tolist() == ["a", "b", "c"]
    assert set(found["c"]) <= {"much", "little"}


def test_weights_of_held_out_rows_count():
    model = GaussianMixtureDestructor(8, random_state=0).fit(draw(1000))
    X = draw(400, 1)
    counts = np.random.default_rng(0).integers(0, 3, 400)
    by_weight = model.shrink(1_800, X, sample_weight_val=counts, random_state=0)
    by_copies = model.shrink(1_800, X.repeat(counts, axis=0), random_state=0)
    assert by_weight.digest() == by_copies.digest()


def test_what_cannot_be_shrunk_says_so():
    X = draw(500)
    model = Whitening().fit(X)
    for limit in (0, 2.5, "10 kB"):
        with pytest.raises(ValueError, match="max_bytes must be an integer of at le"):
            model.shrink(limit)
    with pytest.raises(
        ValueError, match=r"no smaller form of at most 10 bytes; it takes \d"
    ):
        model.shrink(10)
    with pytest.raises(ValueError, match="sample_weight_val is given without X_val"):
        model.shrink(10**6, sample_weight_val=np.ones(3))
    flow = AlignmentFlow(max_iter=2, random_state=0)
    flow.fit(X, sample_domain=np.arange(500) % 2)
    with pytest.raises(TypeError, match="AlignmentFlow aligns domains"):
        flow.shrink(1000)


def test_only_the_whole_map_ends_on_the_cube():
    model = destructors.compose.make_destructor_pipeline(
        RBIG(max_iter=2, random_state=0), NormalCDF()
    ).fit(draw(500))
    assert not isinstance(model.base_distribution_, StandardNormal)
    with pytest.raises(ValueError, match="no smaller form of at most 2000 bytes"):
        model.shrink(2000)
