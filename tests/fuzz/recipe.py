"""What recipes of tables share: ingredients, streams of their own, and smaller ones."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Self
from zlib import crc32

import numpy as np

__all__ = ["BaseRecipe", "Part", "Rng"]

Rng = np.random.Generator


class Part(NamedTuple):
    """Columns of one kind.

    Attributes
    ----------
    ingredients : mapping of str to callable
        What a column can be made of.
    plainest : str
        The simplest of these.
    is_needed : bool
        Whether a table must have one such column.
    """

    ingredients: Mapping[str, Callable[[Rng, int], Any]]
    plainest: str
    is_needed: bool


class BaseRecipe:
    """Base class of recipes: frozen dataclasses with a tuple of names for each part,
    and with the fields below.
    """

    PARTS: ClassVar[Mapping[str, Part]]

    n_rows: int
    changes: tuple[str, ...]
    weights: str
    seed: int

    def columns_of(self, part: str) -> Iterator[tuple[str, int, Any]]:
        """Yield the ingredient of each column, how many of it came before, values."""
        names = getattr(self, part)
        for j, name in enumerate(names):
            # Not by place: a column stays what it is when another is left out.
            number = names[:j].count(name)
            make = self.PARTS[part].ingredients[name]
            yield name, number, make(self.rng(name, number), self.n_rows)

    def rng(self, *purpose: str | int) -> Rng:
        """Return the stream of what is named."""
        words = [crc32(str(word).encode()) for word in purpose]
        return np.random.default_rng([self.seed, *words])

    def smaller(self) -> list[Self]:
        """Return recipes with something left out, or made plain, the least first."""
        return [replace(self, **change) for change in self._smaller()]  # type: ignore

    def _smaller(self) -> Iterator[dict[str, Any]]:
        for n_rows in (self.n_rows // 8, self.n_rows // 2):
            if n_rows >= 2:
                yield {"n_rows": n_rows}
        if 2 < self.n_rows <= 16:
            yield {"n_rows": self.n_rows - 1}
        if self.weights != "none":
            yield {"weights": "none"}
        for names in _without_one(self.changes):
            yield {"changes": names}
        for part, (_, _, is_needed) in self.PARTS.items():
            for names in _without_one(getattr(self, part)):
                if names or not is_needed:
                    yield {part: names}
        for part, (_, plainest, _) in self.PARTS.items():
            names = getattr(self, part)
            for j, name in enumerate(names):
                if name != plainest:
                    yield {part: (*names[:j], plainest, *names[j + 1 :])}


def _without_one(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(*names[:j], *names[j + 1 :]) for j in range(len(names))]
