"""Checkpoints: a fit that was cut off anywhere goes on to the same bits."""

import errno
import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from destructors import RBIG, GaussianCopula, TreeFlow
from destructors.callbacks import Checkpoint
from destructors.exceptions import CheckpointWarning
from destructors.linear import RandomRotation
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.mixture._em import EM
from destructors.rows import _memo, _running
from destructors.tree import BoostedTreeDestructor, _growth


@pytest.fixture(autouse=True)
def _keep_every_layer(monkeypatch):
    # Also those that are fitted sooner than they are read.
    monkeypatch.setattr(_memo, "_WORTH", 0.0)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=300)
    return np.c_[x, np.sin(x) + 0.2 * rng.normal(size=300)]


class Crash:
    """A callback that ends the process after so many layers, as far as it can."""

    def __init__(self, after):
        self.left = after

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.left -= context.task_name in ("layer", "tree")
        if self.left == 0:
            raise SystemExit


def bits(model):
    return model.to_density().digest()


def crash(model, path, *data, after=2, every=100, **known):
    with pytest.raises(SystemExit):
        model.set_callbacks(Checkpoint(path, every=every), Crash(after)).fit(
            *data, **known
        )


def resume(model, path, *data, **known):
    return model.set_callbacks(Checkpoint(path, resume=True)).fit(*data, **known)


def forbid(monkeypatch, owner, name):
    def fail(*args, **kwargs):
        raise AssertionError(f"{name} is called again.")

    monkeypatch.setattr(owner, name, fail)


# ---------------------------------------------------------------- the same bits


