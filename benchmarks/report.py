"""Results of the density job as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from textwrap import indent

import pandas as pd

from benchmarks.evaluate import Result

__all__ = ["format_line", "format_table"]

# Heading and format of each number in the table.
_NUMBERS = {
    "log_likelihood": ("test nats", ".3f"),
    "standard_error": ("± s.e.", ".3f"),
    "median": ("median", ".3f"),
    "fit_seconds": ("fit s", ".3f"),
    "fit_cpu_seconds": ("CPU s", ".3f"),
    "score_rows_per_second": ("score/s", ",.0f"),
    "sample_rows_per_second": ("sample/s", ",.0f"),
    "round_trip_q999": ("q99.9", ".0e"),
    "round_trip_max": ("max", ".0e"),
    "round_trip_far": ("far", ".0e"),
}

_LEGEND = """\
test nats: mean log density of the test rows, with its standard error and their median.
fit s, CPU s: wall time of the fit, choices on validation rows included, and processor
time of all its threads. score/s, sample/s: rows per second.
q99.9, max: 99.9 % quantile and maximum of |T⁻¹(T(x)) - x| over test rows; far: largest
relative error on test rows × 100."""


def format_line(result: Result) -> str:
    """Return the outcome of one model in a few words."""
    if result.error:
        return f"FAILED: {result.error}"
    return (
        f"{result.log_likelihood:.3f} ± {result.standard_error:.3f} nats, "
        f"fit {result.fit_seconds:.2f} s" + (f", {result.size}" if result.size else "")
    )


def format_table(results: Sequence[Result]) -> str:
    """Return all results, by data set, best test log-likelihood first."""
    parts = []
    for dataset, group in pd.DataFrame(results).groupby("dataset", sort=False):
        group = group.sort_values(
            "log_likelihood",
            # What is infinite is no better than what failed.
            key=lambda column: column.replace(inf, -inf),
            ascending=False,
            kind="stable",
        )
        rows = list(group.itertuples())
        parts += [
            f"{dataset}: {rows[0].n_train:,} train, {rows[0].n_val:,} validation, "
            f"{rows[0].n_test:,} test rows × {rows[0].n_features}",
            indent(_format_group(group), "  "),
            *(f"    {row.model} FAILED: {row.error}" for row in rows if row.error),
            *(
                f"    {row.model} warned: {row.warnings}"
                for row in rows
                if row.warnings
            ),
            "",
        ]
    return "\n".join([*parts, _LEGEND])


def _format_group(group: pd.DataFrame) -> str:
    headings = {field: heading for field, (heading, _) in _NUMBERS.items()}
    table = group.set_index("model")[[*_NUMBERS, "size"]].rename(columns=headings)
    return table.rename_axis(index=None, columns="model").to_string(
        formatters={heading: _number(spec) for heading, spec in _NUMBERS.values()},
        na_rep="-",
    )


def _number(spec: str) -> Callable[[float], str]:
    return lambda value: format(value, spec) if isfinite(value) else "-"
