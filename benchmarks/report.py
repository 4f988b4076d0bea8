"""Results as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.evaluate import Result

__all__ = [
    "describe_environment",
    "format_line",
    "format_table",
    "write_json",
    "write_results",
]


# ------------------------------------------------------------------ text


def _number(value: float, spec: str) -> str:
    return format(value, spec) if isfinite(value) else "-"


# Heading, width (negative: flush left) and text of each column of the table.
_COLUMNS: list[tuple[str, int, Callable[[Result], str]]] = [
    ("model", -17, lambda r: r.model),
    ("test nats", 9, lambda r: _number(r.log_likelihood, ".3f")),
    ("± s.e.", 6, lambda r: _number(r.standard_error, ".3f")),
    ("median", 8, lambda r: _number(r.median, ".3f")),
    ("fit s", 8, lambda r: _number(r.fit_seconds, ".3f")),
    ("CPU s", 8, lambda r: _number(r.fit_cpu_seconds, ".3f")),
    ("score/s", 9, lambda r: _number(r.score_rows_per_second, ",.0f")),
    ("sample/s", 9, lambda r: _number(r.sample_rows_per_second, ",.0f")),
    ("q99.9", 7, lambda r: _number(r.round_trip_q999, ".0e")),
    ("max", 7, lambda r: _number(r.round_trip_max, ".0e")),
    ("far", 7, lambda r: _number(r.round_trip_far, ".0e")),
    ("size", -1, lambda r: r.size),
]

_LEGEND = """\
test nats: mean log density of the test rows, with its standard error and their median.
fit s, CPU s: wall time of the fit, choices on validation rows included, and processor
time of all its threads. score/s, sample/s: rows per second.
q99.9, max: 99.9 % quantile and maximum of |T⁻¹(T(x)) - x| over test rows; far: largest
relative error on test rows × 100."""


def _row(texts: Sequence[str]) -> str:
    cells = (
        text.ljust(-width) if width < 0 else text.rjust(width)
        for text, (_, width, _) in zip(texts, _COLUMNS, strict=True)
    )
    return "  ".join(cells).rstrip()


def format_line(result: Result) -> str:
    """Give the outcome of one model in a few words."""
    if result.error:
        return f"FAILED: {result.error}"
    return (
        f"{result.log_likelihood:.3f} ± {result.standard_error:.3f} nats, "
        f"fit {result.fit_seconds:.2f} s" + (f", {result.size}" if result.size else "")
    )


def format_table(results: Sequence[Result]) -> str:
    """Give all results, by data set, best test log-likelihood first."""
    lines = []
    for dataset, group in groupby(results, key=lambda r: r.dataset):
        rows = sorted(group, key=lambda r: _rank(r.log_likelihood), reverse=True)
        lines.append(
            f"{dataset}: {rows[0].n_train:,} train, {rows[0].n_val:,} validation, "
            f"{rows[0].n_test:,} test rows × {rows[0].n_features}"
        )
        lines.append("  " + _row([heading for heading, _, _ in _COLUMNS]))
        for result in rows:
            lines.append("  " + _row([text(result) for _, _, text in _COLUMNS]))
        lines += [f"    {r.model} FAILED: {r.error}" for r in rows if r.error]
        lines += [f"    {r.model} warned: {r.warnings}" for r in rows if r.warnings]
        lines.append("")
    return "\n".join([*lines, _LEGEND])


def _rank(value: float) -> float:
    return value if isfinite(value) else -float("inf")


# ------------------------------------------------------------------ files


def write_results(
    folder: Path, name: str, results: Sequence[Result], about: dict[str, Any]
) -> None:
    """Write ``name.csv`` and ``name.json``.

    Parameters
    ----------
    folder : Path
        Where to; made if it is not there.
    name : str
        Name of the job.
    results : sequence of Result
        All results so far.
    about : dict
        What else the JSON file holds beside the results.
    """
    rows = [asdict(result) for result in results]
    table = io.StringIO()
    writer = csv.DictWriter(table, [field.name for field in fields(Result)])
    writer.writeheader()
    writer.writerows(rows)
    _replace(folder / f"{name}.csv", table.getvalue())
    for row in rows:
        # JSON knows neither NaN nor infinity.
        row.update({k: None for k, v in row.items() if _is_lost(v)})
    write_json(folder / f"{name}.json", {**about, "results": rows})


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file, and the folder it is in."""
    _replace(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def _is_lost(value: Any) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _replace(path: Path, text: str) -> None:
    """Write a file so that an interrupt leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="")
    os.replace(part, path)


def describe_environment(n_threads: int) -> dict[str, Any]:
    """Tell on what machine and with what versions the figures are made."""
    own = ["destructors", "numpy", "scipy", "scikit-learn", "numba", "joblib"]
    names = [*own, "torch", "zuko"]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "n_cpus": os.cpu_count(),
        "n_threads": n_threads,
        "versions": {name: _version(name) for name in names},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.split(":", 1)[1] for line in lines if line.startswith("model name"))
    return next(models, platform.processor()).strip()
