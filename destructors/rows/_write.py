"""Blocks of numbers to a file, one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from destructors.maps._replace import replaced
from destructors.rows._arrow_sources import import_pyarrow


def write_rows(
    path: str | PathLike[str],
    blocks: Iterable[Any],
    *,
    names: Sequence[str] | None = None,
) -> Path:
    """Write blocks of rows to a file, with no more than one in memory.

    What `transform`, `inverse_transform` and `score_samples` yield for rows of
    `open_rows` are such blocks. An interruption or error leaves the old file or the new
    one, never half of one.

    Parameters
    ----------
    path : path-like
        File whose name ends in ``.npy`` or ``.parquet`` (which needs the extra
        ``tables``).
    blocks : iterable of ndarray or DataFrame
        Frames of the same columns, to Parquet; or arrays, all of one dtype, and of one
        shape but for their lengths: (n_rows, n_columns), or (n_rows,), such as scores.
    names : sequence of str, default=None
        Names of the columns in a Parquet file; ``x0``, ``x1`` … without.

    Returns
    -------
    path : pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the name ends otherwise, there are no blocks, or they do not fit together.
    ImportError
        If pyarrow is needed and not installed.

    See Also
    --------
    open_rows : Read them again.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from destructors import write_rows
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "squares.npy")
    ...     _ = write_rows(path, (np.arange(i) ** 2 for i in (2, 3)))
    ...     np.load(path)
    array([0, 1, 0, 1, 4])
    """
    path = Path(path)
    if path.suffix not in (".npy", ".parquet"):
        raise ValueError(f"{path} must end in .npy or .parquet.")
    write = _write_npy if path.suffix == ".npy" else _write_parquet
    with replaced(path) as temporary:
        write(temporary, _alike(blocks), names)
    return path


def _alike(blocks: Iterable[Any]) -> Iterator[Any]:
    """Yield blocks, if there are any and they fit together."""
    kind = None
    for block in blocks:
        if _is_frame(block):
            here: Any = tuple(block.columns), tuple(map(str, block.dtypes))
        elif isinstance(block, np.ndarray) and block.ndim in (1, 2):
            here = block.shape[1:], block.dtype
        else:
            raise ValueError(
                "Each block must be an array of one or two dimensions, or a frame."
            )
        if kind not in (None, here):
            raise ValueError(
                f"A block has the columns and the dtype {here}, those before {kind}."
            )
        kind = here
        yield block
    if kind is None:
        raise ValueError("There are no blocks to write.")


def _is_frame(block: Any) -> bool:
    return hasattr(block, "columns") and hasattr(block, "dtypes")


def _write_npy(path: Path, blocks: Iterator[NDArray], names: Any) -> None:
    n_rows, header = 0, {}
    with open(path, "wb") as file:
        for block in blocks:
            if _is_frame(block):
                raise ValueError(f"{path.name} must end in .parquet to hold frames.")
            if not n_rows:
                header = npy.header_data_from_array_1_0(np.ascontiguousarray(block))
                npy.write_array_header_1_0(file, header)
            np.ascontiguousarray(block).tofile(file)
            n_rows += len(block)
        # NumPy leaves room in the header for any number of rows.
        file.seek(0)
        header["shape"] = (n_rows, *header["shape"][1:])
        npy.write_array_header_1_0(file, header)


def _write_parquet(path: Path, blocks: Iterator[NDArray], names: Any) -> None:
    pyarrow, parquet = import_pyarrow(), import_pyarrow("parquet")
    writer = None
    try:
        for block in blocks:
            if _is_frame(block):
                table = pyarrow.Table.from_pandas(block, preserve_index=False)
            else:
                columns = list(block.T) if block.ndim == 2 else [block]
                names = names or [f"x{j}" for j in range(len(columns))]
                if len(names) != len(columns):
                    raise ValueError(
                        f"names has {len(names)} entries for {len(columns)} columns."
                    )
                table = pyarrow.table(dict(zip(names, columns, strict=True)))
            if writer is None:
                writer = parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
