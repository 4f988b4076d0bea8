"""What is odd about data, and what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from destructors.inspection._table import as_html, as_text
from destructors.maps import _column
from destructors.marginal import Dequantizer
from destructors.table import check_table

# Interquartile range of the standard normal.
_NORMAL_IQR = 1.349
# Robust standard deviations beyond which a tail is called heavy: the largest of ten
# thousand exponential rows is at 11.
_HEAVY = 15.0
# Distance from all other values, in their ranges without the outer twentieths, beyond
# which a repeated value at the end stands for something else.
_APART = 1.0
# Share of the rows that equal others above which it is told.
_COPIES = 0.01
# A direction in which standardised columns have a smaller share of the variance is a
# linear relation.
_COLLINEAR = 1e-10


@dataclass(frozen=True)
class Finding:
    """Something odd about a table.

    Parameters
    ----------
    columns : tuple
        Names of the columns, or their numbers; empty for the table as a whole.
    kind : str
        What it is, in a word or two.
    detail : str
        How much of it there is.
    advice : str
        What to do.
    """

    columns: tuple[Any, ...]
    kind: str
    detail: str
    advice: str


@dataclass(frozen=True)
class Description:
    """What is odd about a table. It prints as a table, one line a finding.

    Parameters
    ----------
    n_samples, n_features : int
        Size of the table.
    findings : tuple of Finding
        What was found, by column.
    """

    n_samples: int
    n_features: int
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def of_kind(self, kind: str) -> list[Finding]:
        """Return the findings of a kind.

        Parameters
        ----------
        kind : str
            Such as "constant".

        Returns
        -------
        findings : list of Finding
        """
        return [finding for finding in self.findings if finding.kind == kind]

    def _cells(self) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = [("columns", "what", "how much", "what to do")]
        for finding in self.findings:
            shown = ", ".join(map(str, finding.columns[:6]))
            shown += ", …" * (len(finding.columns) > 6)
            cells.append(
                (shown or "(rows)", finding.kind, finding.detail, finding.advice)
            )
        return cells

    def __str__(self) -> str:
        size = f"{self.n_samples:,} rows of {self.n_features} columns"
        if not self.findings:
            return f"{size}: nothing odd."
        return as_text(size, self._cells())

    def _repr_html_(self) -> str:
        size = f"{self.n_samples:,} rows of {self.n_features} columns"
        return as_html(size, self._cells())


def describe(X: ArrayLike) -> Description:
    """Say what is odd about data before a density is fitted to them.

    A density piles up likelihood where values repeat or columns follow from each other,
    and learns little else. Looked for are missing values, categories, constants,
    lattices (integers, decimals), repeated values such as the zeros of a zero-inflated
    column, values at an end that stand for something else, heavy tails, equal rows,
    duplicated and collinear columns.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_samples, n_features)
        The table. It may have missing values, and columns that are no numbers.

    Returns
    -------
    description : Description
        The findings. It prints as a table, with what to do.

    Raises
    ------
    ValueError, TypeError
        If it is no table of two rows at least.

    See Also
    --------
    destructors.marginal.Dequantizer : Makes discrete columns continuous.
    destructors.compose.CategoryDequantizer : The same for categories.

    Examples
    --------
    >>> import numpy as np
    >>> import destructors
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=300)
    >>> rain = np.where(x < 0, 0.0, rng.exponential(size=300))
    >>> found = destructors.describe(np.c_[x, rng.poisson(3.0, 300), rain, 2.0 * x])
    >>> for finding in found:
    ...     print(finding.columns, finding.kind, "-", finding.detail)
    (1,) lattice - 9 values, multiples of 1
    (2,) repeated value - 0 in 53.3 % of the rows
    (0, 3) duplicated - the same up to shift and scale
    """
    table = check_table(None, X, fewest=2)
    names = _column.names_of(table)
    findings: list[Finding] = []
    numbers: dict[Any, NDArray] = {}
    for name, part in zip(names, _column.columns_of(table), strict=True):
        found, values = _describe_column(name, part)
        findings += found
        if values is not None:
            numbers[name] = values
    if numbers:
        findings += _describe_together(list(numbers), np.stack([*numbers.values()], 1))
    return Description(len(table), len(names), tuple(findings))


# ---------------------------------------------------------------------- one column


def _describe_column(name: Any, part: Any) -> tuple[list[Finding], NDArray | None]:
    """Return what is odd about a column, and its numbers if all of them are there."""
    values, place = _column.read_values(part)
    n_samples = len(values) if place is None else len(place)
    here = np.arange(n_samples) if place is None else place
    missing = here < 0
    if values.dtype.kind not in "biuf":
        n_values = len(values if place is None else np.unique(here[~missing]))
        advice = "CategoryDequantizer, or the columns of a DiscreteTreeFlow"
        found = [Finding((name,), "no numbers", f"{n_values:,} values", advice)]
        return found + _missing(name, missing), None
    rows = np.where(missing, np.nan, np.asarray(values, float)[np.maximum(here, 0)])
    finite = np.isfinite(rows)
    found = _missing(name, ~finite)
    there = rows[finite]
    distinct, counts = np.unique(there, return_counts=True)
    if len(distinct) < 2:
        if len(distinct):
            advice = "drop it: it says nothing, and its density has no bound"
            found.append(
                Finding((name,), "constant", f"always {distinct[0]:g}", advice)
            )
        return found, None
    sentinels = _sentinels(distinct, counts)
    for value in sentinels:
        found.append(
            Finding(
                (name,),
                "sentinel",
                f"{value:g} in {_percent(counts[distinct == value][0] / len(there))}, "
                "far from the others",
                "if it stands for a missing value, say so in a column of its own",
            )
        )
    ordinary = ~np.isin(there, sentinels)
    found += _point_masses(name, there[ordinary])
    found += _tails(name, there[ordinary])
    return found, rows if finite.all() else None


def _missing(name: Any, missing: NDArray) -> list[Finding]:
    if not missing.any():
        return []
    advice = "drop such rows, or impute; destructors take finite numbers only"
    share = _percent(float(missing.mean()))
    return [Finding((name,), "missing or infinite", share, advice)]


def _sentinels(values: NDArray, counts: NDArray) -> NDArray:
    """Return repeated values at the ends that are far from all others."""
    total = counts.sum()
    share = np.cumsum(counts) / total
    # Of the largest numbers no difference is infinite.
    units = values / np.abs(values).max()
    low, high = np.interp([0.05, 0.95], share, units)
    found = []
    for end, gap in (
        (0, units[1] - units[0]),
        (-1, units[-1] - units[-2]),
    ):
        inner = np.delete(units, end)
        spread = min(high - low, np.ptp(inner)) or 1.0
        if len(inner) > 9 and counts[end] >= 5 and gap > _APART * spread:
            found.append(values[end])
    return np.array(found)


def _point_masses(name: Any, values: NDArray) -> list[Finding]:
    if len(np.unique(values)) < 2:
        return []
    [lattice] = Dequantizer(random_state=0).fit(values[:, None]).lattice_
    if lattice is None:
        return []
    distinct, found = np.unique(values), []
    step = lattice["step"]
    # Values that hardly ever repeat lie on a lattice as all floats do.
    if step is not None and len(distinct) < 0.5 * len(values):
        detail = f"{len(distinct):,} values, multiples of {step:g}"
        advice = "Dequantizer() before other layers"
        found.append(Finding((name,), "lattice", detail, advice))
    for value in lattice["repeated"][:3]:
        share = _percent(float(np.mean(values == value)))
        found.append(
            Finding(
                (name,),
                "repeated value",
                f"{value:g} in {share} of the rows",
                "Dequantizer() before other layers",
            )
        )
    return found


def _tails(name: Any, values: NDArray) -> list[Finding]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    scale = (high - low) / _NORMAL_IQR
    if not scale > 0:
        return []
    reach = float(np.abs(values - middle).max() / scale)
    if reach <= _HEAVY:
        return []
    detail = f"up to {reach:.3g} robust standard deviations from the median"
    advice = "marginals first, such as SplineGaussianizer; or a logarithm"
    return [Finding((name,), "heavy tail", detail, advice)]


# ---------------------------------------------------------------------- all columns


def _describe_together(names: list[Any], rows: NDArray) -> list[Finding]:
    found = []
    distinct = len(np.unique(rows, axis=0))
    copies = 1.0 - distinct / len(rows)
    discrete = all(len(np.unique(column)) < 0.5 * len(rows) for column in rows.T)
    if copies > _COPIES and not discrete:
        advice = "drop copies, or give the number of each as sample_weight"
        detail = f"{_percent(copies)} of the rows are copies of others"
        found.append(Finding((), "equal rows", detail, advice))
    # The largest numbers are added and squared like any others.
    largest = np.abs(rows).max(axis=0)
    units = rows / np.where(largest > 0.0, largest, 1.0)
    centred = units - units.mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0))
    varied = scale > 0
    names = [name for name, kept in zip(names, varied, strict=True) if kept]
    units = centred[:, varied] / scale[varied]
    correlation = units.T @ units / len(units)
    first = np.argmax(np.abs(correlation) > 1.0 - _COLLINEAR, axis=0)
    for j in np.unique(first):
        same = np.flatnonzero(first == j)
        if len(same) > 1:
            columns = tuple(names[i] for i in same)
            equal = (rows[:, varied][:, same] == rows[:, varied][:, [j]]).all()
            detail = "equal" if equal else "the same up to shift and scale"
            advice = "keep one: each copy adds nats without end"
            found.append(Finding(columns, "duplicated", detail, advice))
    kept = np.unique(first)
    if len(rows) <= len(kept) + 1 or len(kept) < 3:
        return found
    values, vectors = eigh(correlation[np.ix_(kept, kept)])
    null = values < _COLLINEAR * values[-1]
    if null.any():
        weight = (vectors[:, null] ** 2).sum(axis=1)
        columns = tuple(names[kept[i]] for i in np.flatnonzero(weight > 1e-3))
        n = int(null.sum())
        detail = f"{n} linear relation" + "s" * (n > 1)
        advice = f"drop {n} of them: what follows from others has no density"
        found.append(Finding(columns, "collinear", detail, advice))
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else "less than 0.1 %"
