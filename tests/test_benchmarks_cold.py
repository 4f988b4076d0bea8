"""The job that measures cold starts."""

import pandas as pd

from benchmarks.__main__ import main
from benchmarks.cold import COLUMNS


def test_table_of_cold_starts(tmp_path, capsys):
    arguments = ["--quick", "--models", "RBIG", "--output", str(tmp_path)]
    assert main(["cold", *arguments]) == 0
    table = pd.read_csv(tmp_path / "cold.csv")
    assert list(table["model"]) == ["RBIG"]
    assert tuple(table) == COLUMNS
    assert (table["again"] > 0.0).all()
    assert "import destructors.flows" in capsys.readouterr().out
