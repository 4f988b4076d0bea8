"""Fits to tables that are read block by block."""

import resource
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from destructors import (
    RBIG,
    GaussianCopula,
    TreeFlow,
    open_rows,
    write_rows,
)
from destructors.autoregressive import RegressionDestructor
from destructors.callbacks import Checkpoint
from destructors.compose import IterativeDestructor, make_destructor_pipeline
from destructors.estimators import DensityClassifier, OutlierDetector
from destructors.exceptions import DataWarning
from destructors.linear import (
    FixedRotation,
    PCARotation,
    RandomRotation,
    Standardize,
    Whitening,
)
from destructors.marginal import (
    BlockGaussianizer,
    BoundedSupport,
    HistogramGaussianizer,
    NormalCDF,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold, Rows, StoredRows
from destructors.rows._scratch import Scratch


def make_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, size=n)
    return np.c_[
        x, np.sin(x) + 0.3 * rng.normal(size=n), np.round(rng.normal(size=n), 1)
    ]


X = make_rows(9000)
NEW = make_rows(2000, seed=1)
# Short, so that a quick table has many.
SIZE = 1000


def bits(model):
    return model.to_density().digest()


BY_SUMS = [Standardize(), Whitening(), Whitening(method="zca"), PCARotation()]
BY_POINTS = [
    Standardize(robust=True),
    SplineGaussianizer(),
    HistogramGaussianizer(),
    RationalQuadraticGaussianizer(),
    make_destructor_pipeline(BoundedSupport(), SplineGaussianizer(), NormalCDF()),
    BlockGaussianizer(),
    GaussianCopula(),
    GaussianCopula(HistogramGaussianizer(n_bins=20)),
    RBIG(max_iter=3, random_state=0),
    RBIG(max_iter=3, rotation="random", cv=3, random_state=0),
    RBIG(max_iter=3, stopping="total_correlation", random_state=0),
    IterativeDestructor([("turn", RandomRotation()), ("white", Whitening())],
                        max_iter=2, random_state=0),
    make_destructor_pipeline(SplineGaussianizer(), FixedRotation()),
    make_destructor_pipeline(GaussianMixtureDestructor(3), SplineGaussianizer()),
]  # fmt: skip


@pytest.mark.parametrize("model", BY_SUMS, ids=str)
def test_moments_over_blocks_are_those_in_memory(model):
    model.fit(X)
    stored = clone(model).fit(open_rows(X, block_size=SIZE))
    np.testing.assert_allclose(
        stored.score_samples(NEW), model.score_samples(NEW), rtol=1e-9
    )


def test_blocks_of_the_usual_size_give_the_bits_of_a_fit_in_memory():
    many = np.random.default_rng(0).gamma(2.0, size=(70_000, 2))
    assert bits(Whitening().fit(open_rows(many))) == bits(Whitening().fit(many))


@pytest.mark.parametrize("model", BY_POINTS, ids=str)
def test_points_over_blocks_cost_next_to_no_nats(model):
    model = clone(model).fit(X)
    stored = clone(model).fit(open_rows(X, block_size=SIZE))
    # Other rows are held out: of 9,000, that decides more than the points.
    assert abs(stored.score(NEW) - model.score(NEW)) < 0.02


@pytest.mark.parametrize(
    "model",
    [
        GaussianCopula(),
        RBIG(max_iter=3, random_state=0),
        RandomRotation(random_state=0),
    ],
    ids=str,
)
def test_a_table_of_one_block_is_fitted_in_memory(model):
    assert bits(model.fit(open_rows(X))) == bits(clone(model).fit(X))


