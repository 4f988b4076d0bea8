"""Domains whose rows are not brought together: what is learned from is asked for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import count
from threading import Lock
from typing import Any, NoReturn
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from destructors.alignment._holder import (
    FORGOTTEN,
    MAP,
    describe,
    fingerprint,
)
from destructors.alignment._queries import (
    SELECTING,
    STATISTICS,
    STEPS,
    read_message,
    stays,
    write_message,
)
from destructors.maps import Along, Chain, Map, Switch
from destructors.maps._map import hash_parts
from destructors.rows import Rows

Holder = Callable[[bytes], bytes]


class DomainsApart:
    """Domains whose rows stay where they are, to be aligned.

    It is given to ``fit`` of `destructors.flows.AlignmentFlow` and of the layers of
    `destructors.alignment` in place of ``X``; labels and weights are known where the
    rows are. Only summaries travel, and are counted: ``communication_`` of what is
    fitted.

    Parameters
    ----------
    holders : mapping of label to callable
        For each domain what takes a message and returns the answer: a `DomainHolder`,
        or whatever brings messages (bytes) to one and back. One that has been begun
        anew with the same rows goes on: it is told again what it has forgotten.

    Raises
    ------
    TypeError
        If it is no mapping to callables.
    ValueError
        If there are less than two domains.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.alignment import DomainHolder, DomainsApart
    >>> from destructors.flows import AlignmentFlow
    >>> rng = np.random.default_rng(0)
    >>> ours, theirs = rng.normal(size=(400, 2)), rng.normal(3.0, 2.0, size=(400, 2))
    >>> domains = DomainsApart({"a": DomainHolder(ours), "b": DomainHolder(theirs)})
    >>> flow = AlignmentFlow(max_iter=5, random_state=0).fit(domains)
    >>> moved = flow.translate(ours, source="a", target="b")
    >>> bool(abs(moved.mean() - 3.0) < 0.2)
    True
    >>> sorted(flow.communication_["a"])
    ['messages', 'received', 'sent']
    """

    def __init__(self, holders: Mapping[Any, Holder]):
        if not isinstance(holders, Mapping) or not all(map(callable, holders.values())):
            raise TypeError(
                "holders must map the label of each domain to a DomainHolder, or to a "
                "function that takes a message to one and returns its answer."
            )
        if len(holders) < 2:
            raise ValueError(f"There must be at least 2 domains, got {len(holders)}.")
        self.labels = np.array(sorted(holders))
        self._channels = [_Channel(holders[label]) for label in sorted(holders)]

    def open(self, fewest: int) -> "RowsApart":
        """Return the rows to learn from: those of each domain as one that is asked.

        Parameters
        ----------
        fewest : int
            Number of rows, or weight, that each domain must have.

        Returns
        -------
        rows : Rows
            They answer what may leave the place where they are.

        Raises
        ------
        ValueError
            If columns are not the same everywhere, or a domain has too few rows.
        """
        parts = [PartApart.begin(channel) for channel in self._channels]
        for label, part in zip(self.labels.tolist(), parts, strict=True):
            if part.n_features != parts[0].n_features or (
                (part.names is None) != (parts[0].names is None)
                or (part.names is not None and (part.names != parts[0].names).any())
            ):
                raise ValueError(
                    f"The columns of domain {label!r} are not those of "
                    f"{self.labels.tolist()[0]!r}: "
                    f"{_columns(part)} and {_columns(parts[0])}."
                )
            # A row of weight two is two rows.
            if max(len(part), part.total) < fewest:
                raise ValueError(
                    f"Domain {label!r} has {len(part)} row(s) of weight above zero, "
                    f"and at least {fewest}, or that weight, are needed."
                )
        return RowsApart(parts)

    def communication(self) -> dict[Any, dict[str, int]]:
        """Return what has travelled so far.

        Returns
        -------
        counts : dict of dict
            For each domain the number of messages to its holder ("messages"), and the
            bytes of these ("sent") and of the answers ("received").
        """
        counts = [dict(channel.counts) for channel in self._channels]
        return dict(zip(self.labels.tolist(), counts, strict=True))


def _columns(part: "PartApart") -> str:
    names = "" if part.names is None else f" ({', '.join(part.names[:10])})"
    return f"{part.n_features}{names}"


class _Node:
    """Rows after a step, as they are known at their place."""

    def __init__(self, key: int, before: "_Node | None", step: str, given: tuple):
        self.key, self.before, self.step, self.given = key, before, step, given


class _Channel:
    """The way to who has the rows of a domain: what is sent is counted."""

    def __init__(self, holder: Holder):
        self._holder, self._keys = holder, count(1)
        self.root = _Node(0, None, "", ())
        self._nodes: WeakSet[_Node] = WeakSet([self.root])
        self._told, self._known_maps, self._lock = {0}, set[str](), Lock()
        self.counts = {"messages": 0, "sent": 0, "received": 0}

    def add(self, before: _Node, step: str, given: tuple) -> _Node:
        """Name rows after a step."""
        node = _Node(next(self._keys), before, step, given)
        self._nodes.add(node)
        return node

    def ask(self, node: _Node, name: str, is_sum: bool, state: tuple) -> Any:
        """Return the answer to a question about rows."""
        with self._lock:
            return self._ask(node, name, is_sum, state)

    def _ask(self, node: _Node, name: str, is_sum: bool, state: tuple) -> Any:
        for is_last in (False, True):
            steps, at = [], node
            while at.key not in self._told:
                assert at.before is not None
                steps.append((at.key, at.before.key, at.step, at.given))
                at = at.before
            alive = {each.key for each in self._nodes}
            maps: dict[str, Map] = {}
            asked = (
                np.array(sorted(alive)),
                self._refer(steps[::-1], maps),
                *(node.key, name, is_sum, self._refer(state, maps)),
            )
            message = write_message((tuple(maps.items()), *asked))
            answer = self._holder(message)
            self.counts["messages"] += 1
            self.counts["sent"] += len(message)
            self.counts["received"] += len(answer)
            found = read_message(answer)
            if not isinstance(found, str) or found != FORGOTTEN:
                self._told |= {key for key, *_ in steps}
                self._told &= alive
                self._known_maps |= maps.keys()
                return found
            if is_last:
                break
            # It was begun anew: it is told all.
            self._told, self._known_maps = {0}, set()
        raise RuntimeError("Who has the rows of a domain forgets what it is told.")

    def _refer(self, value: Any, maps: dict[str, Map]) -> Any:
        """Name maps, and collect those that are not known there: they are told once."""
        if isinstance(value, tuple | list):
            return tuple(self._refer(part, maps) for part in value)
        if not isinstance(value, Map):
            return value
        name = MAP + value.digest().hex()
        if name not in self._known_maps:
            maps[name] = value
        return name


class PartApart(Rows):
    """The rows of a domain, which are asked for what may leave.

    Parameters
    ----------
    channel : object
        The way there.
    node : object
        Which rows.
    n_features : int
        Number of columns.
    names : ndarray or None
        Names of the columns.
    """

    def __init__(self, channel: Any, node: Any, n_features: int, names: Any = None):
        # Past the fields of the base class, which is frozen.
        self.__dict__.update(
            channel=channel, node=node, _n_features=n_features, names=names, n_jobs=None
        )

    channel: Any
    node: Any
    _n_features: int

    @classmethod
    def begin(cls, channel: Any) -> "PartApart":
        """Return all rows of a domain."""
        _, d, _, names = channel.ask(channel.root, describe.__name__, False, ())
        named = None if names is None else np.array(names, dtype=object)
        return cls(channel, channel.root, d, named)

    def __len__(self) -> int:
        return self._described[0]

    @cached_property
    def _described(self) -> Any:
        return self.ask(describe)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self._n_features

    @property
    def total(self) -> float:
        """Number of rows, or sum of their weights."""
        return self._described[2]

    @property
    def extremes(self) -> tuple[NDArray, NDArray]:
        """Raise TypeError: extremes are numbers of rows."""
        self._stay()

    @cached_property
    def _digest(self) -> bytes:
        return bytes.fromhex(self.ask(fingerprint))

    def ask(self, statistic: Callable[..., Any], *state: Any) -> Any:
        """Return ``statistic(rows, *state)``; see `Rows.ask`."""
        return self._ask(statistic, False, state)

    def sum(
        self,
        statistic: Callable[..., Any],
        *state: Any,
        each: Sequence[Any] | None = None,
    ) -> Any:
        """Add up a statistic over the rows; see `Rows.sum`."""
        return self._ask(statistic, True, state)

    def _ask(self, statistic: Any, is_sum: bool, state: tuple) -> Any:
        if STATISTICS.get(name := statistic.__name__) is not statistic:
            self._stay()
        return self.channel.ask(self.node, name, is_sum, state)

    def through(self, map_: Map) -> "PartApart":
        """Return the rows after a map."""
        names = self.names if map_.feature_wise else None
        return self._after(after_map, (map_,), self.n_features, names)

    def after(
        self, step: Callable[[Rows], Rows], n_features: int | None = None
    ) -> "PartApart":
        """Return the rows after a step; see `Rows.after`."""
        if not isinstance(step, partial) or step.keywords:
            self._stay()
        width = self.n_features if n_features is None else n_features
        names = self.names if n_features is None else None
        return self._after(step.func, step.args, width, names)

    def _after(self, step: Any, given: tuple, n_features: int, names: Any) -> Any:
        if STEPS.get(name := step.__name__) is not step:
            self._stay()
        node = self.channel.add(self.node, name, given)
        after = PartApart(self.channel, node, n_features, names)
        if name not in SELECTING:
            after.__dict__["_described"] = self._described
        return after

    def unseen(self) -> "PartApart":
        """Return the rows: what layers have added to densities is not known."""
        return self

    @property
    def values(self) -> NDArray:
        """Raise TypeError: the rows stay where they are."""
        self._stay()

    log_det = weight = values

    def _stay(self) -> NoReturn:
        raise TypeError(
            "This step of the fit needs the rows of all domains in one place, and "
            "these stay where they are."
        )


class RowsApart(Rows):
    """The rows of several domains, each of which is asked by itself.

    Parameters
    ----------
    parts : list of PartApart
        Those of each domain, in the order of their numbers.
    """

    def __init__(self, parts: list[PartApart]):
        self.__dict__.update(
            parts_apart=parts, context=np.arange(len(parts)), n_jobs=None
        )

    parts_apart: list[PartApart]

    def __len__(self) -> int:
        return sum(map(len, self.parts_apart))

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.parts_apart[0].n_features

    @property
    def names(self) -> NDArray | None:
        """Names of the columns."""
        return self.parts_apart[0].names

    @property
    def total(self) -> float:
        """Number of rows, or sum of their weights."""
        return sum(part.total for part in self.parts_apart)

    @cached_property
    def _digest(self) -> bytes:
        return hash_parts(*(part.digest() for part in self.parts_apart))

    def digest_of(self, part: str) -> bytes:
        """Return a hash of the rows, whatever is asked for."""
        return self.digest()

    def after(
        self, step: Callable[[Rows], Rows], n_features: int | None = None
    ) -> "RowsApart":
        """Return the rows after a step; see `Rows.after`."""
        return self.each_part(lambda part: part.after(step, n_features))

    def each_part(self, change: Callable[[PartApart], PartApart]) -> "RowsApart":
        """Return the rows after a change of each domain."""
        return RowsApart([change(part) for part in self.parts_apart])

    def through(self, map_: Map) -> "RowsApart":
        """Return the rows after a map: each domain is told its own."""
        return RowsApart(
            [
                part.through(of_domain(map_, number))
                for number, part in enumerate(self.parts_apart)
            ]
        )

    def unseen(self) -> "RowsApart":
        """Return the rows: what layers have added to densities is not known."""
        return self

    @property
    def values(self) -> NDArray:
        """Raise TypeError: the rows stay where they are."""
        self.parts_apart[0]._stay()

    log_det = weight = values


@stays
def after_map(map_: Map, rows: Rows) -> Rows:
    """Return rows after a map."""
    return rows.through(map_)


def of_domain(part: Map, number: int) -> Map:
    """Return what a map is for one domain."""
    if isinstance(part, Switch):
        return part.maps[number]
    if isinstance(part, Chain):
        return Chain(tuple(of_domain(inner, number) for inner in part))
    if isinstance(part, Along):
        return Along(part.directions, of_domain(part.map, number))
    return part
