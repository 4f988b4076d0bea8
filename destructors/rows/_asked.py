"""What is asked of each block of rows that are not in memory."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.rows._passes import Step
from destructors.rows._points import QuantilePoints
from destructors.rows._rows import Rows
from destructors.rows._scratch import ScratchBlocks


def share_of_score(rows: Rows, base: Any, total: float) -> float:
    log_density = base.logpdf(rows.values) + rows.log_det
    return float(log_density @ (rows.weights / total))


def points_of_columns(rows: Rows) -> tuple[QuantilePoints, ...]:
    return tuple(QuantilePoints.of(column, rows.weight) for column in rows.values.T)


def write_after(
    rows: Rows, place: int, step: Step, cache: ScratchBlocks
) -> tuple[NDArray, NDArray]:
    rows = step(rows)
    cache.write(place, rows)
    return rows.extremes


def extremes(rows: Rows) -> tuple[NDArray, NDArray]:
    return rows.extremes


def itself(rows: Rows) -> Rows:
    return rows


def total(rows: Rows) -> float:
    return rows.total


def count(rows: Rows, test: Callable[[Rows], NDArray]) -> int:
    return int(test(rows).sum())


def take(rows: Rows, test: Callable[..., NDArray], *state: Any) -> Rows:
    return rows.take(test(rows, *state))


def join(ends: Iterable[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    """Return extremes of columns from those of blocks."""
    smallest, largest = zip(*ends, strict=True)
    return np.fmin.reduce(smallest), np.fmax.reduce(largest)
