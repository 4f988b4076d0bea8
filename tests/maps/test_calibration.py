"""Thresholds: the rate of new rows below them, and of the rows that set them."""

import numpy as np
import pytest

from destructors.maps._calibration import Calibration


@pytest.mark.parametrize("n", [19, 30, 112, 250, 999])
def test_of_new_rows_the_share_is_below_whatever_the_number_of_rows(n):
    rng = np.random.default_rng(n)
    # Of uniform scores the threshold is the share below it.
    found = [
        Calibration.of(rng.uniform(size=n), np.ones(n)).threshold(0.05)
        for _ in range(4000)
    ]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 0.05) < 4.0 * error
    # The count of whole rows that it rounds to is off by more, where it is not whole.
    if n == 112:
        assert abs(6 / 113 - 0.05) > 4.0 * error


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.38, 0.5])
def test_of_the_rows_themselves_no_more_than_the_share_is_below(share):
    for n in range(2, 60):
        scores = np.random.default_rng(n).normal(size=n)
        threshold = Calibration.of(scores, np.ones(n)).threshold(share)
        assert (scores < threshold).sum() == int(share * n + 1e-9)


def test_weights_are_repeats():
    rng = np.random.default_rng(0)
    scores, weight = rng.normal(size=50), rng.integers(1, 5, 50)
    one = Calibration.of(scores, weight.astype(float))
    other = Calibration.of(np.repeat(scores, weight), np.ones(weight.sum()))
    for share in np.linspace(0.005, 0.5, 30):
        assert one.threshold(share) == pytest.approx(other.threshold(share))


def test_of_rows_of_any_weight_no_more_than_the_share_is_below():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        scores, weight = rng.normal(size=12), rng.uniform(0.01, 3.0, 12)
        for share in (0.02, 0.05, 0.3):
            threshold = Calibration.of(scores, weight).threshold(share)
            assert weight[scores < threshold].sum() <= share * weight.sum()
