"""Maps of maps: one after the other, side by side, for each label."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._along import join_slices
from destructors.maps._blocks import Way
from destructors.maps._checks import are_positions
from destructors.maps._map import BothWays, Map, Mapped, Surjection


@dataclass(frozen=True, eq=False, repr=False)
class _Combined(BothWays):
    """Base of maps of maps."""

    maps: tuple[Map, ...]

    @cached_property
    def feature_wise(self) -> bool:
        """Whether all maps are."""
        return all(part.feature_wise for part in self.maps)


@dataclass(frozen=True, eq=False, repr=False)
class Chain(_Combined):
    """Maps one after the other; log-determinants add up.

    ``chain[i]`` is a map, ``chain[:k]`` the chain of the first k.

    Parameters
    ----------
    maps : tuple of Map
        In the order in which data flow. Without any, the chain is the identity.
    """

    @classmethod
    def of(cls, maps: Iterable[Map]) -> "Chain":
        """Return a chain in which no map is itself a chain."""
        return cls(tuple(_flat(maps)))

    def __len__(self) -> int:
        return len(self.maps)

    def __iter__(self) -> Iterator[Map]:
        return iter(self.maps)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Chain(self.maps[index])
        return self.maps[index]

    def kinds_after(self, kinds: NDArray) -> NDArray:
        """Return the kinds after the last map."""
        for part in self.maps:
            kinds = part.kinds_after(kinds)
        return kinds

    def keeps(self, codes: NDArray) -> NDArray:
        """Return the columns whose code all maps keep; see `Map.keeps`."""
        kept = np.ones(len(codes), dtype=bool)
        for part in self.maps:
            kept &= part.keeps(codes)
        return kept

    @cached_property
    def support(self) -> tuple[NDArray, NDArray] | None:
        """That of the first map: what it gives, the others can map."""
        return self.maps[0].support if self.maps else None

    @cached_property
    def _steps(self) -> list[Any]:
        """The maps, without chains; those that one kernel takes together as one."""
        return join_slices(list(_flat(self.maps)))

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        X, total = X if self.maps else X.copy(), np.zeros(len(X))
        for part in self._steps if way == "forward" else reversed(self._steps):
            X, log_det = getattr(part, way)(X, context)
            total += log_det
        return X, total


@dataclass(frozen=True, eq=False, repr=False)
class Columns(_Combined):
    """A map for each group of columns; the other columns stay what they are.

    Where a group is a single column, NaN stays NaN and adds nothing to the
    log-determinant: what is missing is left out.

    Parameters
    ----------
    maps : tuple of Map
        One a group.
    groups : tuple of ndarray of int
        Positions of the columns of each; no column is in two.
    """

    groups: tuple[NDArray, ...]

    @property
    def lets_missing(self) -> bool:
        """Whether each map is of a column alone."""
        return all(len(columns) == 1 for columns in self.groups)

    def is_valid(self) -> bool:
        """Return whether there are columns for each map, none for two."""
        return len(self.groups) == len(self.maps) and are_positions(
            np.concatenate([np.empty(0, np.int64), *self.groups])
        )

    def kinds_after(self, kinds: NDArray) -> NDArray:
        """Return the kinds after the map of each group."""
        kinds = kinds.copy()
        for part, columns in zip(self.maps, self.groups, strict=True):
            kinds[columns] = part.kinds_after(kinds[columns])
        return kinds

    def keeps(self, codes: NDArray) -> NDArray:
        """Return the columns whose code the map of their group keeps."""
        kept = np.ones(len(codes), dtype=bool)
        for part, columns in zip(self.maps, self.groups, strict=True):
            kept[columns] = part.keeps(codes[columns])
        return kept

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        Z, total = X.copy(), np.zeros(len(X))
        for part, columns in zip(self.maps, self.groups, strict=True):
            own = np.ascontiguousarray(X[:, columns])
            moved, log_det = _pass_known(getattr(part, way), own, context)
            # Codes may become numbers.
            Z = Z.astype(np.result_type(Z, moved), copy=False)
            Z[:, columns] = moved
            total += log_det
        return Z, total


@dataclass(frozen=True, eq=False, repr=False)
class Switch(_Combined):
    """A map for each label, such as a domain.

    Parameters
    ----------
    maps : tuple of Map
        One a label. The context of a row is the number of its label.
    """

    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        if context is None:
            raise ValueError(
                "This map depends on a label (the domain) of each row: give context."
            )
        if len(context) and not 0 <= context.min() <= context.max() < len(self.maps):
            raise ValueError(f"Labels must be numbers below {len(self.maps)}.")
        Z, log_det = np.empty_like(X), np.empty(len(X))
        for label, part in enumerate(self.maps):
            rows = np.flatnonzero(context == label)
            if len(rows) == len(X):
                # Gathering and scattering would take longer than many a map.
                return getattr(part, way)(X)
            if len(rows):
                Z[rows], log_det[rows] = getattr(part, way)(X[rows])
        return Z, log_det


def _flat(maps: Iterable[Map]) -> Iterator[Map]:
    for part in maps:
        if isinstance(part, Chain):
            yield from _flat(part.maps)
        else:
            yield part


def _pass_known(way: Way, column: NDArray, context: NDArray | None) -> Mapped:
    """Return what a map makes of a group of columns, NaN where a lone one has it."""
    if column.shape[1] != 1 or column.dtype.kind != "f":
        return way(column, context)
    known = ~np.isnan(column[:, 0])
    if known.all():
        return way(column, context)
    moved, log_det = np.full(column.shape, np.nan), np.zeros(len(column))
    if known.any():
        own = None if context is None else context[known]
        moved[known], log_det[known] = way(column[known], own)
    return moved, log_det


def is_surjective(part: Map) -> bool:
    """Return whether a map, or any it is made of, is a `Surjection`."""
    inner = getattr(part, "maps", ())
    return isinstance(part, Surjection) or any(map(is_surjective, inner))
