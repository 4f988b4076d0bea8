"""Density estimation: test log-likelihood and cost of each model on each data set."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.datasets import DATASETS, QUICK
from benchmarks.environment import describe_environment
from benchmarks.evaluate import Result, evaluate, evaluate_truth, warm_up
from benchmarks.files import write_csv, write_json
from benchmarks.models import MODELS
from benchmarks.own import from_files, from_folder, model_by_path
from benchmarks.plot import plot_density
from benchmarks.registry import ChoiceError, Entry, by_name, choose
from benchmarks.report import format_line, format_table
from benchmarks.timing import time_once
from destructors.command._arguments import count, seconds, seed

__all__ = ["add_arguments", "run"]

_QUICK_ROWS = 1000
_PEERS = [entry.name for entry in MODELS.values() if entry.group == "neural"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--datasets", nargs="+", metavar="NAME", help="data sets (default: all here)"
    )
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="tables of your own: CSV, Parquet, .npy or .npz; these alone, unless "
        "--datasets names others",
    )
    parser.add_argument(
        "--target",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of these tables that are no features, such as a label",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="models (default: all but the neural flows); package.module:Class names "
        "one of your own",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help=f"{', '.join(_PEERS)} as well: neural flows, which train for minutes and "
        "more a data set and need the extra 'bench'",
    )
    parser.add_argument(
        "--max-time",
        type=seconds,
        metavar="SECONDS",
        help="cap on each fit of a neural flow, told in the table where it is hit "
        "(default: none)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{', '.join(QUICK)} unless --datasets says otherwise, "
        f"{_QUICK_ROWS:,} training rows at most",
    )
    parser.add_argument(
        "--random-state",
        type=seed,
        default=0,
        metavar="SEED",
        help="seed of the models",
    )
    parser.add_argument(
        "--threads",
        type=count,
        default=1,
        metavar="N",
        help="threads of BLAS, OpenMP and PyTorch (default 1: wall and CPU seconds "
        "then agree)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the results that are there, measured with equal arguments",
    )
    parser.add_argument("--list", action="store_true", help="list names and end")


def run(args: argparse.Namespace) -> int:
    """Run the job; return the exit code: 1 if something failed.

    Raises
    ------
    ChoiceError
        If a data set or model is asked for that does not exist or cannot run here.
    """
    sets = {**DATASETS, **by_name(from_folder(DATASETS))}
    if args.list:
        _list("data sets", sets)
        _list("models", MODELS)
        return 0
    own = by_name(from_files(args.data, args.target))
    known = {**MODELS, **by_name([model_by_path(m) for m in _paths(args.models)])}
    names = args.datasets
    if own:
        names = [*own, *(names or [])]
    elif args.quick and not names:
        names = QUICK
    datasets, no_data = choose({**sets, **own}, names)
    models, no_models = choose(known, args.models, also=_PEERS if args.peers else [])
    for entry in [*no_data, *no_models]:
        print(f"{entry.name} is left out: it {entry.missing()}.")
    about = {
        "environment": describe_environment(args.threads),
        "arguments": {
            "quick": args.quick,
            "random_state": args.random_state,
            "max_time": args.max_time,
            "target": args.target,
        },
    }
    if any(entry.group == "neural" for entry in models):
        # It is imported late, and the limit below binds only what is there by then.
        import torch

        torch.set_num_threads(args.threads)
    results = _read_results(args.output, about["arguments"]) if args.resume else []
    with threadpool_limits(args.threads):
        try:
            _evaluate_all(datasets, models, args, results, about)
        except KeyboardInterrupt:
            print("\nInterrupted: what is below was measured before.")
            return 130
        finally:
            if results:
                print(f"\n{format_table(results)}\n")
                print(f"Results are in {args.output / 'density'}.csv and .json.")
                path = args.output / "density.png"
                plot_density(results, path)
                print(f"The figure is {path}.")
    failed = [f"{r.model} on {r.dataset}" for r in results if r.error]
    if failed:
        print(f"{len(failed)} failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _evaluate_all(
    datasets: list[Entry],
    models: list[Entry],
    args: argparse.Namespace,
    results: list[Result],
    about: dict[str, Any],
) -> None:
    """Append a result for each model and data set; write the files after each."""

    def keep(result: Result) -> None:
        results.append(result)
        _write(args.output, results, about)

    print(f"Threads of BLAS and OpenMP: {args.threads}.")
    print("Warm-up, so that no compilation is timed ...", end=" ", flush=True)
    print(f"{time_once(partial(warm_up, models)).wall:.1f} s")
    n_done = 0
    for dataset in datasets:
        try:
            data = dataset.make()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            print(f"{dataset.name} FAILED to load: {reason}")
            keep(Result(dataset.name, "(data)", dataset.group, error=reason))
            continue
        if args.quick:
            data = data.head(_QUICK_ROWS)
        done = {r.model for r in results if r.dataset == dataset.name}
        if data.truth is not None and "true density" not in done:
            keep(evaluate_truth(dataset.name, data))
        for model in models:
            n_done += 1
            if model.name in done:
                continue
            place = f"[{n_done}/{len(datasets) * len(models)}]"
            print(f"{place} {dataset.name}, {model.name} ...", end=" ", flush=True)
            result = evaluate(
                model, dataset.name, data, args.random_state, args.max_time
            )
            print(format_line(result), flush=True)
            keep(result)


def _write(folder: Path, results: list[Result], about: dict[str, Any]) -> None:
    # A number of layers that is missing must not make floats of the others.
    table = pd.DataFrame(results).astype({"n_layers": "Int64"})
    write_csv(folder / "density.csv", table)
    rows = [asdict(result) for result in results]
    write_json(folder / "density.json", {**about, "results": rows})


def _read_results(folder: Path, arguments: dict[str, Any]) -> list[Result]:
    """Return what was measured before with equal arguments, errors left out."""
    path = folder / "density.json"
    if not path.is_file():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("arguments") != arguments:
        raise ChoiceError(
            f"{path} was measured with {document.get('arguments')}, not with "
            f"{arguments}: give --output another folder, or leave out --resume."
        )
    found = []
    for row in document["results"]:
        if not row["error"]:
            known = {key: value for key, value in row.items() if value is not None}
            found.append(Result(**known))
    return found


def _paths(models: list[str] | None) -> list[str]:
    return [name for name in models or () if ":" in name]


def _list(title: str, entries: dict[str, Entry]) -> None:
    print(f"{title}:")
    width = max(map(len, entries))
    for entry in entries.values():
        missing = f" ({entry.missing()})" if entry.missing() else ""
        print(f"  {entry.name:<{width}}  {entry.about}{missing}")