@pytest.mark.parametrize(
    "model", [GaussianCopula(), RBIG(max_iter=3, random_state=0)], ids=str
)
def test_threads_and_kinds_of_files_do_not_change_a_bit(model, tmp_path):
    expected = clone(model).fit(open_rows(X, block_size=SIZE)).map_.digest()
    threads = clone(model).set_params(n_jobs=3).fit(open_rows(X, block_size=SIZE))
    assert threads.map_.digest() == expected
    for name in ("x.npy", "x.parquet"):
        path = write_rows(tmp_path / name, np.array_split(X, 7))
        stored = clone(model).fit(open_rows(path, block_size=SIZE, scratch=tmp_path))
        assert stored.map_.digest() == expected
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.npy", "x.parquet"]


@pytest.mark.parametrize("as_column", [False, True])
def test_integer_weights_count_rows(as_column):
    weight = np.random.default_rng(0).integers(0, 3, size=len(X)).astype(float)
    table, options = X, {"weight": weight}
    if as_column:
        table, options = np.c_[X, weight], {"weight": 3}
    rows = open_rows(table, block_size=SIZE, **options)
    repeated = np.repeat(X, weight.astype(int), axis=0)
    for model in (Whitening(), HistogramGaussianizer(n_bins=10), GaussianCopula()):
        weighted = clone(model).fit(rows)
        plain = clone(model).fit(open_rows(repeated, block_size=SIZE))
        assert abs(weighted.score(NEW) - plain.score(NEW)) < 1e-3
        in_memory = plain.score(X, sample_weight=weight)
        assert np.isclose(plain.score(rows), in_memory, rtol=1e-12)


def test_weights_of_any_size_are_those_of_the_whole_table():
    weight = np.full(len(X), 1e-300)
    weight[:10] = 1e-200
    rows = open_rows(X, block_size=SIZE, weight=weight)
    in_memory = Whitening().fit(X, sample_weight=weight)
    np.testing.assert_allclose(Whitening().fit(rows).mean_, in_memory.mean_, rtol=1e-9)


def test_held_out_rows_are_chosen_by_content():
    twice = np.r_[X, X[::-1]]
    [fold] = open_rows(twice, block_size=SIZE).load(None).split(None, 0.1, 0)
    blocks = [list(part.each_block(lambda block: block.values)) for part in
              (fold.train, fold.validation)]  # fmt: skip
    train, held_out = map(np.concatenate, blocks)
    assert abs(len(held_out) / len(twice) - 0.1) < 0.02
    assert len(train) + len(held_out) == len(twice)
    assert not set(map(bytes, train)) & set(map(bytes, held_out))


def test_held_out_rows_of_a_file_stop_a_stack():
    rows = open_rows(X, block_size=SIZE)
    model = RBIG(max_iter=3, random_state=0)
    by_file = clone(model).fit(rows, X_val=open_rows(NEW, block_size=SIZE))
    by_array = clone(model).fit(rows, X_val=NEW)
    np.testing.assert_allclose(by_file.validation_score_, by_array.validation_score_)


def test_equal_columns_are_told_also_where_only_late_rows_differ():
    rows = open_rows(np.c_[X, X[:, 0]], block_size=SIZE)
    with pytest.warns(DataWarning, match="Columns 0, 3 are equal"):
        Standardize().fit(rows)
    other = np.c_[X, X[:, 0]]
    other[-1, 3] += 1.0
    Standardize().fit(open_rows(other, block_size=SIZE))


# ---------------------------------------------------------------- blocks in turn


def test_blocks_are_scored_mapped_and_brought_back(tmp_path):
    model = GaussianCopula().fit(X)
    rows = open_rows(NEW, block_size=700)
    scores = list(model.score_samples(rows))
    assert [len(part) for part in scores] == [700, 700, 600]
    np.testing.assert_array_equal(np.concatenate(scores), model.score_samples(NEW))
    assert np.isclose(model.score(rows), model.score(NEW), rtol=1e-12)
    frames = clone(model).fit(X).set_output(transform="pandas")
    with pytest.raises(TypeError, match=r'set_output\(transform="default"\)'):
        frames.transform(rows)
    assert len(next(frames.score_samples(rows))) == 700
    path = write_rows(tmp_path / "latent.npy", model.transform(rows))
    np.testing.assert_array_equal(np.load(path), model.transform(NEW))
    back = np.concatenate(list(model.inverse_transform(open_rows(path))))
    np.testing.assert_array_equal(back, model.inverse_transform(model.transform(NEW)))


