"""Outliers: area under ROC, false alarms and seconds, beside other detectors.

Fifteen sets of ADBench in the folder that DESTRUCTORS_DATA names. Of each at most
10,000 rows are drawn. "normal": half of the normal rows are fitted on; the other half
and all anomalies are scored; detectors that can be told (``novelty``) are told so.
"all": all rows are fitted on, without labels, and scored.
Columns have mean 0 and variance 1 over the rows of the fit.

Areas are those of one split. A rate of false alarms that is counted on a hundred rows
is mostly chance, so ``--splits`` counts it in more of them, each of other halves.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchmarks.anomaly_detectors import DETECTORS
from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import ChoiceError, choose_names
from benchmarks.timing import time_once
from destructors.command._arguments import count, seed
from destructors.datasets import load_anomaly
from destructors.datasets._loaders import find_local

__all__ = ["MODES", "SETS", "add_arguments", "measure", "run"]

SETS = (
    "Ionosphere",
    "Pima",
    "Waveform",
    "Wilt",
    "annthyroid",
    "breastw",
    "cardio",
    "landsat",
    "magic.gamma",
    "mammography",
    "pendigits",
    "satimage-2",
    "shuttle",
    "thyroid",
    "vowels",
)
MODES = ("normal", "all")
# Share of rows that detectors with a threshold are told to flag.
_CONTAMINATION = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="three small sets")
    parser.add_argument("--datasets", nargs="+", metavar="NAME", help="of these alone")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="of these alone")
    parser.add_argument("--modes", nargs="+", metavar="NAME", help="normal, all")
    parser.add_argument(
        "--max-rows", type=count, default=10_000, metavar="N", help="rows of a set"
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="of the first split"
    )
    parser.add_argument(
        "--splits",
        type=count,
        default=1,
        metavar="N",
        help="to count false alarms in; areas are those of the first",
    )


def run(args: argparse.Namespace) -> int:
    """Print tables and write ``anomaly.json``; what is there already is not done again.

    A result is known by its set, model, mode, seed and number of rows.
    """
    if args.max_rows < 100:
        raise ChoiceError(f"--max-rows must be at least 100, got {args.max_rows}.")
    sets = choose_names(SETS, args.datasets)
    if args.quick:
        sets = [name for name in sets if name in ("Ionosphere", "breastw", "vowels")]
    missing = [name for name in sets if not find_local(f"anomaly/{name}.npz")]
    if missing or not sets:
        raise ChoiceError(
            f"DESTRUCTORS_DATA must name a folder with anomaly/NAME.npz for {missing}."
        )
    models = choose_names(DETECTORS, args.models)
    modes = choose_names(MODES, args.modes)
    path = args.output / "anomaly.json"
    results = json.loads(path.read_text())["results"] if path.exists() else []
    done = {_key(result) for result in results}
    seeds = range(args.seed, args.seed + args.splits)
    for name, mode, model in itertools.product(sets, modes, models):
        for number in seeds:
            case: dict[str, Any] = {"set": name, "model": model, "mode": mode}
            case |= {"seed": number, "max_rows": args.max_rows}
            further = number > args.seed
            if _key(case) in done or (further and not _has_alarms(model, mode)):
                continue
            data = split(name, mode, args.max_rows, number)
            results.append(case | measure(DETECTORS[model], *data))
            print(results[-1], flush=True)
            environment = describe_environment()
            write_json(path, {"environment": environment, "results": results})
    table = pd.DataFrame(results)
    table = table[(table.max_rows == args.max_rows) & table.seed.isin(seeds)]
    table = table[table.model.isin(models) & table["set"].isin(sets)]
    for mode in modes:
        own = table[table["mode"] == mode]
        print(f"\nFitted on {mode} rows: area under ROC, in hundredths\n")
        print(format_areas(own[own.seed == args.seed]))
        for model, alarms in own.dropna(subset="false_alarms").groupby("model"):
            print(f"\n{model}: false alarms at {_CONTAMINATION}, in hundredths\n")
            print(format_alarms(alarms))
    print(f"\nThe figures are in {path}.")
    return 0


def _key(case: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(case[key] for key in ("set", "model", "mode", "seed", "max_rows"))


def _has_alarms(model: str, mode: str) -> bool:
    """Return whether a detector has a threshold, and there are rows to count it on."""
    made = DETECTORS[model](
        contamination=_CONTAMINATION, novelty=mode == "normal", random_state=0
    )
    return mode == "normal" and hasattr(made, "predict")


def split(
    name: str, mode: str, max_rows: int, seed: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Return training rows, test rows, which of these are anomalies, and normal rows
    that were held out (of "all", none).
    """
    data, rng = load_anomaly(name), np.random.default_rng(seed)
    X, y = data.data, data.target
    if len(X) > max_rows:
        chosen = rng.choice(len(X), max_rows, replace=False)
        X, y = X[chosen], y[chosen]
    if mode == "all":
        Z = StandardScaler().fit_transform(X)
        return Z, Z, y, Z[:0]
    normal = rng.permutation(np.flatnonzero(y == 0))
    train, held_out = np.split(normal, [len(normal) // 2])
    scaler = StandardScaler().fit(X[train])
    test = np.concatenate([held_out, np.flatnonzero(y == 1)])
    Z = scaler.transform(X)
    return Z[train], Z[test], y[test], Z[held_out]


def measure(
    make: Callable[..., Any],
    train: NDArray,
    test: NDArray,
    is_anomaly: NDArray,
    normal: NDArray,
) -> dict[str, float]:
    """Return area, false alarms at 0.05 where there is a threshold, and CPU seconds."""
    novelty = train is not test
    model = make(contamination=_CONTAMINATION, novelty=novelty, random_state=0)
    scores: list[NDArray] = []

    def work() -> None:
        model.fit(train)
        same = not novelty and hasattr(model, "score_training")
        scores.append(model.score_training() if same else model.score_samples(test))

    seconds = time_once(work)
    alarms = np.nan
    if len(normal) and hasattr(model, "predict"):
        alarms = float(np.mean(model.predict(normal) == -1))
    return {
        "area": 100.0 * float(roc_auc_score(is_anomaly, -scores[0])),
        "false_alarms": alarms,
        "cpu_seconds": seconds.cpu,
    }


def format_areas(results: pd.DataFrame) -> str:
    """Return areas by set and model, with mean, mean rank and seconds."""
    area = results.pivot(index="set", columns="model", values="area")
    area = area[[name for name in DETECTORS if name in area]]
    complete = area.dropna()
    summary = pd.DataFrame(
        {
            "mean": complete.mean(),
            "mean rank": complete.rank(axis=1, ascending=False).mean(),
            "CPU s": results.groupby("model")["cpu_seconds"].sum(),
        }
    ).T[area.columns]
    text = f"{area.to_string(float_format='{:.1f}'.format, na_rep='-')}\n\n"
    return text + summary.to_string(float_format="{:.2f}".format, na_rep="-")


def format_alarms(results: pd.DataFrame) -> str:
    """Return rates of false alarms of one model by set: of the first split, and the
    mean over splits with its standard error.

    Given the rows of a set its splits are drawn independently, so the error is that of
    the rate which halves of these rows have on average.
    """
    rates = results.sort_values("seed").groupby("set")["false_alarms"]
    table = pd.DataFrame({"first split": 100.0 * rates.first()})
    if (rates.size() > 1).any():
        table["mean"] = 100.0 * rates.mean()
        table["standard error"] = 100.0 * rates.sem()
        table["splits"] = rates.size()
    text = table.to_string(float_format="{:.2f}".format, na_rep="-") + "\n"
    for name in table.columns.intersection(["first split", "mean"]):
        n_kept = int(table[name].between(4.0, 6.0).sum())
        text += f"\n{name}: {n_kept} of {len(table)} sets between 4 and 6"
        text += f", on average {table[name].mean():.2f}"
    return text
