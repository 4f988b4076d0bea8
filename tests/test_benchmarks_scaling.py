"""The scaling job: what it prints and writes."""

import csv
import json

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.__main__ import main
from benchmarks.scaling import Point, exponent


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            scaling,
            "_SIZES",
            {"n_samples": [5_000, 40_000], "n_features": [3, 6], "n_trees": [4, 16]},
        )
        arguments = ["--quick", "--repeats", "1", "--output", str(folder)]
        assert main(["scaling", *arguments]) == 0
    return folder


def test_points_are_written(quick):
    with open(quick / "scaling.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["varied"] for row in rows] == [
        size for size in ("n_samples", "n_features", "n_trees") for _ in range(2)
    ]
    assert [int(row["n_samples"]) for row in rows] == [250, 2000, *[1000] * 4]
    assert min(float(row["seconds"]) for row in rows) > 0


def test_figures_are_written(quick):
    document = json.loads((quick / "scaling.json").read_text(encoding="utf-8"))
    assert set(document["exponents"]) == {"n_samples", "n_features", "n_trees"}
    assert document["large_fit"]["n_trees"] == 50
    assert document["large_fit"]["n_samples"] == 10_000
    assert document["one_tree"]["n_leaves"] > 1
    rates = [
        document["rates"][f"{way}_rows_per_second_n_jobs_{n}"]
        for way in ("score", "sample")
        for n in (1, 2)
    ]
    assert min(rates) > 1000
    assert (quick / "scaling.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_is_the_slope_in_logarithms(power):
    points = [
        Point("n_trees", 100, 3, n_trees, 0.01 * n_trees**power)
        for n_trees in (5, 10, 40)
    ] + [Point("n_samples", 10, 3, 7, 1.0)]
    assert np.isclose(exponent(points, "n_trees"), power)
