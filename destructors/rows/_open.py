"""Open a table that need not fit into memory."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from destructors.rows._row_blocks import RowBlocks
from destructors.rows._rows import BLOCK_ROWS


def open_rows(
    source: Any,
    *,
    columns: Sequence[Any] | None = None,
    weight: Any = None,
    domain: Any = None,
    block_size: int = BLOCK_ROWS,
    engine: Any = None,
    scratch: str | PathLike[str] | None = None,
) -> RowBlocks:
    """Open a table that need not fit into memory.

    What comes back is given to ``fit`` in place of ``X`` and ``X_val``, and to
    ``transform``, ``inverse_transform`` and ``score_samples``, which then yield one
    array for each block (`write_rows` writes them to a file); ``score`` takes it too.
    In memory are a few blocks for each thread.

    Parameters
    ----------
    source : path-like, ndarray, Dask array or dataframe, or sequence of callable
        The path of a ``.npy`` file, of a ``.parquet`` file or a folder of such, or of a
        ``.csv`` file (``.csv.gz``) with a line of names; an array, such as a memmap; an
        array or a dataframe of Dask, whose parts are computed one by one; or functions
        that take nothing and each return some of the rows as an array. Columns
        must be numbers, and finite, but where what is fitted knows categories or
        missing values. Parquet and CSV need the
        extra ``tables``.
    columns : sequence of str or of int, default=None
        Names or positions of the columns to read; None for all but weights and labels.
    weight : str, int or array-like of shape (n_rows,), default=None
        Name or position of a column of non-negative weights, or the weights.
    domain : str, int or array-like of shape (n_rows,), default=None
        Name or position of a column of the labels of domains, or the labels: what is
        ``sample_domain`` in memory, for those that align domains.
    block_size : int, default=65_536
        Number of rows of a block. Sums are taken over blocks in their order, so it is
        part of what a fit depends on; number and kind of the files are not.
    engine : Client, Executor or module, default=None
        Who works on blocks in a fit: a ``dask.distributed.Client`` (extra ``dask``),
        the module ``ray`` after ``ray.init()`` (extra ``ray``), or an executor of
        `concurrent.futures` or whatever has its method ``submit``. None for the
        ``n_jobs`` threads of what is fitted. The result does not depend on it, nor on
        workers that end, are slow or come later. Workers that are other processes read
        the files themselves, under the same paths; arrays in memory they cannot.
    scratch : path-like, default=None
        Folder where a fit keeps what layers have made of the rows, in a folder of its
        own that it removes: at the most three times the size of the table in float64,
        and once more for what can be read in order only (all but arrays). None for the
        system's folder of temporary files. On several machines it should be one that
        all see: where a worker does not, it computes blocks again for each layer.

    Returns
    -------
    rows : RowBlocks

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    TypeError, ValueError
        If the source or the engine is nothing of the kind, a column or the weights are
        not there, columns are not numbers, or other processes cannot read the source.
    ImportError
        If pyarrow is needed and not installed.

    See Also
    --------
    write_rows : Write blocks to a file.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from destructors import GaussianCopula, open_rows
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "rows.npy")
    ...     np.save(path, np.random.default_rng(0).gamma(2.0, size=(5000, 2)))
    ...     rows = open_rows(path, block_size=2000)
    ...     model = GaussianCopula().fit(rows)
    ...     [len(scores) for scores in model.score_samples(rows)]
    [2000, 2000, 1000]
    """
    return RowBlocks(source, columns, weight, domain, block_size, engine, scratch)
