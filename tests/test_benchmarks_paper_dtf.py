"""The job of published tables: what it prints and writes."""

import json

import pytest

from benchmarks import paper_dtf
from benchmarks.__main__ import main
from destructors.datasets import make_discrete_gaussian_grid


@pytest.fixture
def small(monkeypatch):
    """One case of few rows, and no file needed."""
    grid = lambda: make_discrete_gaussian_grid(600, random_state=0)
    case = paper_dtf.CASES["8 Gaussians"]._replace(load=grid)
    monkeypatch.setattr(paper_dtf, "CASES", {"COP-H": case, "Mushroom": case})
    monkeypatch.setattr(paper_dtf, "_mushroom", grid)


def test_dtf(small, tmp_path, capsys):
    assert main(["paper", "dtf", "--quick", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("COP-H")]
    published = [float(word) for word in line.split()[1:6]]
    assert published == [6.888, 6.444, 78.0, 6.439, 6.320]
    document = json.loads((tmp_path / "dtf.json").read_text(encoding="utf-8"))
    figures = document["figures"]["Mushroom"]
    assert set(figures) == {"RND", "GLP", "Chow-Liu", "flow"}
    assert figures["flow"]["loss"] < 8.5
    assert min(each["cpu_seconds"] for each in figures.values()) >= 0
    assert document["speed"]["n_layers"] == 10


def test_an_unknown_study(capsys):
    with pytest.raises(SystemExit):
        main(["paper", "nothing"])
    assert "invalid choice" in capsys.readouterr().err
