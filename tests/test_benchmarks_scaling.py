"""The scaling job: what it prints and writes."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks import scaling
from benchmarks.__main__ import main


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
    points = pd.read_csv(quick / "scaling.csv")
    assert list(points["varied"]) == [
        size for size in ("n_samples", "n_features", "n_trees") for _ in range(2)
    ]
    assert list(points["n_samples"]) == [250, 2000, *[1000] * 4]
    assert list(points["n_features"]) == [10, 10, 3, 6, 10, 10]
    assert list(points["n_trees"]) == [50, 50, 50, 50, 4, 16]
    assert (points["seconds"] > 0).all()


def test_figures_are_written(quick):
    document = json.loads((quick / "scaling.json").read_text(encoding="utf-8"))
    assert set(document["exponents"]) == {"n_samples", "n_features", "n_trees"}
    assert document["large_fit"]["n_trees"] == 50
    assert document["large_fit"]["n_samples"] == 10_000
    assert document["one_tree"]["n_leaves"] > 1
    assert document["many_rows"]["n_samples"] == [5_000, 10_000, 20_000, 40_000]
    rates = [
        document["rates"][f"{way}_rows_per_second_n_jobs_{n}"]
        for way in ("score", "sample")
        for n in (1, 2)
    ]
    assert min(rates) > 0
    assert (quick / "scaling.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_is_the_slope_in_logarithms(power):
    points = pd.DataFrame({"n_trees": [5, 10, 40]})
    points["seconds"] = 0.01 * points["n_trees"] ** power
    assert np.isclose(scaling.exponent(points, "n_trees"), power)
