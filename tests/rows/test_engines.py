"""Blocks that other processes work on: the same bits, whatever becomes of these."""

import os
import shutil
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from benchmarks.engines import Killing, _find_ray, dask, ray
from destructors import RBIG, GaussianCopula, TreeFlow, open_rows, write_rows
from destructors.callbacks import Checkpoint
from destructors.linear import Whitening
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows.engines import Engine, _engine, find_engine
from destructors.rows.engines._engine import WorkerLost, do_task
from destructors.rows.engines._packed import Packed

RNG = np.random.default_rng(0)
_x = RNG.gamma(2.0, size=4000)
X = np.c_[_x, np.sin(_x) + 0.3 * RNG.normal(size=4000), RNG.normal(size=4000)]
SIZE = 500
FLOW = TreeFlow(
    n_components=2, marginal=None, boost_mixture=False, max_trees=3, random_state=0
)
MODELS = [
    Whitening(),
    GaussianCopula(),
    RBIG(max_iter=2, random_state=0),
    GaussianMixtureDestructor(2, random_state=0),
    FLOW,
]


class Pickling(Engine):
    """Does the work at once, with what would travel.

    Parameters
    ----------
    loses : callable
        Takes the number of a task, and returns whether its worker ends.
    forgets : path-like
        A folder that is emptied before each pass.
    """

    def __init__(self, loses=lambda n: False, forgets=None):
        self.loses, self.forgets = loses, forgets
        self.n_tasks, self.sizes = 0, []

    def share(self, work):
        packed = Packed.of(work)
        self.sizes.append(len(packed.content))
        for path in Path(self.forgets).rglob("*.block") if self.forgets else ():
            path.unlink()
        return packed

    def submit(self, shared, tasks):
        return [(shared, task) for task in tasks]

    def result(self, future):
        self.n_tasks += 1
        if self.loses(self.n_tasks):
            raise WorkerLost("killed")
        return do_task(*future)

    def cancel(self, future):
        pass


def bits(model):
    return model.to_density().digest()


def fit(model, source, engine=None, **options):
    return clone(model).fit(
        open_rows(source, block_size=SIZE, engine=engine, **options)
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "x.npy", [X])


@pytest.fixture(scope="module")
def parquet(path):
    return write_rows(path.with_suffix(".parquet"), [X])


# ---------------------------------------------------------------- what travels


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_passes_travel_and_give_the_same_bits(model, path, parquet):
    expected = bits(fit(model, path))
    for source in (path, parquet):
        engine = Pickling()
        assert bits(fit(model, source, engine)) == expected
        # Where rows are and what has been done to them: not the rows, 96,000 bytes.
        assert max(engine.sizes) < 40_000


def test_trees_that_boost_a_mixture_travel_with_it(path):
    model = clone(FLOW).set_params(boost_mixture=True)
    engine = Pickling()
    assert bits(fit(model, path, engine)) == bits(fit(model, path))
    assert bits(fit(model, path)) != bits(fit(FLOW, path))
    assert max(engine.sizes) > 0


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_tasks_of_workers_that_end_are_done_again(model, path):
    engine = Pickling(loses=lambda n: n % 3 == 0)
    assert bits(fit(model, path, engine)) == bits(fit(model, path))


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_what_is_lost_of_the_scratch_folder_is_computed_again(
    model, path, parquet, tmp_path
):
    for source in (path, parquet):
        engine = Pickling(forgets=tmp_path)
        found = fit(model, source, engine, scratch=tmp_path)
        assert bits(found) == bits(fit(model, path))


def test_workers_that_do_not_see_the_scratch_folder_compute_blocks_again(
    path, tmp_path
):
    class Elsewhere(Pickling):
        def share(self, work):
            shutil.rmtree(tmp_path, ignore_errors=True)
            return super().share(work)

    map_ = fit(Whitening(), path).map_
    expected = open_rows(path, block_size=SIZE).load(None).through(map_).digest()
    rows = open_rows(path, block_size=SIZE, scratch=tmp_path, engine=Elsewhere())
    assert rows.load(None).through(map_).digest() == expected
    assert not tmp_path.exists()


def test_a_block_that_ends_all_its_workers_is_named(path):
    with pytest.raises(RuntimeError, match=r"workers have ended over block 0 \(killed"):
        fit(Whitening(), path, Pickling(loses=lambda n: True))


def test_a_mapped_array_travels_as_its_place_in_the_file(path):
    expected = bits(fit(Whitening(), X))
    engine = Pickling()
    assert bits(fit(Whitening(), np.load(path, mmap_mode="r"), engine)) == expected
    fortran = path.with_name("fortran.npy")
    np.save(fortran, np.asfortranarray(X))
    assert bits(fit(Whitening(), np.load(fortran, mmap_mode="r"), engine)) == expected
    assert max(engine.sizes) < 10_000


