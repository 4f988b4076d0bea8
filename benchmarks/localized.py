"""Localized learning: fits that are killed, small devices, tables not in memory."""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks.ahead import TABLES as LOOKED_AHEAD
from benchmarks.ahead import measure_ahead
from benchmarks.datasets import DATASETS
from benchmarks.edge import measure_edge
from benchmarks.engines import compare_engines, measure_overhead
from benchmarks.exits import TABLES, measure_exits
from benchmarks.files import write_csv
from benchmarks.larger import LARGER, WAYS_OF, measure_larger
from benchmarks.registry import choose_names
from benchmarks.shrunk import TABLE as SHRUNK
from benchmarks.shrunk import measure_shrunk
from benchmarks.stream import measure_drift, measure_stream
from destructors import (
    RBIG,
    AlignmentFlow,
    DiscreteTreeFlow,
    GaussianCopula,
    TreeFlow,
    open_rows,
    write_rows,
)
from destructors.callbacks import Checkpoint
from destructors.command._arguments import count, seed
from destructors.mixture import GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor

__all__ = ["MODELS", "add_arguments", "count_kills", "measure_cost", "run"]

# Rows that make layers take a while, in thousands, where that is not the default.
_N_ROWS, _MANY = 3, {"RBIG": 30, "GaussianCopula": 100, "BoostedTrees": 10}
# A kill comes so many times the seconds of a fit after its beginning at most.
_LATEST = 1.5