def test_what_is_fitted_in_memory_scores_blocks():
    model = TreeFlow(cv=None, n_components=[2], max_trees=10, random_state=0).fit(
        X[:500]
    )
    scores = model.score_samples(open_rows(NEW, block_size=700))
    np.testing.assert_array_equal(
        np.concatenate(list(scores)), model.score_samples(NEW)
    )


# ---------------------------------------------------------------- the scratch folder


def test_blocks_that_are_lost_are_computed_again(tmp_path):
    rows = open_rows(X, block_size=SIZE, scratch=tmp_path).load(None)
    maps = [
        SplineGaussianizer().fit(X).map_,
        RandomRotation(random_state=0).fit(X).map_,
    ]
    after = rows.through(maps[0]).unseen().through(maps[1])
    assert isinstance(after, StoredRows)
    before = Fold(after).digest()
    files = sorted(tmp_path.rglob("*.block"))
    files[0].unlink()
    files[-1].write_bytes(files[-1].read_bytes()[:100])
    again = rows.through(maps[0]).unseen().through(maps[1])
    assert Fold(again).digest() == before
    shutil.rmtree(tmp_path)
    values = list(after.each_block(lambda block: block.values))
    in_memory = Rows.of(X).through(maps[0]).through(maps[1]).values
    np.testing.assert_array_equal(np.concatenate(values), in_memory)


