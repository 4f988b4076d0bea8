"""Samples: how well boosted trees tell drawn rows from test rows.

Where they cannot be told apart, the area under ROC is 0.5. The trees are scikit-learn's
boosting of histograms, over five folds, on as many drawn rows as there are test rows.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import has_fit_parameter

from benchmarks.datasets import DATASETS
from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.models import MODELS
from benchmarks.registry import ChoiceError, choose_names
from benchmarks.split import Split
from benchmarks.tables_synthetic import two_sample_area
from benchmarks.timing import time_once
from destructors.command._arguments import count

__all__ = ["add_arguments", "measure", "run"]

_SETS = ("satellite", "magic", "protein", "shuttle")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--datasets", nargs="+", metavar="NAME", default=list(_SETS))
    parser.add_argument("--models", nargs="+", metavar="NAME", default=["tree-flow"])
    parser.add_argument(
        "--draws", type=count, default=5, metavar="N", help="samples of each model"
    )


def run(args: argparse.Namespace) -> int:
    """Print a table, and write ``samples.json``."""
    sets = choose_names(DATASETS, args.datasets)
    models = choose_names(MODELS, args.models)
    for entry in [*map(DATASETS.get, sets), *map(MODELS.get, models)]:
        if entry is not None and (missing := entry.missing()):
            raise ChoiceError(f"{entry.name} {missing}.")
    results: list[dict[str, Any]] = []
    for name in sets:
        data = DATASETS[name].make()
        for model in models:
            case = {"set": name, "model": model}
            found = measure(MODELS[model].make(0), data, args.draws)
            results.append(case | found)
            print(results[-1], flush=True)
            write_json(
                args.output / "samples.json",
                {"environment": describe_environment(), "results": results},
            )
    table = pd.DataFrame(results).set_index(["set", "model"])
    print(f"\n{table.to_string(float_format='{:.3f}'.format)}\n")
    print("area: mean over draws; s.d.: among them; floor: of validation rows instead.")
    return 0


def measure(model: Any, data: Split, n_draws: int) -> dict[str, float]:
    """Fit as the main job does, and tell samples from test rows.

    Parameters
    ----------
    model : Destructor
        Not fitted yet.
    data : Split
        The rows.
    n_draws : int
        Number of samples.

    Returns
    -------
    found : dict
        Mean and standard deviation of the area, test nats, CPU seconds of the fit, and
        the area of validation rows in the place of drawn ones, which is chance.
    """
    offered = {"X_val": data.val} if len(data.val) else {}
    taken = {k: v for k, v in offered.items() if has_fit_parameter(model, k)}
    seconds = time_once(partial(model.fit, data.train, **taken))
    no_category = np.zeros(data.test.shape[1], dtype=bool)
    areas = [
        two_sample_area(
            model.sample(len(data.test), random_state=seed), data.test, no_category
        )
        for seed in range(n_draws)
    ]
    held_out = data.val if len(data.val) else data.train
    return {
        "area": float(np.mean(areas)),
        "s.d.": float(np.std(areas)),
        "floor": two_sample_area(held_out, data.test, no_category),
        "test nats": float(model.score(data.test)),
        "CPU s": seconds.cpu,
        "test rows": len(data.test),
    }