MODELS: dict[str, Any] = {
    "RBIG": RBIG(random_state=0),
    "TreeFlow": TreeFlow(random_state=0),
    "GaussianCopula": GaussianCopula(),
    "GaussianMixture": GaussianMixtureDestructor(random_state=0),
    "BoostedTrees": BoostedTreeDestructor(random_state=0),
    "AlignmentFlow": AlignmentFlow(random_state=0),
    "DiscreteTreeFlow": DiscreteTreeFlow(random_state=0),
}
# Those that C can be written for.
_ON_DEVICES = ("RBIG", "TreeFlow", "GaussianCopula", "GaussianMixture", "BoostedTrees")
# Those that are fitted to tables on disk too.
_ON_DISK = (
    "RBIG",
    "GaussianCopula",
    "GaussianMixture",
    "TreeFlow",
    "DiscreteTreeFlow",
    "AlignmentFlow",
)
_N_BLOCKS = 6
# What makes them small, for a try.
_SMALL: dict[str, dict[str, Any]] = {
    "RBIG": {"max_iter": 10},
    "TreeFlow": {"cv": None, "n_components": [2, 4], "max_trees": 60},
    "BoostedTrees": {"max_iter": 60},
    "AlignmentFlow": {"cv": None, "max_iter": 5},
    "DiscreteTreeFlow": {"base": ["independent", "chow-liu"]},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="2 kills, small fits to 400 rows, 150,000 on disk",
    )
    parser.add_argument("--kills", type=count, help="of each model; by default 100")
    parser.add_argument(
        "--rows", type=count, help="of the table on disk; by default 10,000,000"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the moments")
    parser.add_argument(
        "--only", nargs="+", metavar="PART", help=f"of {', '.join(_PARTS)}"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=list(MODELS),
        default=list(MODELS),
        metavar="NAME",
        help=f"of {', '.join(MODELS)}",
    )


def run(args: argparse.Namespace) -> int:
    """Print the tables; fail if one fit has ended on other bits."""
    fine = [_PARTS[name](args) for name in choose_names(_PARTS, args.only)]
    print(f"The tables are in {args.output}.")
    return int(not all(fine))


def _run_kills(args: argparse.Namespace) -> bool:
    """Print how many fits were killed, and whether all ended on the same bits."""
    print("A fit in a process of its own is killed (SIGKILL) at random moments, and")
    print("begun again with resume=True until it ends; then the next fit. CPU seconds")
    print("of a fit, of one with a checkpoint, and of one that finds all of it there:")
    tables = []
    places = [(name, "memory") for name in args.models]
    for name, source in places + [(name, "disk") for name in _on_disk(args)]:
        model, n_rows = clone(MODELS[name]), 1_000 * _MANY.get(name, _N_ROWS)
        if args.quick:
            model.set_params(**_SMALL.get(name, {}))
            n_rows = 400
        values, labels = _make_data(name, n_rows)
        with tempfile.TemporaryDirectory() as folder:
            X: Any = values
            if source == "disk":
                path = write_rows(Path(folder, "rows.npy"), [values])
                size = -(-n_rows // _N_BLOCKS)
                domain, labels = labels.get("sample_domain"), {}
                X = open_rows(path, domain=domain, block_size=size, scratch=folder)
            found: dict[str, float] = {
                **count_kills(model, X, labels, _n_kills(args), args.seed)
            }
            found |= measure_cost(model, X, labels)
        tables.append(pd.DataFrame([{"model": name, "from": source, **found}]))
        print(tables[-1].to_string(index=False, header=len(tables) == 1), flush=True)
    table = pd.concat(tables, ignore_index=True)
    write_csv(args.output / "kills.csv", table)
    return bool((table["same bits"] == table["fits"]).all())


def _n_kills(args: argparse.Namespace) -> int:
    return args.kills or (2 if args.quick else 100)


def _on_disk(args: argparse.Namespace) -> list[str]:
    return [name for name in _ON_DISK if name in args.models]


def _run_edge(args: argparse.Namespace) -> bool:
    """Print what scoring one row takes on a small device."""
    print("One row on a small device: from a file without numba, and in C.")
    rows = []
    for name in (name for name in _ON_DEVICES if name in args.models):
        model = clone(MODELS[name])
        if args.quick:
            model.set_params(**_SMALL.get(name, {}))
        X, _ = _make_data(name, 400 if args.quick else 1_000 * _N_ROWS)
        rows.append({"model": name, **measure_edge(model.fit(X), X[:200])})
    edge = pd.DataFrame(rows)
    print(edge.to_string(index=False))
    write_csv(args.output / "edge.csv", edge)
    return True


def _run_larger(args: argparse.Namespace) -> bool:
    """Print what fits to a table on disk take, and whether all gave the same bits."""
    print("A table that is not in memory: seconds, resident megabytes after imports")
    print("and at the peak of the fit, held-out nats, and a hash of what was learned:")
    fits: list[dict[str, Any]] = []
    for name in (name for name in LARGER if name in args.models):
        if not args.quick:
            fits += measure_larger(name, args.rows or 10**7)
        elif not fits:
            # Three blocks of one model.
            fits += measure_larger(name, args.rows or 150_000, WAYS_OF[name][:2])
    larger = pd.DataFrame(fits, columns=None if fits else ["model", "from", "bits"])
    print(larger.to_string(index=False, float_format="%.4g"))
    write_csv(args.output / "larger.csv", larger)
    stored = larger[~larger["from"].str.startswith("memory")]
    return bool((stored.groupby("model")["bits"].nunique() == 1).all())


def _run_engines(args: argparse.Namespace) -> bool:
    """Print how fits by processes and clusters end that lose workers."""
    models = _on_disk(args)
    if not models:
        return True
    print(
        "The same from disk by threads, processes and clusters of two workers; of each"
    )
    print("pass a worker is killed (SIGKILL):")
    if args.quick:
        # A dozen are killed.
        found = compare_engines(4_000, 6, models[1:2] or models[:1])
    else:
        found = compare_engines(200_000, _n_kills(args), models)
    rows = list[dict[str, Any]]()
    for row in found:
        rows.append(row)
        shown = pd.DataFrame([row]).to_string(index=False, header=len(rows) == 1)
        print(shown, flush=True)
    engines = pd.DataFrame(rows)
    write_csv(args.output / "engines.csv", engines)
    if not args.quick:
        print(
            "Seconds of Dask beside threads; what it takes more than these and than a"
        )
        print("cluster that does nothing, for each pass and as a share of the fit:")
        overhead = pd.DataFrame(measure_overhead(args.rows or 10**6))
        print(overhead.to_string(index=False, float_format="%.3f"))
        write_csv(args.output / "overhead.csv", overhead)
    return bool((engines["same bits"] == engines["fits"]).all())


def _run_stream(args: argparse.Namespace) -> bool:
    """Print what a stream ends with, and how it finds its way after a drift."""
    print("A stream: one pass beside a fit to all rows, in nats; then a drift, in nats")
    print("that are lost beside a model of the new rows:")
    stream = measure_stream(20_000 if args.quick else 1_000_000)
    drift = measure_drift(1_000 if args.quick else 20_000)
    for name, found in (("stream", stream), ("drift", drift)):
        table = pd.DataFrame([found])
        print(table.to_string(index=False, float_format="%.4g"))
        write_csv(args.output / f"{name}.csv", table)
    return True


def _run_exits(args: argparse.Namespace) -> bool:
    """Print what detectors save whose rows leave early, and what it costs."""
    found: list[dict[str, Any]] = []
    for name in TABLES:
        if reason := DATASETS[name].missing():
            print(f"No early exits on {name}: {reason}.")
            continue
        found += measure_exits(name, 4_000 if args.quick else None)
    if not found:
        return True
    print(
        "Detectors that flag 1 %, rows leaving early for at most 5 % of wrong verdicts"
    )
    print("among as many as are flagged; work and CPU as shares of full scores:")
    table = pd.DataFrame(found)
    print(table.to_string(index=False, float_format="%.4g"))
    write_csv(args.output / "exits.csv", table)
    return True


def _run_ahead(args: argparse.Namespace) -> bool:
    """Print what it brings to look ahead, and what it costs."""
    found: list[dict[str, Any]] = []
    for name in LOOKED_AHEAD:
        if reason := DATASETS[name].missing():
            print(f"No look-ahead on {name}: {reason}.")
            continue
        found += measure_ahead(name, 500 if args.quick else None)
    if not found:
        return True
    print("Stacks whose layers are judged by what those after them gain, in nats:")
    table = pd.DataFrame(found)
    print(table.to_string(index=False, float_format="%.4g"))
    write_csv(args.output / "ahead.csv", table)
    return True


def _run_shrink(args: argparse.Namespace) -> bool:
    """Print what is left of models that are shrunk to a number of bytes."""
    if reason := DATASETS[SHRUNK].missing():
        print(f"Nothing is shrunk on {SHRUNK}: {reason}.")
        return True
    print(
        f"Models of {SHRUNK} that are shrunk to some kilobytes, in nats of test rows:"
    )
    table = pd.DataFrame(measure_shrunk(500 if args.quick else None))
    print(table.to_string(index=False, float_format="%.4g", na_rep="-"))
    write_csv(args.output / "shrunk.csv", table)
    return bool((table["kB"] <= table["most kB"].fillna(np.inf)).all())


_PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "kills": _run_kills,
    "edge": _run_edge,
    "larger": _run_larger,
    "engines": _run_engines,
    "stream": _run_stream,
    "exits": _run_exits,
    "ahead": _run_ahead,
    "shrink": _run_shrink,
}


def count_kills(
    model: Any, X: Any, labels: dict[str, Any], n_kills: int, seed: int
) -> dict[str, int]:
    """Kill fits and let them go on.

    Parameters
    ----------
    model : Destructor
        What is fitted.
    X, labels : ndarray or RowBlocks, and dict
        The data, and what else `fit` takes.
    n_kills, seed : int
        How often to kill, and seed of the moments.

    Returns
    -------
    counts : dict
        Number of fits that ended, of kills, and of fits that ended on the bits of one
        that was never killed.
    """
    fork = multiprocessing.get_context("fork")
    rng = np.random.default_rng(seed)
    # The first compiles what there is to compile.
    clone(model).fit(X, **labels)
    began = perf_counter()
    expected = _bits(clone(model).fit(X, **labels))
    seconds = perf_counter() - began
    counts = dict.fromkeys(("fits", "kills", "same bits"), 0)
    while counts["kills"] < n_kills:
        with tempfile.TemporaryDirectory() as folder:
            has_ended = False
            while not has_ended:
                process = fork.Process(target=_fit_on, args=(model, X, labels, folder))
                process.start()
                if counts["kills"] < n_kills:
                    process.join(rng.uniform(0.0, _LATEST * seconds))
                    process.kill()
                process.join()
                has_ended = process.exitcode != -signal.SIGKILL
                counts["kills"] += not has_ended
            if process.exitcode:
                raise RuntimeError(f"{model} failed in a process of its own.")
            counts["fits"] += 1
            counts["same bits"] += Path(folder, "bits").read_bytes() == expected
    return counts


def measure_cost(model: Any, X: Any, labels: dict[str, Any]) -> dict[str, float]:
    """Return CPU seconds of a fit, of one that writes a checkpoint, and of one that
    finds all of it there; and the files of the checkpoint.
    """
    times = [process_time()]
    with tempfile.TemporaryDirectory() as folder:
        clone(model).fit(X, **labels)
        times.append(process_time())
        for _ in range(2):
            _fit_on(model, X, labels, folder)
            times.append(process_time())
        sizes = [path.stat().st_size for path in Path(folder, "run").iterdir()]
    plain, writes, reads = np.diff(times).round(2).tolist()
    files = {"files": len(sizes), "MB": round(sum(sizes) / 1e6, 2)}
    return {"plain": plain, "writes": writes, "reads": reads, **files}


def _fit_on(model: Any, X: Any, labels: dict[str, Any], folder: str) -> None:
    """Go on with a fit; write down the bits that it ends on."""
    checkpoint = Checkpoint(Path(folder, "run"), every=20, resume=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = clone(model).set_callbacks(checkpoint).fit(X, **labels)
    Path(folder, "bits").write_bytes(_bits(model))


def _bits(model: Any) -> bytes:
    """Return a hash of all that a model has learned."""
    return model.to_density().digest()


def _make_data(name: str, n_rows: int) -> tuple[NDArray, dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=n_rows)
    X = np.c_[x, np.sin(x) + 0.2 * rng.normal(size=n_rows), rng.normal(size=n_rows)]
    if name == "DiscreteTreeFlow":
        return np.clip(np.round(2.0 * X), -3, 6).astype(np.int64), {}
    if name == "AlignmentFlow":
        return X, {"sample_domain": np.arange(n_rows) // 2 % 2}
    return X, {}
