"""How a table of several kinds of columns becomes rows to learn from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Schema
from destructors.maps._density import encode_labels
from destructors.rows._rows import Rows


@dataclass(frozen=True, eq=False)
class Encoder:
    """Makes rows of a table: numbers, codes of categories, NaN for what is missing.

    Parameters
    ----------
    schema : Schema or None
        What the columns are; None if all are numbers without names.
    owner : str
        Who wants the rows, for messages.
    may_miss : bool
        Whether numbers may be missing.
    domains : ndarray or None
        Labels of the domains that rows come from; None if these are not told.
    """

    schema: Schema | None
    owner: str
    may_miss: bool = False
    domains: NDArray | None = None

    @property
    def kinds(self) -> NDArray | None:
        """Kind of each column; see `Rows`."""
        return None if self.schema is None else self.schema.kinds

    def __call__(
        self, table: Any, weight: NDArray | None, labels: Any, where: str
    ) -> Rows:
        """Return the rows, with weights as they are given.

        Parameters
        ----------
        table : DataFrame or ndarray of shape (n_rows, n_features)
        weight : ndarray of shape (n_rows,) or None
        labels : ndarray of shape (n_rows,) or None
            Labels of domains.
        where : str
            Which part of the table it is, for messages.

        Raises
        ------
        ValueError, TypeError
            If there is something that the schema or the domains do not know.
        """
        schema = self.schema or Schema.of_numbers(table.shape[1])
        try:
            values = schema.encode(
                table, owner=self.owner, training=True, may_miss=self.may_miss
            )
            context = None
            if self.domains is not None:
                # Rows of weight zero have no domain of their own.
                known = np.ones(len(table), bool) if weight is None else weight > 0
                context = np.zeros(len(table), np.int64)
                context[known] = encode_labels(labels[known], self.domains)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{where}: {error}") from error
        return Rows.of(values, weight, context=context, kinds=self.kinds)


def cut(tables: Iterable[tuple[str, Any]], block_size: int) -> Iterator[list[Any]]:
    """Yield the parts of each block, whatever the parts that a table comes in."""
    parts, n_waiting = list[Any](), 0
    for _, table in tables:
        while len(table):
            parts.append(table[: block_size - n_waiting])
            n_waiting += len(parts[-1])
            table = table[len(parts[-1]) :]
            if n_waiting == block_size:
                yield parts
                parts, n_waiting = [], 0
    if parts:
        yield parts


def part_last(block: Any) -> tuple[NDArray, Any]:
    """Return the last column of a table, and the others."""
    if isinstance(block, np.ndarray):
        return block[:, -1].copy(), block[:, :-1]
    return block.iloc[:, -1].to_numpy(), block.iloc[:, :-1]


def check_labels(labels: NDArray, start: int) -> NDArray:
    """Raise ValueError if labels are missing."""
    # Of all values only a missing number differs from itself.
    wrong = np.flatnonzero((labels != labels) | (labels == np.array(None)))
    if len(wrong):
        raise ValueError(
            f"Row {start + wrong[0]} of the table has no label of a domain (NaN or "
            "None): give each row one, or drop such rows."
        )
    return labels
