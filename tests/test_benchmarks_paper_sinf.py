"""The job of the sliced flows: what it prints and writes."""

import json

import numpy as np
import pytest

from benchmarks import paper_sinf
from benchmarks.__main__ import main
from benchmarks.registry import Entry
from benchmarks.split import split


def test_sinf(monkeypatch, tmp_path, capsys):
    X = np.random.default_rng(0).gamma(2.0, size=(900, 3))
    data = {"wilt": Entry("wilt", lambda: split(X), "")}
    monkeypatch.setattr(paper_sinf, "DATASETS", data)
    words = ["paper", "sinf", "--quick", "--only", "wilt", "--output", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("wilt")]
    assert line.split()[1:4] == ["-3.617", "115", "60"]
    document = json.loads((tmp_path / "sinf.json").read_text(encoding="utf-8"))
    outcome = document["results"]["wilt"]
    assert -4.5 < outcome["score"] < -3.5
    assert outcome["round_trip"] < 1e-8


def test_a_set_that_is_not_there_is_named(monkeypatch, capsys):
    absent = Entry("wilt", lambda: None, "", missing=lambda: "needs a folder")
    monkeypatch.setattr(paper_sinf, "DATASETS", {"wilt": absent})
    with pytest.raises(SystemExit):
        main(["paper", "sinf", "--only", "wilt"])
    assert "wilt: needs a folder" in capsys.readouterr().err
