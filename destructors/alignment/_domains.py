"""Domains: their labels, their rows, their shares in the barycenter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from destructors.metrics import energy_coefficient
from destructors.rows import Fold, Rows, make_splits

__all__ = [
    "by_domain",
    "check_labels",
    "divergence",
    "find_domains",
    "pooled_weight",
    "resolve_domain_weights",
    "shuffle",
    "split_domains",
]

# Domains of fewer different rows are not divided.
_FEWEST_TO_HOLD_OUT = 10


# ---------------------------------------------------------------------- labels


def check_labels(sample_domain: ArrayLike | None, n_samples: int, name: str) -> NDArray:
    """Validate the labels of rows."""
    if sample_domain is None:
        raise ValueError(
            f"{name} needs sample_domain, the domain label of each row: pass "
            "sample_domain=... (through scikit-learn's metadata routing inside a "
            "Pipeline or a search)."
        )
    labels: NDArray = check_array(
        sample_domain,
        ensure_2d=False,
        dtype=None,
        ensure_all_finite=False,
        input_name="sample_domain",
    )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.ravel()
    if labels.ndim != 1:
        raise ValueError(
            f"sample_domain must have one label a row, got an array of shape "
            f"{labels.shape}."
        )
    if len(labels) != n_samples:
        raise ValueError(
            f"sample_domain has {len(labels)} labels, but X has {n_samples} rows: give "
            "one label a row."
        )
    # Of all values only a missing number differs from itself.
    missing = np.asarray(labels != labels)
    if labels.dtype.kind == "O":
        missing = missing | np.equal(labels, np.array(None))
    if missing.any():
        raise ValueError(
            "sample_domain contains missing labels (NaN or None): give each row a "
            "label, or drop such rows."
        )
    return labels


def find_domains(labels: Any, fewest: int, name: str) -> NDArray:
    """Return the labels there are, in order."""
    domains, sizes = np.unique(labels, return_counts=True)
    if len(domains) < 2:
        raise ValueError(
            f"{name} needs at least 2 domains, but sample_domain has 1 label: "
            f"{_show(domains.tolist())}."
        )
    few = [
        f"{domain!r} ({size})"
        for domain, size in zip(domains.tolist(), sizes, strict=True)
        if size < fewest
    ]
    if few:
        raise ValueError(
            f"{name} needs at least {fewest} rows of each domain (of weight above "
            f"zero), but of {', '.join(few)} there are fewer: drop or merge such "
            "domains."
        )
    return domains


# ---------------------------------------------------------------------- rows


def by_domain(rows: Rows, most: int | None = None) -> list[Rows]:
    """Return the rows of each domain, or the first of them.

    The context of the rows is the number of their domain.
    """
    return [rows.take(_members(rows, k)[:most]) for k in _numbers(rows)]


def _numbers(rows: Rows) -> range:
    return range(int(rows.context.max()) + 1)  # type: ignore[union-attr]


def _members(rows: Rows, k: int) -> NDArray:
    return np.flatnonzero(rows.context == k)


def divergence(rows: Rows, most: int | None = None) -> float:
    """Return the `destructors.metrics.energy_coefficient` among domains.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    most : int or None
        About so many rows are compared, the first of each domain.
    """
    if most is not None:
        most //= len(_numbers(rows))
    parts = [part for part in by_domain(rows, most) if len(part)]
    return energy_coefficient(
        [part.values for part in parts], [part.weight for part in parts]
    )


def pooled_weight(parts: list[Rows]) -> NDArray:
    """Return weights of all rows together, by which each domain counts as much."""
    return np.concatenate([part.weights / part.total for part in parts]) / len(parts)


def shuffle(rows: Rows) -> Rows:
    """Return the rows of one domain after the other, in an order by content.

    The first of each are as good as any then, and the order in which they came does not
    matter.
    """
    order = [
        _members(rows, k)[np.argsort(part.hashes(0), kind="stable")]
        for k, part in enumerate(by_domain(rows))
    ]
    return rows.take(np.concatenate(order))


def split_domains(
    rows: Rows, cv: int | None, validation_fraction: float, seed: int
) -> list[Fold]:
    """Return folds that divide each domain alike, by content.

    Of a domain with very few different rows all are on both sides.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    cv : int or None
        Number of folds; None holds out one part.
    validation_fraction : float
        Share of the total weight of each domain to hold out, for one part.
    seed : int
        Seed of the split.
    """
    n_folds = cv or 1
    folds: list[tuple[list, list]] = [([], []) for _ in range(n_folds)]
    for k in _numbers(rows):
        members = _members(rows, k)
        part = rows.take(members)
        splits = [(np.arange(len(part)),) * 2] * n_folds
        if len(part.unique()[0]) >= max(_FEWEST_TO_HOLD_OUT, n_folds):
            splits = make_splits(part, cv, validation_fraction, seed)
        for (train, held_out), split in zip(folds, splits, strict=True):
            train.append(members[split[0]])
            held_out.append(members[split[1]])
    return [
        Fold(rows.take(np.concatenate(train)), rows.take(np.concatenate(held_out)))
        for train, held_out in folds
    ]


# ---------------------------------------------------------------------- shares


def resolve_domain_weights(
    domain_weights: Any, domains: NDArray, totals: list[float]
) -> NDArray:
    """Return the share of each domain in the barycenter; the sum is 1."""
    if isinstance(domain_weights, str):
        if domain_weights == "uniform":
            shares = np.ones(len(domains))
        elif domain_weights == "proportional":
            shares = np.array(totals)
        else:
            shares = _target_shares(domains)
    elif isinstance(domain_weights, Mapping):
        known = domains.tolist()
        unknown = [label for label in domain_weights if label not in known]
        if unknown:
            raise ValueError(
                f"domain_weights names the unknown domain(s) {_show(unknown)}; there "
                f"are {_show(known)}."
            )
        shares = np.array([domain_weights.get(label, 0.0) for label in known], float)
    else:
        shares = np.asarray(domain_weights, dtype=np.float64)
        if shares.shape != (len(domains),):
            raise ValueError(
                f"domain_weights must have one weight for each of the {len(domains)} "
                f"domains, got an array of shape {shares.shape}."
            )
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise ValueError(
            "domain_weights must be finite and not negative, with one above zero; got "
            f"{shares.tolist()}."
        )
    total = shares.sum()
    # Shares that a flow hands to its layers stay what they are to the last bit.
    return shares if abs(total - 1.0) < 1e-12 else shares / total


def _target_shares(domains: NDArray) -> NDArray:
    if domains.dtype.kind not in "if":
        raise ValueError(
            'domain_weights="target" needs numbers as labels (negative ones are '
            f"targets), got {_show(domains.tolist())}. Name the target instead: "
            "domain_weights={label: 1.0}."
        )
    shares = (domains < 0).astype(np.float64)
    if not shares.any():
        raise ValueError(
            'domain_weights="target" needs a target domain, whose label is negative; '
            f"the labels are {_show(domains.tolist())}."
        )
    return shares


def _show(labels: list) -> str:
    shown = ", ".join(repr(label) for label in labels[:5])
    return shown + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
