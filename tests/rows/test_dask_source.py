"""Tables of Dask, part by part."""

import numpy as np
import pandas as pd
import pytest

from destructors import open_rows
from destructors.linear import Whitening

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

X = np.random.default_rng(0).gamma(2.0, size=(250, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


def frames(frame=FRAME):
    return dd.from_pandas(frame, npartitions=4)


@pytest.mark.parametrize("chunks", [(70, 2), (250, 3), ((0, 200, 50), 1)])
def test_blocks_of_an_array_are_those_of_its_rows(chunks):
    rows = open_rows(da.from_array(X, chunks=chunks), block_size=100)
    assert [len(block) for block in rows] == [100, 100, 50]
    np.testing.assert_array_equal(np.concatenate(list(rows)), X)
    np.testing.assert_array_equal(rows.read(1)[0], X[100:200])


def test_columns_of_a_dataframe_have_names():
    rows = open_rows(frames(), columns=["c", "a"], weight="b", block_size=100)
    assert rows.names == ("c", "a")
    blocks = list(rows.weighted_blocks())
    np.testing.assert_array_equal(np.concatenate([v for v, _ in blocks]), X[:, [2, 0]])
    np.testing.assert_array_equal(np.concatenate([w for _, w in blocks]), X[:, 1])


def test_a_fit_is_that_of_the_array(tmp_path):
    expected = Whitening().fit(open_rows(X, block_size=100)).map_.digest()
    for table in (da.from_array(X, chunks=(90, 3)), frames()):
        rows = open_rows(table, block_size=100, scratch=tmp_path)
        assert Whitening().fit(rows).map_.digest() == expected
    assert not list(tmp_path.iterdir())


def test_parts_without_rows_are_passed_over():
    ordered = FRAME.sort_values("a").reset_index(drop=True)
    least = ordered["a"][80]
    table = frames(ordered)
    found = np.concatenate(list(open_rows(table[table["a"] > least])))
    np.testing.assert_array_equal(found, ordered.to_numpy()[81:])


def test_holes_and_other_types_are_told_with_their_part():
    frame = FRAME.astype({"b": "Float64"})
    frame.loc[200, "b"] = pd.NA
    with pytest.raises(
        ValueError, match=r"Part 3 .*: nan in column 'b', row 200 of the"
    ):
        list(open_rows(frames(frame)))
    frame = FRAME.assign(b="x")
    with pytest.raises(TypeError, match="column 'b' must hold numbers"):
        list(open_rows(frames(frame)))
    with pytest.raises(ValueError, match="two dimensions"):
        open_rows(da.ones(5))
    with pytest.raises(TypeError, match="Dask array must hold numbers"):
        open_rows(da.from_array(np.full((3, 2), "x")))


def test_a_part_that_cannot_be_computed_is_named():
    def fail(block):
        raise OSError("gone")

    broken = da.from_array(X, chunks=(90, 3)).map_blocks(fail, dtype=float)
    with pytest.raises(OSError, match=r"Part 0 of the Dask table cannot be read: gone"):
        list(open_rows(broken))
