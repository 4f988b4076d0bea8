"""What is odd about data is found, and what is not odd is left alone."""

import numpy as np
import pytest

import destructors

RNG = np.random.default_rng(0)
N = 500
NORMAL = RNG.normal(size=N)
ODD = {
    "constant": np.full(N, 3.0),
    "lattice": RNG.poisson(4.0, N),
    "repeated value": np.where(RNG.uniform(size=N) < 0.3, 0.0, RNG.gamma(2.0, size=N)),
    "sentinel": np.where(RNG.uniform(size=N) < 0.05, -999.0, NORMAL),
    "heavy tail": RNG.standard_t(1.0, N),
    "missing or infinite": np.where(RNG.uniform(size=N) < 0.1, np.nan, NORMAL),
}


@pytest.mark.parametrize("kind", ODD)
def test_one_odd_column_is_found_and_no_other(kind):
    found = destructors.describe(np.c_[RNG.normal(size=N), ODD[kind]])
    assert [(finding.columns, finding.kind) for finding in found] == [((1,), kind)]


@pytest.mark.parametrize(
    "column",
    [
        NORMAL,
        RNG.exponential(size=N),
        RNG.uniform(size=N),
        RNG.normal(size=N).round(6),
        np.r_[RNG.normal(size=N // 2), RNG.normal(9.0, size=N // 2)],
    ],
    ids=["normal", "exponential", "uniform", "rounded", "two modes"],
)
def test_nothing_odd_is_said_of_ordinary_columns(column):
    found = destructors.describe(column[:, None])
    assert len(found) == 0
    assert str(found) == "500 rows of 1 columns: nothing odd."


def test_duplicated_and_collinear_columns():
    x = RNG.normal(size=(N, 3))
    table = np.c_[x, x[:, 0] + x[:, 1], -2.0 * x[:, 2] + 1.0, x[:, 2]]
    first, second = destructors.describe(table)
    assert (first.kind, first.columns) == ("duplicated", (2, 4, 5))
    assert (second.kind, second.columns) == ("collinear", (0, 1, 3))
    [equal] = destructors.describe(np.c_[x[:, 0], x[:, 0]])
    assert equal.detail == "equal"


def test_equal_rows():
    X = RNG.normal(size=(100, 2))
    found = destructors.describe(np.vstack([X, X[:30]]))
    assert [finding.kind for finding in found] == ["equal rows"]
    assert "23.1 %" in found.findings[0].detail
    # Of discrete columns rows are equal without being copies.
    counts = RNG.integers(3, size=(200, 2))
    assert not destructors.describe(counts).of_kind("equal rows")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_described_by_name_and_with_texts(library):
    module = pytest.importorskip(library)
    frame = module.DataFrame(
        {"x": NORMAL, "city": ["Bern", "Basel"] * (N // 2), "n": ODD["lattice"]}
    )
    found = destructors.describe(frame)
    assert [finding.columns for finding in found] == [("city",), ("n",)]
    assert found.findings[0].kind == "no numbers"
    assert found.findings[0].detail == "2 values"
    assert "Dequantizer()" in str(found)
    assert "<td>city</td>" in found._repr_html_()


def test_what_is_no_table_is_refused():
    with pytest.raises(ValueError, match="2D array"):
        destructors.describe([1.0, 2.0])


def test_the_largest_numbers_are_described_as_others_are():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    X[:, 2] = X[:, 0] + X[:, 1]
    X[:10, 0] = 40.0
    kinds = [
        [each.kind for each in destructors.describe(X * unit)]
        for unit in (1.0, 2.0**1015)
    ]
    assert kinds[0] == kinds[1]
    assert "sentinel" in " ".join(kinds[0])
