"""The anomaly job: its protocol, and what it does with what is there already."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.anomaly import split
from benchmarks.anomaly_detectors import ECOD, Neighbours


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A set under the name of a public one: outliers far from a normal."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(9.0, 1.0, (20, 2))])
    (tmp_path / "anomaly").mkdir()
    np.savez(tmp_path / "anomaly" / "vowels.npz", X=X, y=np.repeat([0, 1], [200, 20]))
    monkeypatch.setenv("DESTRUCTORS_DATA", str(tmp_path))
    return tmp_path


def test_a_run_prints_areas_and_another_does_nothing_again(data, capsys):
    words = ["anomaly", "--datasets", "vowels", "--models", "knn", "ecod"]
    assert main([*words, "--output", str(data)]) == 0
    assert "mean rank" in capsys.readouterr().out
    path = data / "anomaly.json"
    results = json.loads(path.read_text())["results"]
    assert len(results) == 4
    assert min(result["area"] for result in results) > 95.0
    before = path.stat().st_mtime_ns
    assert main([*words, "--output", str(data)]) == 0
    assert path.stat().st_mtime_ns == before


def test_false_alarms_are_counted_in_further_splits(data, capsys):
    words = ["anomaly", "--datasets", "vowels", "--models", "isolation-forest", "knn"]
    words += ["--splits", "3", "--output", str(data)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    results = pd.DataFrame(json.loads((data / "anomaly.json").read_text())["results"])
    # Further splits are for thresholds: of neighbours, and of all rows, there are none.
    assert results.groupby(["model", "mode"]).size().to_dict() == {
        ("isolation-forest", "all"): 1,
        ("isolation-forest", "normal"): 3,
        ("knn", "all"): 1,
        ("knn", "normal"): 1,
    }
    rates = 100.0 * results["false_alarms"].dropna()
    assert list(results["seed"][rates.index]) == [0, 1, 2]
    error = rates.std(ddof=1) / np.sqrt(3)
    line = f"vowels {rates.iloc[0]:.2f} {rates.mean():.2f} {error:.2f} 3"
    assert line in [" ".join(each.split()) for each in printed.splitlines()]


def test_halves_of_further_splits_are_others(data):
    first, other = (split("vowels", "normal", 10_000, seed)[3] for seed in (0, 1))
    assert first.shape == other.shape
    assert not np.isin(first[:, 0].round(9), other[:, 0].round(9)).all()


def test_no_anomaly_and_no_test_row_is_among_the_normal_rows_fitted_on(data):
    train, test, is_anomaly, held_out = split("vowels", "normal", 10_000, 0)
    assert len(train) == len(held_out) == 100
    assert is_anomaly.sum() == 20
    assert not set(map(tuple, train)) & set(map(tuple, test))
    np.testing.assert_allclose(train.mean(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    "words",
    [
        ["--max-rows", "3"],
        ["--datasets", "vowel"],
        ["--models", "knn5"],
        ["--splits", "0"],
    ],
)
def test_nonsense_is_refused(data, words):
    with pytest.raises(SystemExit) as refused:
        main(["anomaly", *words, "--output", str(data)])
    assert refused.value.code == 2


def test_a_row_is_no_neighbour_of_itself():
    X = np.arange(6.0)[:, None]
    np.testing.assert_array_equal(
        -Neighbours(2).fit(X).score_training(), [2, 1, 1, 1, 1, 2]
    )


def test_ecod_is_the_sum_of_log_tails():
    X = np.arange(1.0, 10.0)[:, None]
    scores = ECOD().fit(X).score_samples(np.array([[0.0], [5.0], [20.0]]))
    np.testing.assert_allclose(scores, np.log([0.1, 0.5, 0.1]))
