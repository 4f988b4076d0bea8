"""The first maps and trees of a density, as many as a file of some size holds."""

from dataclasses import replace

from destructors.maps._combine import Chain
from destructors.maps._density import Density
from destructors.maps._distributions import Uniform
from destructors.maps._given import GivenColumns
from destructors.maps._map import Map
from destructors.maps._save import n_bytes
from destructors.maps._trees import Trees


def cut_to(density: Density, max_bytes: int) -> Density | None:
    """Return a density with the first of its maps and trees only.

    The first maps of a chain, before any base that they can end on, are a density as
    well. So are the first trees of a forest.

    Parameters
    ----------
    density : Density
        What is cut.
    max_bytes : int
        Size of the file that `destructors.save` writes of the result, at most.

    Returns
    -------
    first : Density or None
        With as many as fit; None if not even one does.
    """
    if n_bytes(density) <= max_bytes:
        return density
    if isinstance(density.base, Uniform):
        # Only the last map ends on the cube.
        return None
    fits, too_many = 0, _count(density.map)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        part = replace(density, map=_first(density.map, middle))
        if n_bytes(part) <= max_bytes:
            fits = middle
        else:
            too_many = middle
    return replace(density, map=_first(density.map, fits)) if fits else None


def _count(part: Map) -> int:
    """Return how many maps and trees a map is made of."""
    if isinstance(part, Chain):
        return sum(map(_count, part))
    if isinstance(part, GivenColumns):
        return _count(part.map)
    return max(len(part), 1) if isinstance(part, Trees) else 1


def _first(part: Map, n: int) -> Map:
    """Return the first ``n`` of them."""
    if isinstance(part, GivenColumns):
        return replace(part, map=_first(part.map, n))
    if isinstance(part, Trees):
        return part[:n]
    if not isinstance(part, Chain):
        return part
    kept = []
    for inner in part:
        if n <= 0:
            break
        kept.append(_first(inner, n))
        n -= _count(inner)
    return Chain(tuple(kept))
