"""Localized learning: fits whose process is killed (SIGKILL) go on to the same bits."""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.files import write_csv
from destructors import RBIG, AlignmentFlow, DiscreteTreeFlow, GaussianCopula, TreeFlow
from destructors.callbacks import Checkpoint
from destructors.mixture import GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor

__all__ = ["MODELS", "add_arguments", "count_kills", "run"]

# Rows that make layers take a while, in thousands, where that is not the default.
_N_ROWS, _MANY = 3, {"RBIG": 30, "GaussianCopula": 100, "BoostedTrees": 10}
# A kill comes so many times the seconds of a fit after its beginning at most.
_LATEST = 1.5

MODELS: dict[str, Callable[[], Any]] = {
    "RBIG": lambda: RBIG(random_state=0),
    "TreeFlow": lambda: TreeFlow(random_state=0),
    "GaussianCopula": lambda: GaussianCopula(),
    "GaussianMixture": lambda: GaussianMixtureDestructor(random_state=0),
    "BoostedTrees": lambda: BoostedTreeDestructor(random_state=0),
    "AlignmentFlow": lambda: AlignmentFlow(random_state=0),
    "DiscreteTreeFlow": lambda: DiscreteTreeFlow(random_state=0),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="2 kills: only a try")
    parser.add_argument("--kills", type=int, default=100, help="of each model")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=list(MODELS),
        default=list(MODELS),
        metavar="NAME",
        help=f"of {', '.join(MODELS)}",
    )


def run(args: argparse.Namespace) -> int:
    """Print how many fits were killed, and how many ended on the same bits."""
    n_kills = 2 if args.quick else args.kills
    print("A fit in a process of its own is killed (SIGKILL) at random moments, and")
    print("begun again with resume=True until it ends; then the next fit.")
    tables = []
    for name in args.models:
        n_rows = 400 if args.quick else 1_000 * _MANY.get(name, _N_ROWS)
        tables.append(count_kills(name, n_rows, n_kills, args.seed))
        print(tables[-1].to_string(index=False), flush=True)
    table = pd.concat(tables, ignore_index=True)
    write_csv(args.output / "kills.csv", table)
    print(f"The table is in {args.output / 'kills.csv'}.")
    return int((table["same bits"] < table["fits"]).any())


def count_kills(name: str, n_rows: int, n_kills: int, seed: int) -> pd.DataFrame:
    """Kill fits and let them go on.

    Parameters
    ----------
    name : str
        Of a model.
    n_rows, n_kills, seed : int
        Rows to fit to, how often to kill, and seed of the moments.

    Returns
    -------
    row : DataFrame
        Number of fits that ended, of kills, and of fits that ended on the bits of one
        that was never killed; CPU seconds of a fit, of one with a checkpoint, and of
        one more that goes on from a finished one; files and bytes of a checkpoint.
    """
    X, labels = _make_data(name, n_rows)
    fork = multiprocessing.get_context("fork")
    rng = np.random.default_rng(seed)
    MODELS[name]().fit(X, **labels)
    model, began, clock = MODELS[name](), perf_counter(), process_time()
    expected = _bits(model.fit(X, **labels))
    seconds, cpu = perf_counter() - began, process_time() - clock
    found = dict.fromkeys(("fits", "kills", "same bits"), 0)
    while found["kills"] < n_kills:
        with tempfile.TemporaryDirectory() as folder:
            arguments = (name, X, labels, folder)
            ended = False
            while not ended:
                process = fork.Process(target=_fit_on, args=arguments)
                process.start()
                process.join(rng.uniform(0.0, _LATEST * seconds))
                # The last one that is needed may end.
                ended = process.exitcode is not None or found["kills"] == n_kills
                if not ended:
                    process.kill()
                    found["kills"] += 1
                process.join()
            if process.exitcode:
                raise RuntimeError(f"{name} failed in a process of its own.")
            found["fits"] += 1
            bits = Path(folder, "bits").read_bytes()
            found["same bits"] += bits == expected
    with tempfile.TemporaryDirectory() as folder:
        clocks = [process_time()]
        for _ in range(2):
            _fit_on(name, X, labels, folder)
            clocks.append(process_time())
        sizes = [path.stat().st_size for path in Path(folder, "run").iterdir()]
    times = np.round([cpu, *np.diff(clocks)], 2)
    costs = dict(zip(("s", "s kept", "s again"), times.tolist(), strict=True))
    files = {"files": len(sizes), "MB": round(sum(sizes) / 1e6, 2)}
    return pd.DataFrame([{"model": name, **found, **costs, **files}])


def _fit_on(name: str, X: NDArray, labels: dict[str, Any], folder: str) -> None:
    """Go on with a fit; write down the bits that it ends on."""
    checkpoint = Checkpoint(Path(folder, "run"), every=20, resume=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MODELS[name]().set_callbacks(checkpoint).fit(X, **labels)
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
