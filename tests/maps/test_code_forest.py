"""Codes that follow a forest in each class of a mixture."""

import numpy as np
import pytest
from scipy.special import logsumexp

from destructors.maps import CodeForest


def make_forest(n_columns, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(rng.integers(-1, j) for j in range(1, n_columns))])
    sizes = rng.integers(1, 5, n_columns)
    above = [() if i < 0 else (sizes[i],) for i in parents]
    tables = tuple(
        rng.dirichlet(np.ones(size), (n_classes, *up))
        for size, up in zip(sizes, above, strict=True)
    )
    codes = np.column_stack([rng.integers(0, size, 40) for size in sizes])
    return CodeForest(parents, tables), codes.astype(float)


@pytest.mark.parametrize("n_columns", [1, 7, 500])
def test_whole_rows_have_the_product_of_their_tables(n_columns):
    forest, X = make_forest(n_columns)
    expected = np.zeros((len(X), 3))
    codes = X.astype(int)
    for j, (parent, table) in enumerate(
        zip(forest.parents, forest.tables, strict=True)
    ):
        for i, row in enumerate(codes):
            cell = (row[j],) if parent < 0 else (row[parent], row[j])
            expected[i] += np.log(table[(slice(None), *cell)])
    np.testing.assert_allclose(forest.logpdf(X), expected, rtol=1e-12)
    X[0, -1] = 9.0
    assert (forest.logpdf(X)[0] == -np.inf).all()


@pytest.mark.parametrize("n_columns", [7, 500])
def test_a_row_scores_the_same_beside_rows_with_holes(n_columns):
    forest, X = make_forest(n_columns)
    alone = forest.logpdf(X)
    holed = X.copy()
    holed[::2, 3] = np.nan
    scores = forest.logpdf(holed)
    np.testing.assert_array_equal(scores[1::2], alone[1::2])
    # What is missing is summed out.
    summed = []
    for code in range(forest.n_categories[3]):
        X[:, 3] = code
        summed.append(forest.logpdf(X))
    np.testing.assert_allclose(scores[::2], logsumexp(summed, axis=0)[::2], atol=1e-10)