def test_arrays_in_memory_are_refused(path):
    changed = np.load(path, mmap_mode="c")
    for array in (X, np.load(path, mmap_mode="r")[1:], changed):
        with pytest.raises(TypeError, match=r"source is an array in memory, .*write_r"):
            open_rows(array, engine=Pickling())
    with pytest.raises(TypeError, match="weight is an array in memory, not a column"):
        open_rows(path, weight=np.ones(len(X)), engine=Pickling())


def test_a_checkpoint_of_one_engine_serves_another(path, tmp_path):
    expected = bits(fit(RBIG(max_iter=3, random_state=0), path))
    few = RBIG(max_iter=3, max_time=1e-9, random_state=0)
    rows = open_rows(path, block_size=SIZE, engine=Pickling())
    few.set_callbacks(Checkpoint(tmp_path / "run")).fit(rows)
    assert few.n_iter_ == 1
    again = RBIG(max_iter=3, random_state=0)
    again.set_callbacks(Checkpoint(tmp_path / "run", resume=True))
    assert bits(again.fit(open_rows(path, block_size=SIZE))) == expected


# ---------------------------------------------------------------- real processes


def test_an_executor_that_loses_a_process_is_done_without(path):
    expected = bits(fit(GaussianCopula(), path))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert bits(fit(GaussianCopula(), path, pool)) == expected
        engine = Killing(find_engine(pool), lambda: list(pool._processes), n_kills=1)
        with pytest.warns(RuntimeWarning, match="goes on in this process"):
            assert bits(fit(GaussianCopula(), path, engine)) == expected
        assert engine.n_killed == 1


def test_a_slow_worker_changes_no_bit_and_gets_less_to_do(path):
    context = get_context("spawn")
    shared = context.Value("i", 0), context.Array("i", 2), context.Barrier(2)
    model = MODELS[2]
    with ProcessPoolExecutor(2, context, _begin, shared) as pool:
        assert bits(fit(model, path, pool)) == bits(fit(model, path))
    _, n_tasks, _ = shared
    assert 0 < n_tasks[0] < n_tasks[1]


def _begin(number, n_tasks, start):
    """Let the first process take its time over each task."""
    start.wait()
    with number.get_lock():
        own, number.value = number.value, number.value + 1

    def do_slowly(work, task):
        n_tasks[own] += 1
        if own == 0:
            time.sleep(0.1)
        return do_task(work, task)

    # Tasks name the function, and it is looked up where they are done.
    _engine.do_task = do_slowly


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_loses_workers_gets_others_and_tells_what_is_wrong(path, tmp_path):
    pytest.importorskip("distributed")
    gone = tmp_path / "gone.npy"
    shutil.copy(path, gone)
    with dask(n_workers=1) as (client, find):
        engine = Killing(find_engine(client), find, n_kills=1)
        assert bits(fit(GaussianCopula(), path, engine)) == bits(
            fit(GaussianCopula(), path)
        )
        assert engine.n_killed == 1
        client.cluster.scale(2)
        model = MODELS[-1]
        assert bits(fit(model, path, client)) == bits(fit(model, path))
        rows = open_rows(gone, block_size=SIZE, engine=client).load(None)
        gone.unlink()
        with pytest.raises(FileNotFoundError, match=r"gone\.npy cannot be read \(rows"):
            rows.column_samples()


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_a_worker_of_dask_uses_memory_again():
    pytest.importorskip("distributed")
    code = """
        from resource import RUSAGE_SELF, getrusage
        import numpy as np
        from destructors.rows.engines._dask import _do
        def work(place):
            before = getrusage(RUSAGE_SELF).ru_minflt
            for _ in range(20):
                np.ones(2**18)
            return getrusage(RUSAGE_SELF).ru_minflt - before
        print(*_do(work, [(0,), (1,)]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=True,
        env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"},
    )  # fmt: skip
    # Twenty arrays of 512 pages each.
    assert int(done.stdout.split()[1]) < 1_000


@pytest.mark.filterwarnings("default")
def test_dask_without_workers_is_told(path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(_engine, "PATIENCE", 0.2)
    monkeypatch.setattr(_engine, "LOOK_EVERY", 0.1)
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(RuntimeError, match="Dask cluster has had no workers for"),
    ):
        fit(Whitening(), path, client)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_ray_loses_workers(path, tmp_path):
    library = pytest.importorskip("ray")
    with pytest.raises(RuntimeError, match=r"call ray\.init\(\)"):
        open_rows(path, engine=library)
    gone = tmp_path / "gone.npy"
    shutil.copy(path, gone)
    with ray() as (given, _):
        engine = Killing(find_engine(given), _find_ray, n_kills=1)
        assert bits(fit(GaussianCopula(), path, engine)) == bits(
            fit(GaussianCopula(), path)
        )
        assert engine.n_killed == 1
        rows = open_rows(gone, block_size=SIZE, engine=given).load(None)
        gone.unlink()
        with pytest.raises(FileNotFoundError, match=r"gone\.npy cannot be read \(rows"):
            rows.column_samples()
