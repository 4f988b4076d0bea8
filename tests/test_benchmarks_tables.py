"""The job that measures densities of mixed tables, and imputation."""

import json

import numpy as np

from benchmarks import tables
from benchmarks.__main__ import main
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
    assert "DensityImputer, sample" in capsys.readouterr().out
    arguments = ["tables", "--data", "tiny", "--output", str(tmp_path)]
    assert main([*arguments, "--folds", "3"]) == 0
    figures = json.loads((tmp_path / "tables.json").read_text())["figures"]
    assert not figures["density"]
    assert len(figures["imputation"]) == 10


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
