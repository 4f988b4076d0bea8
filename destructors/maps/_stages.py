"""A log density in stages: what a part of the work has found out of a row so far."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from destructors.maps._boosted import BoostedRosenblatt
from destructors.maps._combine import Chain
from destructors.maps._density import Density
from destructors.maps._distributions import StandardNormal
from destructors.maps._kernel_density import KernelDensity
from destructors.maps._map import Map, Mapped
from destructors.maps._mean_density import MeanLogDensity
from destructors.maps._rosenblatt import Rosenblatt
from destructors.maps._trees import Trees

# Work of a row, in that of one tree, by time on tables of 10 columns: of a component of
# a mixture, of a feature whose bins trees share out, of a kernel, and of any map that
# is not divided.
_OF_COMPONENT, _OF_SHARES, _OF_KERNEL, _OF_MAP = 1.5, 35.0, 0.1, 2.0
_ROUNDING = 1e-9

Member = Density | MeanLogDensity


@dataclass(frozen=True)
class Stage:
    """What is done of a log density between two stops.

    Parameters
    ----------
    parts : tuple of (Map or Density)
        Maps of a chain, or members of a mean.
    probe : Map or None
        What latents go through to be judged, but not to go on.
    work, probe_work : float
        Shares of the work of a full score.
    """

    parts: tuple
    probe: Map | None
    work: float
    probe_work: float


@dataclass(frozen=True)
class Stages:
    """A log density cut into stages, for rows to be scored one stage after the other.

    What is known of a row after a stage is its log density by the maps so far, the
    latents taken for standard normal. A chain is cut between its maps and inside runs
    of trees. A mixture cannot be cut, but its heaviest components, as many as the work
    allows, are a mixture too, and so is the beginning of a mean. A mean is cut between
    its members.

    Parameters
    ----------
    whole : Density or MeanLogDensity
        What is cut.
    stages : list of Stage
        Its parts.
    """

    whole: Member
    stages: list[Stage]

    @classmethod
    def of(cls, whole: Member, shares: NDArray) -> "Stages":
        """Cut a density where these shares of its work are done, in ascending order."""
        rest: list = _parts_of(whole)
        total, done = sum(map(_work_of, rest)), 0.0
        stages = []
        for end in [*(shares * total), np.inf]:
            before, parts, probe, beside = done, [], None, 0.0
            room = (end - done) * (1.0 + _ROUNDING)
            while rest and _work_of(rest[0]) <= room:
                parts.append(rest.pop(0))
                done += _work_of(parts[-1])
                room = (end - done) * (1.0 + _ROUNDING)
            if rest and isinstance(rest[0], Trees) and room >= 1.0:
                parts.append(rest[0][: int(room)])
                rest[0] = rest[0][int(room) :]
                done += int(room)
            elif rest and (isinstance(rest[0], Map) or done == 0.0):
                probe, beside = _begin(rest[0], room)
            work = (done - before) / total
            stages.append(Stage(tuple(parts), probe, work, beside / total))
        return cls(whole, stages)

    def enter(self, X: NDArray) -> Mapped:
        """Return rows as they are before the first stage, and totals of zero."""
        if isinstance(self.whole, Density) and self.whole.schema is not None:
            X = self.whole.schema.encode(X)
        return X, np.zeros(len(X))

    def step(self, number: int, rows: NDArray, total: NDArray) -> Mapped:
        """Return rows and totals after a stage."""
        parts = self.stages[number].parts
        if not parts:
            return rows, total
        if isinstance(self.whole, MeanLogDensity):
            first = sum(len(stage.parts) for stage in self.stages[:number])
            members = slice(first, first + len(parts))
            return rows, total + self.whole.part(rows, members)
        for part in parts:
            rows, log_det = part.forward(rows)
            total = total + log_det
        return rows, total

    def judge(self, number: int, rows: NDArray, total: NDArray) -> NDArray:
        """Return what is known after a stage of the log density of rows, in nats."""
        stage, last = self.stages[number], number == len(self.stages) - 1
        if isinstance(self.whole, MeanLogDensity):
            n_members = sum(len(each.parts) for each in self.stages[: number + 1])
            if n_members:
                return total / self.whole.weights[:n_members].sum()
        elif last:
            return self.whole.base.logpdf(rows) + total
        if stage.probe is not None:
            rows, log_det = stage.probe.forward(rows)
            total = total + log_det
        return StandardNormal(rows.shape[1]).logpdf(rows) + total


def _parts_of(whole: Member) -> list:
    if isinstance(whole, MeanLogDensity):
        return list(whole.densities)
    return _flatten(whole.map)


def _flatten(part: Map) -> list[Map]:
    if isinstance(part, Chain):
        return [inner for each in part.maps for inner in _flatten(each)]
    return [part]


def _work_of(part: Map | Density | KernelDensity) -> float:
    if isinstance(part, KernelDensity):
        return _OF_KERNEL * len(part.weights)
    if isinstance(part, Density):
        return sum(map(_work_of, _flatten(part.map)))
    if isinstance(part, Trees):
        return float(len(part))
    if isinstance(part, Rosenblatt):
        return _OF_COMPONENT * len(part.weights)
    if isinstance(part, BoostedRosenblatt):
        n_shared = np.count_nonzero(np.diff(part.starts))
        return _work_of(part.mixture) + _OF_SHARES * n_shared
    return _OF_MAP


def _begin(
    part: Map | Density | KernelDensity, room: float
) -> tuple[Map | None, float]:
    """Return what stands for the beginning of a part, and its work; None if nothing."""
    if isinstance(part, Density):
        maps, done = [], 0.0
        for each in _flatten(part.map):
            if (work := _work_of(each)) > room - done:
                probe, beside = _begin(each, room - done)
                maps += [] if probe is None else [probe]
                return Chain(tuple(maps)), done + beside
            maps.append(each)
            done += work
    if isinstance(part, BoostedRosenblatt):
        part = part.mixture
        if _work_of(part) <= room:
            return part, _work_of(part)
    n = int(room / _OF_COMPONENT)
    if not isinstance(part, Rosenblatt) or n < 1:
        return None, 0.0
    heavy = np.sort(np.argsort(-part.weights, kind="stable")[:n])
    weights = part.weights[heavy] / part.weights[heavy].sum()
    probe = replace(
        part, weights=weights, means=part.means[heavy], factors=part.factors[heavy]
    )
    return probe, n * _OF_COMPONENT
