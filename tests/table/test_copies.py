"""A fit says that columns are equal, in a warning of its own class."""

import warnings

import numpy as np
import pytest

from destructors.exceptions import DataWarning
from destructors.linear import Standardize

X = np.random.default_rng(0).normal(size=(50, 3))


def test_equal_columns_are_told_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"]).assign(d=X[:, 1])
    with pytest.warns(DataWarning, match="Columns b, d are equal"):
        Standardize().fit(frame)


def test_the_warning_can_be_filtered_by_its_class():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        Standardize().fit(np.c_[X, X])


@pytest.mark.parametrize(
    "rows",
    [
        X,
        np.ones((50, 2)),
        np.c_[X[:10], X[:10]],
        np.c_[X[:, 0], np.r_[X[:49, 0], 0.0]],
    ],
    ids=["different", "constant", "few rows", "but for one row"],
)
def test_nothing_is_said_of_other_columns(rows):
    Standardize().fit(rows)
