"""The job that measures cold starts."""

import os

import pandas as pd

from benchmarks import cold
from benchmarks.__main__ import main


def test_table_of_cold_starts(tmp_path, capsys):
    arguments = ["--quick", "--models", "RBIG", "--output", str(tmp_path)]
    assert main(["cold", *arguments]) == 0
    table = pd.read_csv(tmp_path / "cold.csv")
    assert list(table["model"]) == ["RBIG"]
    assert tuple(table) == cold.COLUMNS
    assert (table["again"] > 0.0).all()
    assert "import destructors.flows" in capsys.readouterr().out


def test_the_package_of_the_folder_is_measured(tmp_path):
    (tmp_path / "destructors").mkdir()
    (tmp_path / "destructors" / "__init__.py").write_text("here = 1\n")
    code = "import destructors; print(destructors.here)"
    assert cold._run(code, dict(os.environ), tmp_path).split() == ["1"]
