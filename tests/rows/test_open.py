"""Tables that are read block by block: where from, and what may be wrong with them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from destructors import open_rows, write_rows

X = np.random.default_rng(0).gamma(2.0, size=(250, 3))
NAMES = ["a", "b", "c"]


def write_parquet(path, X, names=NAMES, **options):
    pd.DataFrame(X, columns=names).to_parquet(path, index=False, **options)
    return path


def open_as(kind, folder):
    """Return the table of X, in blocks of 100 rows, from a source of some kind."""
    path = folder / f"rows.{kind}"
    if kind == "npy":
        np.save(path, X)
    elif kind == "array":
        path = X
    elif kind == "memmap":
        np.save(folder / "mapped.npy", X)
        path = np.load(folder / "mapped.npy", mmap_mode="r")
    elif kind == "fortran":
        path = folder / "fortran.npy"
        np.save(path, np.asfortranarray(X))
    elif kind == "parquet":
        write_parquet(path, X, row_group_size=70)
    elif kind == "folder":
        path = folder / "parts"
        path.mkdir()
        for i, part in enumerate(np.split(X, [30, 180])):
            # Columns of a file are found by name.
            write_parquet(path / f"{i}.parquet", part[:, ::-1], NAMES[::-1])
        write_parquet(path / "0.parquet", X[:30])
    elif kind in ("csv", "csv.gz"):
        pd.DataFrame(X, columns=NAMES).to_csv(path, index=False)
    else:
        path = [lambda part=part: part for part in np.split(X, [1, 180])]
    return open_rows(path, block_size=100, scratch=folder)


SOURCES = (
    "npy", "array", "memmap", "fortran", "parquet", "folder", "csv", "csv.gz", "loaders"
)  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
def test_blocks_are_those_of_the_table_whatever_the_source(kind, tmp_path):
    rows = open_as(kind, tmp_path)
    for _ in range(2):
        blocks = list(rows)
        assert [len(block) for block in blocks] == [100, 100, 50]
        np.testing.assert_array_equal(np.concatenate(blocks), X)
    np.testing.assert_array_equal(rows.read(1)[0], X[100:200])
    with pytest.raises(IndexError, match="no block 3"):
        rows.read(3)


@pytest.mark.parametrize("kind", ["parquet", "csv", "npy"])
def test_columns_and_weights_are_named_or_numbered(kind, tmp_path):
    open_as(kind, tmp_path)
    path = tmp_path / f"rows.{kind}"
    first, weight = (0, -1) if kind == "npy" else ("a", "c")
    [[values, found]] = open_rows(
        path, columns=[first], weight=weight
    ).weighted_blocks()
    np.testing.assert_array_equal(values, X[:, :1])
    np.testing.assert_array_equal(found, X[:, 2])
    rest = open_rows(path, weight=weight)
    assert rest.n_features == 2
    assert rest.names == (None if kind == "npy" else ("a", "b"))


def test_integers_are_read_as_numbers_even_where_later_lines_have_digits(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("a,b\n" + "1,2\n" * 400_000 + "1.5,2\n")
    *_, last = open_rows(path)
    assert last[-1].tolist() == [1.5, 2.0]


# ---------------------------------------------------------------- bad input


def test_a_value_that_is_missing_is_named_with_file_block_and_column(tmp_path):
    for i in range(3):
        part = X[:100].copy()
        if i == 2:
            part[7, 1] = np.nan
        write_parquet(tmp_path / f"{i}.parquet", part)
    with pytest.raises(
        ValueError, match=r"2\.parquet: nan in column 'b', row 207 of .* \(block 2\)"
    ):
        list(open_rows(tmp_path, block_size=100))
    part = X.copy()
    part[110, 2] = np.inf
    with pytest.raises(ValueError, match=r"inf in column 2, row 110 .* \(block 1\)"):
        list(open_rows(part, block_size=100))


def test_a_hole_in_a_csv_file_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n,3\n")
    with pytest.raises(ValueError, match=r"x\.csv: nan in column 'a', row 1"):
        list(open_rows(tmp_path / "x.csv"))


def test_other_columns_are_told(tmp_path):
    write_parquet(tmp_path / "0.parquet", X)
    write_parquet(tmp_path / "1.parquet", X, ["a", "b", "d"])
    with pytest.raises(
        ValueError,
        match=r"1\.parquet has other columns than .*0\.parquet: it lacks 'c' and it "
        "has also 'd'",
    ):
        list(open_rows(tmp_path))
    loaders = [lambda: X, lambda: X[:, :2]]
    with pytest.raises(
        ValueError, match="loader 1 returns has 2 columns, and loader 0"
    ):
        list(open_rows(loaders))


def test_other_dtypes_are_told(tmp_path):
    write_parquet(tmp_path / "0.parquet", X)
    write_parquet(tmp_path / "1.parquet", np.full((5, 3), "x"))
    with pytest.raises(TypeError, match=r"1\.parquet: column 'a' must hold numbers"):
        list(open_rows(tmp_path))
    with pytest.raises(
        TypeError, match=r"loader 0 returns must hold numbers, got .*<U1"
    ):
        open_rows([lambda: np.full((5, 3), "x")])
    (tmp_path / "x.csv").write_text("a,b\n1,2\n" + "1,2\n" * 400_000 + "u,3\n")
    with pytest.raises(ValueError, match=r"x\.csv cannot be read: .*'u'"):
        list(open_rows(tmp_path / "x.csv"))
    (tmp_path / "y.csv").write_text("a,b\n1,u\n")
    with pytest.raises(TypeError, match=r"y\.csv: column 'b' must hold numbers"):
        list(open_rows(tmp_path / "y.csv"))


def test_parts_without_rows_are_told(tmp_path):
    write_parquet(tmp_path / "0.parquet", X)
    write_parquet(tmp_path / "1.parquet", X[:0])
    with pytest.raises(ValueError, match=r"1\.parquet has no rows"):
        list(open_rows(tmp_path))
    with pytest.raises(ValueError, match="loader 1 returns has no rows"):
        list(open_rows([lambda: X, lambda: X[:0]]))
    np.save(tmp_path / "x.npy", X[:0])
    with pytest.raises(ValueError, match=r"x\.npy has no rows"):
        open_rows(tmp_path / "x.npy")
    (tmp_path / "x.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match=r"no rows"):
        list(open_rows(tmp_path / "x.csv"))


def test_a_file_that_vanishes_or_changes_is_told(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, X)
    rows = open_rows(path, block_size=100)
    np.save(path, X[:, :2])
    with pytest.raises(ValueError, match=r"x\.npy has changed since it was opened"):
        list(rows)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.npy cannot be read \(rows from 0"):
        list(rows)
    for i in range(2):
        write_parquet(tmp_path / f"{i}.parquet", X)
    rows = open_rows(tmp_path)
    (tmp_path / "1.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"1\.parquet cannot be read"):
        list(rows)


def test_a_damaged_file_is_told(tmp_path):
    write_parquet(tmp_path / "0.parquet", X)
    (tmp_path / "1.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"1\.parquet cannot be read"):
        list(open_rows(tmp_path))


@pytest.mark.parametrize(
    ("source", "options", "error", "match"),
    [
        ("nowhere.npy", {}, FileNotFoundError, r"no file or folder nowhere\.npy"),
        (3, {}, TypeError, "source must be the path"),
        ([], {}, TypeError, "source must be the path"),
        (X[:, 0], {}, ValueError, "two dimensions"),
        (X, {"columns": ["a"]}, TypeError, "have no names"),
        (X, {"columns": [3]}, ValueError, "no column 3; there are 3"),
        (X, {"columns": "ab"}, TypeError, "columns must be a list"),
        (X, {"columns": []}, ValueError, "No columns"),
        (X, {"weight": np.ones(3)}, ValueError, "one entry a row"),
        (X, {"weight": -np.ones(250)}, ValueError, "not negative"),
        (X, {"block_size": 0}, ValueError, "block_size"),
        (X, {"engine": 2}, TypeError, "method submit"),
    ],
)
def test_nonsense_is_refused(source, options, error, match):
    with pytest.raises(error, match=match):
        open_rows(source, **options)


def test_a_folder_of_nothing_and_names_that_end_otherwise_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no file that ends in \.parquet"):
        open_rows(tmp_path)
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(ValueError, match="must end in"):
        open_rows(tmp_path / "x.txt")
    path = write_parquet(tmp_path / "x.parquet", X)
    with pytest.raises(ValueError, match="no column 'd'; there are 'a', 'b', 'c'"):
        open_rows(path, columns=["d"])


def test_negative_weights_are_told_when_they_are_read(tmp_path):
    part = X.copy()
    part[120, 0] = -1.0
    with pytest.raises(ValueError, match=r"holds the weights, and one is negative"):
        list(open_rows(part, weight=0))


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
def test_what_is_written_is_read_again(suffix, tmp_path):
    rows = open_rows(X, block_size=100)
    path = write_rows(tmp_path / f"again.{suffix}", rows)
    np.testing.assert_array_equal(np.concatenate(list(open_rows(path))), X)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_vectors_and_integers_are_written_as_they_are(tmp_path):
    path = write_rows(tmp_path / "x.npy", (np.arange(i) for i in (3, 0, 2)))
    np.testing.assert_array_equal(np.load(path), [0, 1, 2, 0, 1])
    path = write_rows(tmp_path / "x.parquet", [X[:, 0], X[:, 1]], names=["score"])
    assert pd.read_parquet(path)["score"].tolist() == [*X[:, 0], *X[:, 1]]


def test_a_file_stays_what_it_was_where_blocks_fail(tmp_path):
    path = write_rows(tmp_path / "x.npy", [X])
    with pytest.raises(ValueError, match="columns and the dtype"):
        write_rows(path, [X, X[:, :2]])
    with pytest.raises(ValueError, match="no blocks"):
        write_rows(path, [])
    with pytest.raises(ValueError, match=r"must end in \.npy or \.parquet"):
        write_rows(tmp_path / "x.csv", [X])
    with pytest.raises(ValueError, match="names has 1 entries for 3 columns"):
        write_rows(tmp_path / "x.parquet", [X], names=["a"])
    np.testing.assert_array_equal(np.load(path), X)


def test_an_engine_takes_the_blocks():
    from destructors.linear import Whitening

    with ThreadPoolExecutor(2) as pool:
        asked = []
        submit = pool.submit
        pool.submit = lambda *job: asked.append(1) or submit(*job)
        model = Whitening().fit(open_rows(X, block_size=50, engine=pool))
    alone = Whitening().fit(open_rows(X, block_size=50))
    assert model.to_density().digest() == alone.to_density().digest()
    assert len(asked) >= 5
