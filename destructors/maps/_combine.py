"""Maps of maps: one after the other, side by side, one for each label."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Map, Mapped, Surjection


@dataclass(frozen=True, eq=False, repr=False)
class Chain(Map):
    """Maps one after the other; log-determinants add up.

    ``chain[i]`` is a map, ``chain[:k]`` the chain of the first k.

    Parameters
    ----------
    maps : tuple of Map
        In the order in which data flow. Without any, the chain is the identity.
    """

    maps: tuple[Map, ...]

    @classmethod
    def of(cls, maps: Iterable[Map]) -> "Chain":
        """Return a chain in which no map is itself a chain."""
        flat: list[Map] = []
        for part in maps:
            flat.extend(part.maps if isinstance(part, Chain) else [part])
        return cls(tuple(flat))

    def __len__(self) -> int:
        return len(self.maps)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Map]:
        return iter(self.maps)

    @overload
    def __getitem__(self, index: int) -> Map: ...
    @overload
    def __getitem__(self, index: slice) -> "Chain": ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            return Chain(self.maps[index])
        return self.maps[index]

    @cached_property
    def feature_wise(self) -> bool:
        """Whether all maps are."""
        return all(part.feature_wise for part in self.maps)

    def kinds_after(self, kinds: NDArray) -> NDArray:
        """Return the kinds after the last map."""
        for part in self.maps:
            kinds = part.kinds_after(kinds)
        return kinds

    @cached_property
    def support(self) -> tuple[NDArray, NDArray] | None:
        """That of the first map: what it gives, the others can map."""
        return self.maps[0].support if self.maps else None

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        X, total = X if self.maps else X.copy(), np.zeros(len(X))
        for part in self.maps:
            X, log_det = part.forward(X, context)
            total += log_det
        return X, total

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        Z, total = Z if self.maps else Z.copy(), np.zeros(len(Z))
        for part in reversed(self.maps):
            Z, log_det = part.inverse(Z, context)
            total += log_det
        return Z, total


@dataclass(frozen=True, eq=False, repr=False)
class Columns(Map):
    """A map for each group of columns; the other columns stay what they are.

    Parameters
    ----------
    maps : tuple of Map
        One a group.
    groups : tuple of ndarray of int
        Positions of the columns of each; no column is in two.
    """

    maps: tuple[Map, ...]
    groups: tuple[NDArray, ...]

    @cached_property
    def feature_wise(self) -> bool:
        """Whether all maps are."""
        return all(part.feature_wise for part in self.maps)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._side_by_side("forward", X, context)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._side_by_side("inverse", Z, context)

    def kinds_after(self, kinds: NDArray) -> NDArray:
        """Return the kinds after the map of each group."""
        kinds = kinds.copy()
        for part, columns in zip(self.maps, self.groups, strict=True):
            kinds[columns] = part.kinds_after(kinds[columns])
        return kinds

    def _side_by_side(self, way: str, X: NDArray, context: NDArray | None) -> Mapped:
        Z, total = X.copy(), np.zeros(len(X))
        for part, columns in zip(self.maps, self.groups, strict=True):
            own = np.ascontiguousarray(X[:, columns])
            moved, log_det = getattr(part, way)(own, context)
            # Codes may become numbers.
            Z = Z.astype(np.result_type(Z, moved), copy=False)
            Z[:, columns] = moved
            total += log_det
        return Z, total


@dataclass(frozen=True, eq=False, repr=False)
class Switch(Map):
    """A map for each label, such as a domain.

    Parameters
    ----------
    maps : tuple of Map
        One a label. The context of a row is the number of its label.
    """

    maps: tuple[Map, ...]

    @cached_property
    def feature_wise(self) -> bool:
        """Whether all maps are."""
        return all(part.feature_wise for part in self.maps)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._by_label("forward", X, context)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._by_label("inverse", Z, context)

    def _by_label(self, way: str, X: NDArray, context: NDArray | None) -> Mapped:
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


def is_surjective(part: Map) -> bool:
    """Tell whether a map, or any it is made of, is a `Surjection`."""
    if isinstance(part, Surjection):
        return True
    return any(is_surjective(inner) for inner in getattr(part, "maps", ()))
