"""Checks of what is undone one way only: dequantizers."""

from __future__ import annotations

import numpy as np

from destructors.testing._case import Case, require

__all__ = ["check_bound", "check_noise", "check_right_inverse"]

_N_SEEDS = 60
_N_SAMPLES = 20_000


def check_right_inverse(case: Case) -> None:
    """Every row comes back exactly, wherever in its cell the noise has put it."""
    case.require_surjection()
    for kind, X in (("training", case.X_train), ("held-out", case.X_test)):
        Z, log_det = case.model.transform_and_log_det(X)
        back, log_det_back = case.model.inverse_and_log_det(Z)
        require(np.array_equal(back, X), f"{kind} rows do not come back exactly.")
        require(
            bool(np.allclose(log_det, -log_det_back, rtol=0.0, atol=1e-9)),
            f"log_det of the inverse is not minus that of the map, on {kind} rows.",
        )


def check_noise(case: Case) -> None:
    """Noise is of the row and the seed alone: the same again, another for another."""
    case.require_surjection()
    X = case.X_test
    Z = case.model.transform(X)
    require(
        np.array_equal(Z, case.model.transform(X)), "A row gets other noise each time."
    )
    other = case.new()
    other.set_params(random_state=case.seed("other noise") % 2**31)
    moved = other.fit(case.X_train).transform(X)
    require(not np.array_equal(Z, moved), "Another random_state gives the same noise.")


def check_bound(case: Case) -> None:
    """The mean score is no higher than the log-probability of the row.

    The probability is the share of samples that are the row, on rows of integers or
    codes, whose cells have the volume 1. The mean is over seeds of the noise; six
    standard errors are allowed.
    """
    case.require_surjection()
    samples = case.model.sample(_N_SAMPLES, random_state=case.seed("samples"))
    rows, counts = np.unique(samples, axis=0, return_counts=True)
    often = np.argsort(-counts)[:20]
    rows, counts = rows[often], counts[often]
    scores = []
    for i in range(_N_SEEDS):
        model = case.new().set_params(random_state=i)
        scores.append(model.fit(case.X_train).score_samples(rows))
    mean = np.mean(scores, axis=0)
    error = np.std(scores, axis=0, ddof=1) / np.sqrt(_N_SEEDS) + 1.0 / np.sqrt(counts)
    excess = mean - np.log(counts / _N_SAMPLES)
    require(
        bool((excess <= 6.0 * error).all()),
        f"The mean score exceeds the log-probability by {excess.max():.3g} nats.",
    )