@pytest.mark.parametrize("model", [GaussianCopula(), RegressionDestructor()], ids=str)
def test_nothing_stays_in_the_scratch_folder(model, tmp_path):
    model.fit(open_rows([lambda: X], block_size=SIZE, scratch=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_scratch_folder_without_room_is_told(tmp_path, monkeypatch):
    rows = open_rows(X, block_size=SIZE, scratch=tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(OSError, match=r"scratch folder .* has no room .*are needed"):
        GaussianCopula().fit(rows)


def test_a_write_that_fails_is_told(tmp_path):
    rows = open_rows(X, block_size=SIZE, scratch=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError, match="no room for the rows after a layer"):
            GaussianCopula().fit(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_scratch_folder_that_is_none_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"scratch=.*is no folder"):
        GaussianCopula().fit(open_rows(X, scratch=tmp_path / "nowhere"))


def test_a_fit_that_was_cut_off_goes_on_from_its_checkpoint(tmp_path):
    rows = open_rows(X, block_size=3000)
    model = RBIG(max_iter=3, random_state=0)
    expected = bits(clone(model).fit(rows))
    few = clone(model).set_params(max_time=1e-9)
    few.set_callbacks(Checkpoint(tmp_path / "run")).fit(rows)
    assert few.n_iter_ == 1
    again = clone(model).set_callbacks(Checkpoint(tmp_path / "run", resume=True))
    assert bits(again.fit(rows)) == expected
    other = clone(model).set_callbacks(Checkpoint(tmp_path / "run", resume=True))
    with pytest.raises(ValueError, match="What differs: the training rows"):
        other.fit(open_rows(X + 1.0, block_size=3000))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (OutlierDetector(), {}),
        (DensityClassifier(), {"y": np.arange(len(X)) % 2}),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_knows_nothing_of_blocks_says_so(model, given):
    with pytest.raises(TypeError, match="rows in memory, and those of open_rows"):
        model.fit(open_rows(X, block_size=SIZE), **given)


def test_other_tables_than_in_the_fit_are_refused(tmp_path):
    pd = pytest.importorskip("pandas")
    rows = open_rows(X, block_size=SIZE)
    model = Whitening().fit(pd.DataFrame(X, columns=list("abc")))
    path = write_rows(tmp_path / "x.parquet", [X], names=list("acb"))
    with pytest.raises(ValueError, match="in the same order: a, b, c; got a, c, b"):
        model.score_samples(open_rows(path))
    right = open_rows(path, columns=list("abc"))
    assert len(next(model.score_samples(right))) == len(X)
    with pytest.raises(
        ValueError, match="have 2 features, but Whitening is expecting 3"
    ):
        model.transform(open_rows(X[:, :2]))
    with pytest.raises(ValueError, match=r"open_rows\(..., weight=...\)"):
        Whitening().fit(rows, sample_weight=np.ones(len(X)))
    with pytest.raises(ValueError, match="All weights are zero"):
        Whitening().fit(open_rows(X, block_size=SIZE, weight=np.zeros(len(X))))
    with pytest.raises(ValueError, match="Found 1 row"):
        Whitening().fit(open_rows(X[:1]))
    with pytest.raises(TypeError, match="cv must be None or a number of folds"):
        RBIG(cv=[(np.arange(5), np.arange(5, 9))]).fit(rows)


def test_names_of_columns_are_learned(tmp_path):
    path = write_rows(tmp_path / "x.parquet", [X], names=list("abc"))
    model = Standardize().fit(open_rows(path, block_size=SIZE))
    assert model.feature_names_in_.tolist() == list("abc")


# ---------------------------------------------------------------- memory


@pytest.mark.skipif(not Path("/proc").exists(), reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    code = """
        import re, sys
        from destructors import open_rows
        from destructors.compose import make_destructor_pipeline
        from destructors.linear import Standardize, Whitening
        for path in sys.argv[1:]:
            layers = Standardize(robust=True), Whitening()
            make_destructor_pipeline(*layers).fit(open_rows(path))
            # That of getrusage begins with what the parent has taken.
            status = open("/proc/self/status").read()
            print(int(re.search("VmHWM:(.*)kB", status)[1]) / 1024)
    """
    block = np.random.default_rng(0).normal(size=(65_536, 10))
    paths = [
        write_rows(tmp_path / f"{n}.npy", (block + i for i in range(n)))
        for n in (3, 12)
    ]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *paths],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    few, many = map(float, done.stdout.split())
    # The nine blocks more are 45 MiB, as often as rows are held; their quantile points
    # are 6.
    assert many < few + 20.0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_block_that_is_kept_comes_back_to_the_bit(order, weighted, tmp_path):
    values = np.asarray(make_rows(100), order=order)
    rows = Rows(values, values[:, 0].copy(), values[:, 1] ** 2 if weighted else None)
    blocks = Scratch(tmp_path).new_blocks(100, 5)
    blocks.write(3, rows)
    found = blocks.read(3)
    assert found.digest() == rows.digest()
    assert found.values.flags.f_contiguous == values.flags.f_contiguous
    assert blocks.read(2) is None
    [path] = tmp_path.rglob("3.block")
    for damaged in (path.read_bytes()[:-8], b"", path.read_bytes() + bytes(8)):
        path.write_bytes(damaged)
        assert blocks.read(3) is None


def test_no_thread_parses_headers_of_blocks(tmp_path, monkeypatch):
    # Python's parser may not run in two threads at once; see `rows._scratch`.
    blocks = Scratch(tmp_path).new_blocks(10, 3)
    monkeypatch.setattr(np.lib.format, "read_array", None)
    monkeypatch.setattr(np, "load", None)
    blocks.write(0, Rows.of(make_rows(10)))
    assert blocks.read(0) is not None


def test_rows_know_whether_layers_have_changed_their_units(tmp_path):
    map_ = Standardize().fit(X).map_
    for rows in (
        Rows.of(X),
        open_rows(X, block_size=SIZE, scratch=tmp_path).load(None),
    ):
        assert not rows.are_latent
        assert rows.through(map_).are_latent
        assert not rows.through(map_).unseen().are_latent
