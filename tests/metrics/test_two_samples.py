"""Tests of two samples keep their level, and find what differs."""

import numpy as np
import pytest

from destructors.metrics import drift, two_sample_test

QUICK = {"n_permutations": 99, "random_state": 0}


def test_the_rate_under_the_null_is_nominal():
    rng = np.random.default_rng(0)
    found = []
    for seed in range(300):
        X = np.exp(rng.multivariate_normal([0, 0, 0], np.eye(3) + 0.5, size=45))
        test = two_sample_test(X[:20], X[20:], n_permutations=99, random_state=seed)
        found.append((test.pvalue, test.column_pvalues.min()))
    rates = np.mean(np.array(found) <= 0.05, axis=0)
    # 300 tests at 5 % reject 15; fewer than 6 or more than 26 have chance 1 %.
    assert (rates >= 6 / 300).all()
    assert (rates <= 26 / 300).all()


def test_ties_do_not_break_the_level():
    rng = np.random.default_rng(1)
    found = [
        two_sample_test(*rng.integers(3, size=(2, 20, 2)), **QUICK).pvalue
        for _ in range(200)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 21 / 200


def test_columns_that_differ_are_named():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 150, 4))
    Y[:, 1] += 1.0
    Y[:, 3] *= 3.0
    names = ["a", "b", "c", "d"]
    test = two_sample_test(
        pandas.DataFrame(X, columns=names), pandas.DataFrame(Y, columns=names), **QUICK
    )
    assert test.pvalue == 0.01
    assert test.differing() == ["b", "d"]
    assert "columns that differ: b, d" in str(test)


def test_dependence_alone_is_found_though_no_column_differs():
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=300)
    Y = rng.normal(size=(300, 2))
    test = two_sample_test(X, Y, **QUICK)
    assert test.pvalue == 0.01
    assert test.differing() == []


def test_monotone_maps_and_outliers_change_nothing():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 60, 2))
    test = two_sample_test(X, Y, **QUICK)
    other = two_sample_test(np.exp(9.0 * X), np.exp(9.0 * Y), **QUICK)
    assert test.statistic == pytest.approx(other.statistic)
    assert test.pvalue == other.pvalue


def test_a_column_of_disjoint_samples():
    x = np.arange(1000.0)[:, None]
    test = two_sample_test(x, x + 5000.0, **QUICK)
    # Twice the integral of 4 h² / h (1 - h) up to a half.
    assert test.column_statistics == pytest.approx([8 * np.log(2) - 4], abs=0.01)


def test_few_rows_of_many_are_compared():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 1000, 1))
    test = two_sample_test(X, Y + 1.0, max_samples=50, **QUICK)
    assert test.pvalue == 0.01
    constant = two_sample_test(np.ones((9, 1)), np.ones((5, 1)), **QUICK)
    assert constant.pvalue == 1.0
    assert constant.statistic == 0.0


def test_drift_begins_where_it_begins():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2))
    X[300:, 0] += 1.5
    order = rng.permutation(500)
    day = np.datetime64("2024-01-01") + np.arange(500) // 10
    first = drift(X[order], day[order], n_windows=5, **QUICK)
    assert first.drifted().tolist() == [False, False, True, True]
    assert first.starts[0] == np.datetime64("2024-01-11")
    assert first.tests[-1].differing() == [0]
    assert first.statistics[2] > first.statistics[1] + 0.1
    previous = drift(X, day, n_windows=5, reference="previous", **QUICK)
    assert previous.drifted().tolist() == [False, False, True, False]
    table = drift(X, day, n_windows=5, reference=X[:100], **QUICK)
    assert len(table.tests) == 5
    assert "2024-01-11 to 2024-01-20" in str(first)


def test_windows_without_drift_are_rarely_found():
    rng = np.random.default_rng(0)
    found = [
        drift(rng.normal(size=(80, 1)), n_windows=4, n_permutations=99, random_state=i)
        for i in range(100)
    ]
    # Of 100 tables, more than 11 have chance 1 % at 5 %.
    assert sum(one.drifted().any() for one in found) <= 11


X = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_sample_test(X, X[:, :1]), "X has 2 features, but Y has 1"),
        (lambda: two_sample_test(X, X[:1]), "minimum of 2"),
        (lambda: two_sample_test(X, X, n_permutations=0), "n_permutations must be"),
        (lambda: two_sample_test(X, X, max_samples=2.5), "max_samples must be"),
        (lambda: drift(X, np.arange(3)), "one value for each of 20 rows"),
        (lambda: drift(X, np.full(20, np.nan)), "missing values"),
        (lambda: drift(X, n_windows=15), "too few for n_windows=15"),
        (lambda: drift(X, np.zeros(20)), "one window only"),
        (lambda: drift(X, reference="last"), "reference must be"),
        (lambda: drift(X, reference=X[:, :1]), "reference has 1 features"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
