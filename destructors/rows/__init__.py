"""What is learned from: rows, blocks of them, and hold-outs by what they contain."""

from destructors.maps._hash import hash_again, hash_rows
from destructors.rows._digest import digest
from destructors.rows._encoded import Encoder
from destructors.rows._folds import known_folds
from destructors.rows._make_folds import make_folds
from destructors.rows._memo import Memo, Store, memo, remember
from destructors.rows._moments import (
    mean_and_scale,
    repeat_rows,
    robust_mean_and_scale,
)
from destructors.rows._open import open_rows
from destructors.rows._row_blocks import RowBlocks
from destructors.rows._rows import CONTINUOUS, INTEGER, Fold, Rows, make_splits
from destructors.rows._running import (
    as_interrupt,
    is_over,
    limited,
    map_threads,
    stop_all,
    time_limit,
)
from destructors.rows._splits import fold_rows, split_rows
from destructors.rows._stored import StoredRows
from destructors.rows._stream import RunningStatistics, StreamRows
from destructors.rows._weights import weighted_mean
from destructors.rows._write import write_rows

__all__ = [
    "CONTINUOUS",
    "INTEGER",
    "Encoder",
    "Fold",
    "Memo",
    "RowBlocks",
    "Rows",
    "RunningStatistics",
    "Store",
    "StoredRows",
    "StreamRows",
    "as_interrupt",
    "digest",
    "fold_rows",
    "hash_again",
    "hash_rows",
    "is_over",
    "known_folds",
    "limited",
    "make_folds",
    "make_splits",
    "map_threads",
    "mean_and_scale",
    "memo",
    "open_rows",
    "remember",
    "repeat_rows",
    "robust_mean_and_scale",
    "split_rows",
    "stop_all",
    "time_limit",
    "weighted_mean",
    "write_rows",
]
