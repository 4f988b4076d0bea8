"""What the measures refuse, and what they give back."""

import numpy as np
import pytest

from destructors.information import (
    InformationEstimate,
    conditional_mutual_information,
    entropy,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
    mutual_information,
)
from destructors.linear import Whitening

X = np.random.default_rng(0).normal(size=(60, 2))
SIMPLE = {"estimator": Whitening(), "random_state": 0}


def test_result():
    estimate = entropy(X, **SIMPLE)
    assert isinstance(estimate, InformationEstimate)
    assert float(estimate) == estimate.value
    assert estimate.n_samples == 60
    low, high = estimate.interval(0.5)
    assert low < estimate.value < high
    assert "nats (60 rows)" in str(estimate)
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        estimate.interval(95)


def test_same_seed_same_result_whatever_the_number_of_jobs():
    first = mutual_information(X[:, 0], X[:, 1], **SIMPLE)
    assert first == mutual_information(X[:, 0], X[:, 1], **SIMPLE, n_jobs=1)


def test_frames_are_taken():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b"])
    found = mutual_information(frame[["a"]], frame["b"], **SIMPLE)
    assert found == mutual_information(X[:, 0], X[:, 1], **SIMPLE)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: entropy([[np.nan], [1.0]]), "X contains NaN"),
        (lambda: entropy(X, estimator="gaussian"), "estimator must be a Destructor"),
        (lambda: entropy(X, cv=2), "cv must be an integer of at least 3"),
        (lambda: entropy(X[:4], **SIMPLE), "Only 4 of the rows differ"),
        (lambda: mutual_information(X, X[:5]), "Y has 5 rows, but X has 60"),
        (
            lambda: conditional_mutual_information(X, X, X[:5]),
            "Z has 5 rows, but X has 60",
        ),
        (lambda: kullback_leibler_divergence(X, X[:, :1]), "but Y has 1"),
        (lambda: jensen_shannon_divergence(X, [["a", "b"]] * 9), "could not convert"),
    ],
)
def test_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
