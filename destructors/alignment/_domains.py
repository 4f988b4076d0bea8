"""Domains: their labels, their rows, their shares in the barycenter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from destructors._splits import fold_rows, hash_roughly, split_rows

__all__ = [
    "Samples",
    "check_labels",
    "encode_labels",
    "hold_out",
    "hold_out_in_turn",
    "resolve_domain_weights",
    "split_domains",
]

# Domains of fewer different rows are not divided.
_FEWEST_TO_HOLD_OUT = 10


class Samples(NamedTuple):
    """The rows of each domain, and their weights."""

    rows: list[NDArray]
    weights: list[NDArray | None]

    def totals(self) -> list[float]:
        """Give the total weight of each domain."""
        return [
            float(len(X)) if weight is None else float(weight.sum())
            for X, weight in zip(self.rows, self.weights, strict=True)
        ]

    def shuffle(self) -> Samples:
        """Order rows by a hash, so that the first are as good as any and the order in
        which they came does not matter.
        """
        shuffled = Samples([], [])
        for X, weight in zip(self.rows, self.weights, strict=True):
            order = np.argsort(hash_roughly(X, 0), kind="stable")
            shuffled.rows.append(X[order])
            shuffled.weights.append(None if weight is None else weight[order])
        return shuffled

    def pooled_weight(self) -> NDArray:
        """Weights of all rows together, by which each domain counts as much."""
        parts = [
            np.full(len(X), 1.0 / len(X)) if weight is None else weight / weight.sum()
            for X, weight in zip(self.rows, self.weights, strict=True)
        ]
        return np.concatenate(parts) / len(parts)


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


def encode_labels(labels: NDArray, domains: NDArray) -> NDArray:
    """Replace labels by their places among the known ones."""
    known, codes = np.unique(labels, return_inverse=True)
    unknown = [label for label in known.tolist() if label not in domains.tolist()]
    if unknown:
        raise ValueError(
            f"sample_domain contains the unknown label(s) {_show(unknown)}; the "
            f"domains seen in fit are {_show(domains.tolist())}."
        )
    place = [domains.tolist().index(label) for label in known.tolist()]
    return np.array(place, np.intp)[codes]


def split_domains(
    X: NDArray,
    weight: NDArray | None,
    labels: NDArray,
    fewest: int,
    name: str,
) -> tuple[NDArray, Samples]:
    """Sort rows by domain.

    Returns
    -------
    domains : ndarray of shape (n_domains,)
        The labels, in order.
    samples : Samples
    """
    domains, codes = np.unique(labels, return_inverse=True)
    if len(domains) < 2:
        raise ValueError(
            f"{name} needs at least 2 domains, but sample_domain has 1 label: "
            f"{_show(domains.tolist())}."
        )
    members = [np.flatnonzero(codes == k) for k in range(len(domains))]
    few = [
        f"{domain!r} ({len(rows)})"
        for domain, rows in zip(domains.tolist(), members, strict=True)
        if len(rows) < fewest
    ]
    if few:
        raise ValueError(
            f"{name} needs at least {fewest} rows of each domain (of weight above "
            f"zero), but of {', '.join(few)} there are fewer: drop or merge such "
            "domains."
        )
    return domains, Samples(
        [X[rows] for rows in members],
        [None if weight is None else weight[rows] for rows in members],
    )


def hold_out(samples: Samples, fraction: float, seed: int) -> tuple[Samples, Samples]:
    """Hold out a share of each domain, by content.

    Of a domain with very few different rows all are on both sides.
    """
    split = lambda X, weight: [split_rows(X, weight, fraction, seed)]
    return _hold_out(samples, split, 1)[0]


def hold_out_in_turn(
    samples: Samples, n_folds: int, seed: int
) -> list[tuple[Samples, Samples]]:
    """Hold out every row once."""
    split = lambda X, weight: fold_rows(X, weight, n_folds, seed)
    return _hold_out(samples, split, n_folds)


def _hold_out(samples: Samples, split: Callable, n_folds: int):
    folds = [(Samples([], []), Samples([], [])) for _ in range(n_folds)]
    for X, weight in zip(*samples, strict=True):
        if len(np.unique(X, axis=0)) < max(_FEWEST_TO_HOLD_OUT, n_folds):
            splits = [[slice(None)] * 2] * n_folds
        else:
            splits = split(X, weight)
        for parts, sides in zip(folds, splits, strict=True):
            for part, rows in zip(parts, sides, strict=True):
                part.rows.append(X[rows])
                part.weights.append(None if weight is None else weight[rows])
    return folds


def resolve_domain_weights(
    domain_weights: Any, domains: NDArray, totals: list[float]
) -> NDArray:
    """Give the share of each domain in the barycenter; the sum is 1."""
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
    return shares / shares.sum()


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
