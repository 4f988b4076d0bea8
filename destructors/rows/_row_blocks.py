"""Tables that are larger than memory: opened, cut into blocks, checked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from destructors.rows._encoded import Encoder, check_labels, cut, part_last
from destructors.rows._passes import Origin, Table
from destructors.rows._rows import Rows
from destructors.rows._scratch import Scratch
from destructors.rows._sources import find_source
from destructors.rows._stored import StoredRows
from destructors.rows._weights import Size, join_sizes, size_of_weights
from destructors.rows.engines import find_engine


class RowBlocks:
    """A table that is read block by block; made by `open_rows`.

    Iterating yields its blocks: arrays of float64 of shape (n_rows, n_features), all
    of ``block_size`` rows but the last.

    Parameters
    ----------
    source, columns, weight, domain, block_size, engine, scratch : object
        As in `open_rows`.

    Attributes
    ----------
    n_features : int
        Number of columns that are read, without weights and labels of domains.
    names : tuple of str or None
        Their names, if they have any.
    block_size : int
        Number of rows of a block.
    """

    def __init__(
        self,
        source: Any,
        columns: Sequence[Any] | None,
        weight: Any,
        domain: Any,
        block_size: int,
        engine: Any,
        scratch: Any,
    ):
        if not isinstance(block_size, int | np.integer) or block_size < 1:
            raise ValueError(
                f"block_size must be an integer of at least 1, got {block_size!r}."
            )
        self.block_size = int(block_size)
        self._engine, self._scratch = find_engine(engine), scratch
        self._source = find_source(source)
        width, names = self._source.width, self._source.names
        self._weight: NDArray | None = None
        weight_at = domain_at = None
        if self._engine is not None and not self._engine.is_local:
            self._check_travels(weight, domain)
        self._labels: NDArray | None = None
        if isinstance(domain, str | int | np.integer):
            domain_at = self._find(domain, "domain")
        elif domain is not None:
            self._labels = np.asarray(domain)
            n_rows = self._source.n_rows
            if self._labels.ndim != 1 or n_rows not in (None, len(self._labels)):
                raise ValueError(
                    "domain must have one label a row, got the shape "
                    f"{self._labels.shape}."
                )
        if weight is not None and not isinstance(weight, str | int | np.integer):
            self._weight = np.asarray(weight, dtype=np.float64)
            if not (np.isfinite(self._weight) & (self._weight >= 0)).all():
                raise ValueError("weight must be finite and not negative.")
            n_rows = self._source.n_rows
            if self._weight.ndim != 1 or n_rows not in (None, len(self._weight)):
                raise ValueError(
                    f"weight must have one entry a row, got the shape "
                    f"{self._weight.shape}."
                )
        elif weight is not None:
            weight_at = self._find(weight, "weight")
        if columns is None:
            chosen = [j for j in range(width) if j not in (weight_at, domain_at)]
        elif isinstance(columns, str):
            raise TypeError(f"columns must be a list, got {columns!r}.")
        else:
            chosen = [self._find(column, "columns") for column in columns]
        if not chosen:
            raise ValueError("No columns are left to read.")
        self.n_features = len(chosen)
        self.names = None if names is None else tuple(names[j] for j in chosen)
        self._has_weight_column = weight_at is not None
        self._columns = np.array([*chosen, *([] if weight_at is None else [weight_at])])
        # Of tables, the labels too.
        at = self._columns.tolist()
        self._columns_of_tables = np.array(
            at if domain_at is None else [*at, domain_at]
        )
        self._has_domain_column = domain_at is not None

    def __repr__(self) -> str:
        return f"RowBlocks(n_features={self.n_features}, block_size={self.block_size})"

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError(
            "What is asked for here takes rows in memory, and those of open_rows are "
            "read block by block. Give it blocks, one after the other, or as many as "
            "fit: np.concatenate(list(islice(rows, 10)))."
        )

    def __iter__(self) -> Iterator[NDArray]:
        return (values for values, _ in self.weighted_blocks())

    def weighted_blocks(self) -> Iterator[tuple[NDArray, NDArray | None]]:
        """Yield each block, and the weights of its rows.

        Yields
        ------
        values : ndarray of shape (n_rows, n_features)
        weight : ndarray of shape (n_rows,) or None

        Raises
        ------
        ValueError
            If a value is not finite, a weight negative, or there are no rows.
        FileNotFoundError, OSError
            If a file is gone or cannot be read.
        """
        n_rows = 0
        for block in self._cut():
            values, weight = self._part(block, n_rows)
            n_rows += len(block)
            yield values, weight
        if not n_rows:
            raise ValueError("The table has no rows.")
        if self._weight is not None and len(self._weight) != n_rows:
            raise ValueError(
                f"weight has {len(self._weight)} entries for {n_rows} rows."
            )

    def tables(self) -> Iterator[tuple[Any, NDArray | None]]:
        """Yield each block as it is there, and the weights of its rows.

        Yields
        ------
        table : DataFrame or ndarray of shape (n_rows, n_features)
            A frame where columns have names, with categories and missing values.
        weight : ndarray of shape (n_rows,) or None

        Raises
        ------
        ValueError
            If a weight is no non-negative number, or there are no rows.
        """
        return ((table, weight) for table, weight, _ in self.labelled_tables())

    def labelled_tables(self) -> Iterator[tuple[Any, NDArray | None, NDArray | None]]:
        """Yield the same as `tables`, and the labels of domains, if they are named."""
        start = 0
        for parts in cut(self._source.tables(self._columns_of_tables), self.block_size):
            yield self._part_of_table(parts, start)
            start += sum(map(len, parts))
        if not start:
            raise ValueError("The table has no rows.")
        for name, known in (("weight", self._weight), ("domain", self._labels)):
            if known is not None and len(known) != start:
                raise ValueError(f"{name} has {len(known)} entries for {start} rows.")

    def _part_of_table(
        self, parts: list[Any], start: int
    ) -> tuple[Any, NDArray | None, NDArray | None]:
        """Join parts of a block, and part values from weights and labels."""
        block, weight, labels = parts[0], None, None
        if len(parts) > 1 and isinstance(block, np.ndarray):
            block = np.concatenate(parts)
        elif not isinstance(block, np.ndarray):
            # It is there: the frames are of it.
            from pandas import concat

            block = concat(parts, ignore_index=True)
        n_rows = slice(start, start + len(block))
        if self._labels is not None:
            labels = self._labels[n_rows]
        elif self._has_domain_column:
            labels, block = part_last(block)
            labels = check_labels(labels, start)
        if self._has_weight_column:
            weight, block = part_last(block)
            weight = weight.astype(np.float64)
            if not (np.isfinite(weight) & (weight >= 0)).all():
                raise ValueError("Weights must be finite and not negative.")
        elif self._weight is not None:
            weight = self._weight[n_rows]
        return block, weight, labels

    # ------------------------------------------------------------------ for a fit

    def load(self, n_jobs: int | None, encode: Encoder | None = None) -> Rows:
        """Return the rows to learn from: in memory where they are one block.

        All rows are read once, and checked; what can be read in order only is copied to
        the scratch folder.

        Parameters
        ----------
        n_jobs : int or None
            Threads that share the blocks.
        encode : Encoder, default=None
            What makes rows of a table where not all of its columns are numbers, or they
            come from several domains.

        Returns
        -------
        rows : Rows
            Without those of weight zero.

        Raises
        ------
        ValueError
            As `weighted_blocks`, or if all weights are zero or their sum is infinite.
        """
        names = None if self.names is None else np.array(self.names, dtype=object)
        scratch = Scratch(self._scratch)
        is_spooled, spool = self._source.n_rows is None, scratch.new_blocks(0, 0)
        only, has_weight, lengths, extremes = None, False, [], []
        size: Size | None = None
        for place, rows in enumerate(self._each_rows(encode)):
            weight = rows.weight
            only = rows if place == 0 else None
            if is_spooled:
                spool.write(place, rows)
            if weight is not None:
                has_weight = True
                size = join_sizes(size, size_of_weights(weight))
                rows = rows.take(weight > 0)
            lengths.append(len(rows))
            if len(rows):
                extremes.append(rows.extremes)
        if not extremes:
            raise ValueError("All weights are zero.")
        if only is not None:
            rows = replace(only, weight=None, names=names, n_jobs=n_jobs)
            return rows if only.weight is None else rows.weighted(only.weight)
        kinds = None if encode is None else encode.kinds

        stored = StoredRows(
            Origin(
                load=Table(
                    partial(self.read_rows, encode=encode),
                    spool if is_spooled else None,
                    size,
                ),
                lengths=np.array(lengths),
                n_features=self.n_features,
                has_weight=has_weight,
                scratch=scratch,
                names=names,
                n_jobs=n_jobs,
                engine=self._engine,
                kinds=kinds,
                has_context=encode is not None and encode.domains is not None,
            ),
            names=names,
            kinds=kinds,
        )
        stored.know_extremes(extremes)
        return stored

    def read(self, place: int) -> tuple[NDArray, NDArray | None]:
        """Return a block, and the weights of its rows; see `weighted_blocks`.

        What can be read in order only is read up to there.

        Parameters
        ----------
        place : int
            Number of the block, from zero on.

        Returns
        -------
        values : ndarray of shape (n_rows, n_features)
        weight : ndarray of shape (n_rows,) or None

        Raises
        ------
        IndexError
            If there is no such block.
        """
        start = place * self.block_size
        n_rows = self._source.n_rows
        if n_rows is None:
            block = next(islice(self._cut(), place, None), None)
        elif 0 <= start < n_rows:
            where, block = self._source.read(
                start, start + self.block_size, self._columns
            )
            self._check(where, block, start)
        else:
            block = None
        if block is None:
            raise IndexError(f"There is no block {place}.")
        return self._part(block, start)

    def read_rows(self, place: int, encode: Encoder | None = None) -> Rows:
        """Return a block as rows to learn from, with weights as they are given.

        Parameters
        ----------
        place : int
            Number of the block, from zero on.
        encode : Encoder, default=None
            As in `load`.
        """
        if encode is None:
            return Rows.of(*self.read(place))
        if self._source.n_rows is None:
            known = next(islice(self.labelled_tables(), place, None))
        else:
            start = place * self.block_size
            stop = start + self.block_size
            _, table = self._source.read_table(start, stop, self._columns_of_tables)
            known = self._part_of_table([table], start)
        return encode(*known, where=f"Block {place}")

    def _each_rows(self, encode: Encoder | None) -> Iterator[Rows]:
        """Yield the blocks as `read_rows` returns them."""
        if encode is None:
            yield from (Rows.of(*known) for known in self.weighted_blocks())
            return
        for place, known in enumerate(self.labelled_tables()):
            yield encode(*known, where=f"Block {place}")

    # ------------------------------------------------------------------ steps

    def __getstate__(self) -> dict[str, Any]:
        # Who reads a block asks nobody else to.
        return self.__dict__ | {"_engine": None}

    def _check_travels(self, weight: Any, domain: Any) -> None:
        """Raise TypeError if other processes cannot read the rows."""
        what = "" if self._source.travels else "source is an array in memory"
        for name, given in (("weight", weight), ("domain", domain)):
            if given is not None and not isinstance(given, str | int | np.integer):
                what = f"{name} is an array in memory, not a column of the table"
        if what:
            raise TypeError(
                f"{what}, and the workers of engine are other processes, which do not "
                "see it. Write it to a file: write_rows(path, [array])."
            )

    def _find(self, column: Any, parameter: str) -> int:
        """Return the position of a column."""
        names, width = self._source.names, self._source.width
        if isinstance(column, int | np.integer):
            if not -width <= column < width:
                raise ValueError(
                    f"{parameter}: there is no column {column}; there are {width}."
                )
            return int(column) % width
        if names is None:
            raise TypeError(
                f"{parameter}: the columns of arrays have no names, give positions; "
                f"got {column!r}."
            )
        if column not in names:
            raise ValueError(
                f"{parameter}: there is no column {column!r}; there are "
                f"{', '.join(map(repr, names[:20]))}."
            )
        return names.index(column)

    def _cut(self) -> Iterator[NDArray]:
        """Yield blocks, whatever the parts that the rows come in."""
        if self._source.n_rows is not None:
            for start in range(0, self._source.n_rows, self.block_size):
                stop = start + self.block_size
                where, block = self._source.read(start, stop, self._columns)
                self._check(where, block, start)
                yield block
            return
        parts: list[NDArray] = []
        n_waiting = n_before = 0
        for where, chunk in self._source.chunks(self._columns):
            self._check(where, chunk, n_before)
            n_before += len(chunk)
            while n_waiting + len(chunk) >= self.block_size:
                n_taken = self.block_size - n_waiting
                parts.append(chunk[:n_taken])
                yield np.concatenate(parts)
                chunk, parts, n_waiting = chunk[n_taken:], [], 0
            if len(chunk):
                parts.append(chunk)
                n_waiting += len(chunk)
        if parts:
            yield np.concatenate(parts)

    def _part(self, block: NDArray, start: int) -> tuple[NDArray, NDArray | None]:
        """Part values from weights."""
        if self._has_weight_column:
            # Copies, so that rows lie side by side.
            return block[:, :-1].copy(), block[:, -1].copy()
        if self._weight is None:
            return block, None
        return block, self._weight[start : start + len(block)]

    def _check(self, where: str, rows: NDArray, start: int) -> None:
        """Raise ValueError if numbers are not finite, or weights are negative."""
        wrong = ~np.isfinite(rows)
        what = "is not finite: drop such rows, or fill them in, before"
        if self._has_weight_column and not wrong.any():
            wrong[:, -1] = rows[:, -1] < 0
            what = "holds the weights, and one is negative"
        if not wrong.any():
            return
        row, column = np.argwhere(wrong)[0]
        at = self._columns[column]
        name = at if self._source.names is None else repr(self._source.names[at])
        place = start + int(row)
        raise ValueError(
            f"{where}: {rows[row, column]} in column {name}, row {place} of the table "
            f"(block {place // self.block_size}). The column {what}."
        )
