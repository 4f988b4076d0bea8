"""The job of the binary sets: what it prints and writes."""

import json

import numpy as np
from sklearn.utils import Bunch

from benchmarks import paper_debd
from benchmarks.__main__ import main


def test_debd(monkeypatch, tmp_path, capsys):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, size=(300, 1))
    X = (first ^ (rng.uniform(size=(300, 4)) < 0.1)).astype(int)
    parts = Bunch(train=X[:200], val=X[200:250], test=X[250:])
    monkeypatch.setattr(paper_debd, "load_binary", lambda name: parts)
    words = ["paper", "debd", "--quick", "--only", "dna", "--output", str(tmp_path)]
    assert main(words) == 0
    assert "-79.056" in capsys.readouterr().out
    document = json.loads((tmp_path / "debd.json").read_text(encoding="utf-8"))
    assert document["sets"]["dna"]["test"] > -4.0 * np.log(2.0)
