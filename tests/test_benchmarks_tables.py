"""The job that measures densities of mixed tables, and imputation."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks.__main__ import main
from benchmarks.tables_imputation import (
    _root_mean,
    _standard_error,
    measure_imputation,
)
from benchmarks.tables_peers import within
from benchmarks.tables_synthetic import usefulness


def test_tables_prints_and_writes_its_figures(monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    code = rng.integers(0, 2, 60).astype(float)
    X = np.column_stack([code, code + np.round(rng.normal(size=60), 1)])
    parts = dict(zip(("train", "valid", "test"), np.split(X, [30, 40]), strict=True))
    (tmp_path / "mixed").mkdir()
    np.savez(tmp_path / "mixed" / "tiny.npz", is_category=[True, False], **parts)
    monkeypatch.setenv("DESTRUCTORS_DATA", str(tmp_path))
    monkeypatch.setattr(tables, "_SETS", ["tiny"])
    assert main(["tables", "--data", "tiny", "--output", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "tables.json").read_text())["figures"]
    assert [row["model"] for row in figures["density"]] == [
        "MixtureDensity",
        "TreeFlow",
    ]
    assert all(np.isfinite(row["log_likelihood"]) for row in figures["density"])
    assert len(figures["imputation"]) == 10
    assert all(0.0 <= row["accuracy"] <= 1.0 for row in figures["imputation"])
    assert figures["imputation"][0]["above"] == 0.0
    assert figures["imputation"][0]["error"] == 0.0
    assert all(row["error"] > 0.0 for row in figures["imputation"][1:5])
    assert "DensityImputer, sample" in capsys.readouterr().out
    arguments = ["tables", "--data", "tiny", "--output", str(tmp_path)]
    assert main([*arguments, "--folds", "3"]) == 0
    figures = json.loads((tmp_path / "tables.json").read_text())["figures"]
    assert not figures["density"]
    assert len(figures["imputation"]) == 10


def test_errors_of_imputers_are_those_of_all_masks_together():
    share, n_masks = 0.4, 3
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(60, 2)), rng.integers(0, 2, 60)])
    of = [X[:30], X[30:40], X[40:]], np.array([False, False, True]), share, n_masks
    found = {row["imputer"]: row for row in measure_imputation(*of)}
    masks = [np.random.default_rng(i).random(X.shape) < share for i in range(n_masks)]
    known = np.where(masks[0], np.nan, X)[:40, :2]
    errors = (X[40:, :2] - np.nanmean(known, axis=0)) / X[:40, :2].std(axis=0)
    squares = np.concatenate([(errors**2)[mask[40:, :2]] for mask in masks])
    row = found["mean, most frequent"]
    assert row["rmse"] == pytest.approx(np.sqrt(squares.mean()))
    assert row["above"] == row["rmse"] - found["DensityImputer, mean"]["rmse"]


def test_standard_errors_are_those_of_rows_drawn_anew():
    rng = np.random.default_rng(0)
    n_numbers = rng.integers(0, 5, 400)
    shared = rng.chisquare(n_numbers + 1)
    a, b = (
        pd.DataFrame({"squares": each * (n_numbers > 0), "n_numbers": n_numbers})
        for each in (shared + rng.chisquare(1, 400), 0.8 * shared)
    )
    found = []
    for _ in range(2000):
        drawn = rng.integers(0, 400, 400)
        found.append(_root_mean(a.iloc[drawn]) - _root_mean(b.iloc[drawn]))
    assert _standard_error(a, b) == pytest.approx(np.std(found), rel=0.1)


def test_what_takes_longer_than_its_time_has_no_figures():
    def forever():
        while True:
            pass

    assert within(1, forever) is None
    assert within(60, lambda: {"figure": 1.5}) == {"figure": 1.5}


def test_a_category_of_a_single_row_is_not_learned():
    """Early stopping, of more than 10,000 rows, holds out some of each."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 2, 10_001).astype(float)
    train = np.column_stack([code + 0.1 * rng.normal(size=len(code)), code])
    train[0, 1] = 2.0
    assert usefulness(train, train[1:], np.array([False, True])) > 0.99
