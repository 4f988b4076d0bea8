"""Domains: their labels, their rows, their shares in the barycenter."""

from collections.abc import Mapping
from reprlib import repr as shorten
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.metrics import energy_coefficient
from destructors.rows import Fold, Rows, make_splits

# Domains of fewer different rows are not divided.
_FEWEST_TO_HOLD_OUT = 10


# ---------------------------------------------------------------------- labels


def check_labels(
    given: ArrayLike | None, n_rows: int, who: str, name: str = "sample_domain"
) -> NDArray:
    """Return the labels of rows.

    Parameters
    ----------
    given : array-like of shape (n_rows,) or (n_rows, 1), or None
        What a user gave as labels.
    n_rows : int
        Number of rows.
    who : str
        Name of the destructor that needs them.
    name : str
        Name of the argument.
    """
    if given is None:
        raise ValueError(
            f"{who} needs {name}, the domain label of each row: pass {name}=... "
            "(through scikit-learn's metadata routing inside a Pipeline or a search)."
        )
    labels = np.asarray(given)
    if labels.shape[1:] == (1,):
        labels = labels.ravel()
    if labels.ndim != 1:
        raise ValueError(
            f"{name} must have one label a row, got an array of shape {labels.shape}."
        )
    if len(labels) != n_rows:
        raise ValueError(
            f"{name} has {len(labels)} labels, but X has {n_rows} rows: give one label "
            "a row."
        )
    # Of all values only a missing number differs from itself.
    missing = np.asarray(labels != labels)
    if labels.dtype.kind == "O":
        missing = missing | np.equal(labels, np.array(None))
    if missing.any():
        raise ValueError(
            f"{name} contains missing labels (NaN or None): give each row a label, or "
            "drop such rows."
        )
    return labels


def find_domains(labels: Any, fewest: int, who: str) -> NDArray:
    """Return the labels there are, in order, each of at least so many rows."""
    domains, sizes = np.unique(labels, return_counts=True)
    if domains.dtype.kind == "O":
        # Strings, say: a file holds no objects.
        domains = np.array(domains.tolist())
    if len(domains) < 2:
        raise ValueError(
            f"{who} needs at least 2 domains, but sample_domain has 1 label: "
            f"{domains.tolist()[0]!r}."
        )
    few = [
        f"{domain!r} ({size})"
        for domain, size in zip(domains.tolist(), sizes, strict=True)
        if size < fewest
    ]
    if few:
        raise ValueError(
            f"{who} needs at least {fewest} rows of each domain (of weight above "
            f"zero), but of {', '.join(few)} there are fewer: drop such domains, or "
            "join them with others."
        )
    return domains


# ---------------------------------------------------------------------- rows


def by_domain(rows: Rows) -> list[Rows]:
    """Return the rows of each domain, whose number is their context."""
    return [rows.take(members) for members in _members(rows)]


def _members(rows: Rows) -> list[NDArray]:
    assert rows.context is not None
    numbers = range(int(rows.context.max()) + 1)
    return [np.flatnonzero(rows.context == k) for k in numbers]


def divergence(rows: Rows, most: int | None = None) -> float:
    """Return the `destructors.metrics.energy_coefficient` among domains.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    most : int or None
        About so many rows are compared, the first of each domain.
    """
    members = _members(rows)
    if most is not None:
        most //= len(members)
    parts = [rows.take(own[:most]) for own in members if len(own)]
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
        own[np.argsort(rows.take(own).hashes(0), kind="stable")]
        for own in _members(rows)
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
    n_folds, domains = cv or 1, []
    for members in _members(rows):
        part = rows.take(members)
        splits = [(np.arange(len(part)),) * 2] * n_folds
        if len(part.unique()[0]) >= max(_FEWEST_TO_HOLD_OUT, n_folds):
            splits = make_splits(part, cv, validation_fraction, seed)
        domains.append([(members[train], members[test]) for train, test in splits])
    return [
        Fold(*(rows.take(np.concatenate(side)) for side in zip(*parts, strict=True)))
        for parts in zip(*domains, strict=True)
    ]


# ---------------------------------------------------------------------- shares


def resolve_domain_weights(
    domain_weights: Any, domains: NDArray, totals: list[float]
) -> NDArray:
    """Return the share of each domain in the barycenter; the sum is 1."""
    known = domains.tolist()
    if isinstance(domain_weights, str):
        if domain_weights == "uniform":
            shares = np.ones(len(domains))
        elif domain_weights == "proportional":
            shares = np.array(totals)
        else:
            shares = _target_shares(domains)
    elif isinstance(domain_weights, Mapping):
        if unknown := [label for label in domain_weights if label not in known]:
            raise ValueError(
                f"domain_weights names the unknown domain(s) {shorten(unknown)}; there "
                f"are {shorten(known)}."
            )
        shares = np.array([domain_weights.get(label, 0.0) for label in known], float)
    else:
        shares = np.asarray(domain_weights, dtype=np.float64)
        if shares.shape != domains.shape:
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
    shares = np.zeros(len(domains))
    if domains.dtype.kind in "if":
        shares[domains < 0] = 1.0
    if not shares.any():
        raise ValueError(
            'domain_weights="target" needs a target domain, whose label is a negative '
            f"number; the labels are {shorten(domains.tolist())}. Or name the target: "
            "domain_weights={label: 1.0}."
        )
    return shares