@pytest.mark.slow
def test_processes_killed_at_random_moments(tmp_path):
    arguments = ["localized", "--quick", "--only", "kills"]
    arguments += ["--output", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(tmp_path / "kills.csv")
    assert (table["same bits"] == table["fits"]).all()
    # Two of each of seven models in memory, and of six of them on disk.
    assert table["kills"].tolist() == [2] * 13


@pytest.mark.parametrize("settings", [{}, {"cv": 2}, {"n_jobs": 2}])
def test_layers_that_are_there_are_not_fitted_again(X, tmp_path, monkeypatch, settings):
    make = lambda: RBIG(max_iter=3, random_state=0, **settings)
    whole = make().fit(X)
    kept = make().set_callbacks(Checkpoint(tmp_path / "run")).fit(X)
    forbid(monkeypatch, SplineGaussianizer, "_fit")
    again = resume(make(), tmp_path / "run", X)
    assert bits(whole) == bits(kept) == bits(again)
    np.testing.assert_array_equal(again.validation_score_, whole.validation_score_)
    assert again.layer_names_ == whole.layer_names_


def test_layers_have_all_their_attributes_again(X, tmp_path):
    # Of one component, so that trees find something.
    given = {"n_components": 1, "boost_mixture": False, "marginal": None}
    make = lambda: TreeFlow(random_state=0, cv=None, max_trees=9, **given)
    whole = make().fit(X)
    assert whole.n_trees_ > 0
    make().set_callbacks(Checkpoint(tmp_path / "run")).fit(X)
    again = resume(make(), tmp_path / "run", X)
    assert bits(again) == bits(whole)
    for known, found in zip(whole.layers_, again.layers_, strict=True):
        assert set(vars(known)) == set(vars(found))
    np.testing.assert_array_equal(again[-1].train_score_, whole[-1].train_score_)


def test_every_so_many_trees_are_kept(X, tmp_path, monkeypatch):
    make = lambda: BoostedTreeDestructor(random_state=0, max_iter=25)
    whole = make().fit(X)
    crash(make(), tmp_path / "run", X, after=19, every=7)
    grown, grow = [], _growth.grow_tree
    monkeypatch.setattr(
        _growth, "grow_tree", lambda *args: grown.append(1) or grow(*args)
    )
    again = resume(make(), tmp_path / "run", X)
    assert bits(again) == bits(whole)
    np.testing.assert_array_equal(again.train_score_, whole.train_score_)
    np.testing.assert_array_equal(
        again.feature_importances_, whole.feature_importances_
    )
    # Of 25, twice seven had been kept.
    assert len(grown) == 25 - 14


def test_numbers_of_components_are_kept_one_by_one(X, tmp_path, monkeypatch):
    make = lambda: GaussianMixtureDestructor([1, 2, 4], random_state=0)
    whole = make().fit(X)
    make().set_callbacks(Checkpoint(tmp_path / "run")).fit(X)
    forbid(monkeypatch, EM, "_run")
    again = resume(make(), tmp_path / "run", X)
    assert bits(again) == bits(whole)
    assert again.validation_score_ == whole.validation_score_
    assert again.n_iter_ == whole.n_iter_


def test_a_copula_keeps_its_marginals(X, tmp_path, monkeypatch):
    whole = GaussianCopula().fit(X)
    GaussianCopula().set_callbacks(Checkpoint(tmp_path / "run")).fit(X)
    forbid(monkeypatch, SplineGaussianizer, "_fit")
    assert bits(resume(GaussianCopula(), tmp_path / "run", X)) == bits(whole)


def test_weights_and_held_out_rows(X, tmp_path):
    weight = np.arange(200) % 3
    known = {"sample_weight": weight, "X_val": X[200:]}
    make = lambda: RBIG(max_iter=4, random_state=0)
    crash(make(), tmp_path / "run", X[:200], **known)
    again = resume(make(), tmp_path / "run", X[:200], **known)
    assert bits(again) == bits(make().fit(X[:200], **known))


def test_without_a_seed_draws_are_those_of_the_first_fit(X, tmp_path):
    from destructors.compose import make_destructor_pipeline

    def make(seed):
        # Of itself a pipeline draws nothing; its steps draw from what all share.
        stack = RBIG(rotation="random", max_iter=4, random_state=seed)
        return make_destructor_pipeline(RandomRotation(), stack)

    before = np.random.get_state()
    try:
        for number, seed in enumerate([None, np.random.RandomState(3)]):
            state = None if seed is None else seed.get_state()
            np.random.seed(1)
            expected = bits(make(seed).fit(X))
            np.random.seed(1)
            if seed is not None:
                seed.set_state(state)
            path, model = tmp_path / str(number), make(seed)
            model.set_callbacks(Checkpoint(path))
            model.steps[1][1].set_callbacks(Crash(2))
            with pytest.raises(SystemExit):
                model.fit(X)
            np.random.seed(2)
            if seed is not None:
                seed.set_state(state)
            assert bits(resume(make(seed), path, X)) == expected
    finally:
        np.random.set_state(before)


def test_a_warm_start_goes_on_too(X, tmp_path):
    make = lambda: RBIG(max_iter=2, warm_start=True, random_state=0).fit(X)
    model = make().set_params(max_iter=5)
    crash(model, tmp_path / "run", X)
    again = resume(make().set_params(max_iter=5), tmp_path / "run", X)
    assert bits(again) == bits(make().set_params(max_iter=5).fit(X))
    with pytest.raises(ValueError, match="the model to go on from"):
        resume(RBIG(max_iter=5, warm_start=True, random_state=0), tmp_path / "run", X)


def test_what_the_clock_cuts_short_is_not_kept(X, tmp_path, monkeypatch):
    make = lambda: TreeFlow(random_state=0, cv=None, max_trees=20, n_components=[1, 8])
    whole = make().fit(X)
    with monkeypatch.context() as patched:
        ticks = itertools.count()
        patched.setattr(_running, "perf_counter", lambda: float(next(ticks)))
        early = make().set_params(max_time=40.0)
        early.set_callbacks(Checkpoint(tmp_path / "run")).fit(X)
    assert bits(early) != bits(whole)
    assert bits(resume(make(), tmp_path / "run", X)) == bits(whole)


def test_from_another_folder(X, tmp_path):
    make = lambda: RBIG(max_iter=3, random_state=0)
    crash(make(), tmp_path / "old", X)
    before = sorted(path.name for path in (tmp_path / "old").iterdir())
    own = Checkpoint(tmp_path / "new", resume=tmp_path / "old")
    assert bits(make().set_callbacks(own).fit(X)) == bits(make().fit(X))
    assert sorted(path.name for path in (tmp_path / "old").iterdir()) == before
    assert (tmp_path / "new").is_dir()


# ---------------------------------------------------------------- another fit


def test_other_data_and_parameters_are_named(X, tmp_path):
    path = tmp_path / "run"
    crash(RBIG(max_iter=3, random_state=0), path, X)
    with pytest.raises(ValueError, match=r"differs: max_iter \(3 there, 4 here\)\."):
        resume(RBIG(max_iter=4, random_state=0), path, X)
    with pytest.raises(ValueError, match=r"rows \(300 × 2 there, 299 × 2 here\)"):
        resume(RBIG(max_iter=3, random_state=0), path, X[1:])
    with pytest.raises(ValueError, match=r"differs: the training rows\."):
        resume(RBIG(max_iter=3, random_state=0), path, X + 1.0)
    weight = np.full(300, 2.0)
    with pytest.raises(ValueError, match="the weights of the training rows"):
        resume(RBIG(max_iter=3, random_state=0), path, X, sample_weight=weight)
    with pytest.raises(ValueError, match="the held-out rows"):
        resume(RBIG(max_iter=3, random_state=0), path, X, X_val=X[:9])
    with pytest.raises(ValueError, match=r"class \(RBIG there, GaussianCopula here\)"):
        resume(GaussianCopula(), path, X)


def test_a_checkpoint_is_not_overwritten(X, tmp_path):
    crash(RBIG(max_iter=3), tmp_path / "run", X)
    with pytest.raises(FileExistsError, match="resume=True"):
        RBIG(max_iter=3).set_callbacks(Checkpoint(tmp_path / "run")).fit(X)


def test_bad_arguments(X, tmp_path):
    nowhere = Checkpoint(tmp_path / "run", resume=tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="There is no checkpoint in"):
        RBIG(max_iter=1).set_callbacks(nowhere).fit(X)
    with pytest.raises(ValueError, match="every must be an integer from 1 on, got 0"):
        RBIG(max_iter=1).set_callbacks(Checkpoint(tmp_path, every=0)).fit(X)


# ---------------------------------------------------------------- disks that fail


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_damaged_files_are_fitted_again(X, tmp_path, damage):
    make = lambda: RBIG(max_iter=3, random_state=0)
    crash(make(), tmp_path / "run", X)
    for path in (tmp_path / "run").iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 0xFF
        half = content[: len(content) // 2]
        path.write_bytes({"cut": half, "changed": content, "empty": b""}[damage])
    with pytest.warns(CheckpointWarning, match="cannot be read and is fitted again"):
        again = resume(make(), tmp_path / "run", X)
    assert bits(again) == bits(make().fit(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bits(resume(make(), tmp_path / "run", X)) == bits(again)


def test_on_a_full_disk_the_older_files_serve(X, tmp_path, monkeypatch):
    make = lambda: RBIG(max_iter=4, random_state=0)
    expected, path = bits(make().fit(X)), tmp_path / "run"
    writes, sync = itertools.count(), os.fsync

    def fill(file):
        if next(writes) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fill)
        with pytest.warns(CheckpointWarning, match="No space left") as caught:
            model = make().set_callbacks(Checkpoint(path)).fit(X)
    assert len(caught) == 1
    assert bits(model) == expected
    assert len(list(path.iterdir())) == 4
    assert bits(resume(make(), path, X)) == expected


def test_where_nothing_can_be_written_the_fit_goes_on(X, tmp_path):
    (tmp_path / "file").write_text("no folder")
    model = RBIG(max_iter=2, random_state=0)
    with pytest.warns(CheckpointWarning, match="cannot be written") as caught:
        model.set_callbacks(Checkpoint(tmp_path / "file" / "run")).fit(X)
    assert len(caught) == 1
    assert bits(model) == bits(RBIG(max_iter=2, random_state=0).fit(X))


def test_what_a_killed_process_has_half_written_goes(X, tmp_path):
    make = lambda: RBIG(max_iter=2, random_state=0)
    crash(make(), tmp_path / "run", X, after=1)
    (tmp_path / "run" / ".0123.npz.ab12.tmp").write_bytes(b"PK half")
    resume(make(), tmp_path / "run", X)
    assert all(path.suffix == ".npz" for path in (tmp_path / "run").iterdir())
    assert not list((tmp_path / "run").glob(".*"))
