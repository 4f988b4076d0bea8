"""Fit one model on one data set, and measure it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import has_fit_parameter

from benchmarks.registry import Entry
from benchmarks.split import Split
from benchmarks.timing import calls_per_second, time_once

__all__ = ["Result", "evaluate", "evaluate_truth", "warm_up"]

# Rows of the batch on which rows per second are measured.
_N_BATCH = 2000


@dataclass
class Result:
    """What was measured of one model on one data set; NaN where nothing was.

    Attributes
    ----------
    dataset, model, group : str
        What was measured, and the group of the model.
    n_train, n_val, n_test, n_features : int
        Shape of the data.
    log_likelihood, standard_error, median : float
        Mean of the test rows' log densities, its standard error, and their median, in
        nats.
    fit_seconds, fit_cpu_seconds : float
        Wall time, and processor time of all threads together, of the whole fit, which
        includes what is chosen on validation rows.
    score_rows_per_second, sample_rows_per_second : float
        Throughput on a batch of 2,000 rows.
    n_layers : int or None
        Number of layers of a stack.
    size : str
        How large the model became, in words.
    round_trip_q999, round_trip_max : float
        99.9 % quantile and maximum over test rows of the largest coordinate of
        ``|T⁻¹(T(x)) − x|``.
    round_trip_far : float
        Largest error of the test rows × 100, relative to the largest coordinate of the
        row.
    warnings : str
        Warnings that were raised, each once.
    error : str
        Why measuring ended early; empty if it did not.
    """

    dataset: str
    model: str
    group: str
    n_train: int = 0
    n_val: int = 0
    n_test: int = 0
    n_features: int = 0
    log_likelihood: float = nan
    standard_error: float = nan
    median: float = nan
    fit_seconds: float = nan
    fit_cpu_seconds: float = nan
    score_rows_per_second: float = nan
    sample_rows_per_second: float = nan
    n_layers: int | None = None
    size: str = ""
    round_trip_q999: float = nan
    round_trip_max: float = nan
    round_trip_far: float = nan
    warnings: str = ""
    error: str = ""

    @classmethod
    def of(cls, dataset: str, model: str, group: str, data: Split) -> Result:
        """Return a result that knows the shape of the data alone."""
        n_train, n_features = data.train.shape
        sizes = (n_train, len(data.val), len(data.test), n_features)
        return cls(dataset, model, group, *sizes)

    def set_likelihood(self, log_density: NDArray) -> None:
        """Summarise the log densities of the test rows."""
        self.log_likelihood = float(np.mean(log_density))
        self.standard_error = float(
            np.std(log_density, ddof=1) / np.sqrt(len(log_density))
        )
        self.median = float(np.median(log_density))


def evaluate(
    entry: Entry,
    dataset: str,
    data: Split,
    random_state: int,
    max_time: float | None = None,
) -> Result:
    """Return what is measured of a model that is fitted.

    An error is recorded, with all that was measured before it; it is not raised.

    Parameters
    ----------
    entry : Entry
        The model.
    dataset : str
        Name of the data.
    data : Split
        The data.
    random_state : int
        Seed of the fit and of the samples.
    max_time : float, default=None
        Seconds of a fit, for models whose `fit` can be capped so.

    Returns
    -------
    result : Result
    """
    result = Result.of(dataset, entry.name, entry.group, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = entry.make(random_state)
            _measure(result, model, data, random_state, max_time)
        except Exception as error:
            result.error = f"{type(error).__name__}: {error}"
    texts = (f"{w.category.__name__}: {w.message}" for w in caught)
    result.warnings = "; ".join(dict.fromkeys(texts))
    return result


def evaluate_truth(dataset: str, data: Split) -> Result:
    """Return a summary of the test rows' true log densities, which must be known."""
    assert data.truth is not None
    result = Result.of(dataset, "true density", "truth", data)
    result.set_likelihood(data.truth)
    return result


def warm_up(entries: list[Entry]) -> None:
    """Use each model once on a few rows, so that compiled kernels are there."""
    rows = np.random.default_rng(0).standard_normal((300, 3))
    data = Split(rows[:200], rows[200:250], rows[250:])
    for entry in entries:
        evaluate(entry, "warm-up", data, random_state=0)


def _measure(
    result: Result,
    model: Any,
    data: Split,
    random_state: int,
    max_time: float | None,
) -> None:
    """Fill in the result, the most important figures first."""
    offered = {"X_val": data.val if len(data.val) else None, "max_time": max_time}
    taken = {k: v for k, v in offered.items() if has_fit_parameter(model, k)}
    result.fit_seconds, result.fit_cpu_seconds = time_once(
        partial(model.fit, data.train, **taken)
    )
    if hasattr(model, "layers_"):
        result.n_layers = len(model.layers_)
        result.size = f"{result.n_layers} layer" + "s" * (result.n_layers != 1)
    else:
        result.size = getattr(model, "size_", "")

    result.set_likelihood(model.score_samples(data.test))
    batch = np.resize(data.test, (_N_BATCH, result.n_features))
    result.score_rows_per_second = _N_BATCH * calls_per_second(
        partial(model.score_samples, batch)
    )
    result.sample_rows_per_second = _N_BATCH * calls_per_second(
        partial(model.sample, _N_BATCH, random_state=random_state)
    )
    if hasattr(model, "inverse_transform"):
        errors = _round_trip_errors(model, data.test)
        result.round_trip_q999 = float(np.quantile(errors, 0.999))
        result.round_trip_max = float(errors.max())
        far = 100.0 * data.test
        relative = _round_trip_errors(model, far) / np.abs(far).max(axis=1)
        result.round_trip_far = float(relative.max())


def _round_trip_errors(model: Any, X: NDArray) -> NDArray:
    """Return the largest coordinate of ``|T⁻¹(T(x)) − x|`` of each row."""
    return np.abs(model.inverse_transform(model.transform(X)) - X).max(axis=1)
