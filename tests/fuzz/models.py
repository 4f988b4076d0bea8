"""What is fuzzed: every destructor of the registry, defaults that users meet, and maps
of domains, all with one way to use them.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import get_tags

from destructors import load, save
from destructors.alignment._base import DomainDestructor
from destructors.base import Destructor
from destructors.flows import RBIG, AlignmentFlow, AutoDestructor, TreeFlow
from destructors.maps._combine import is_surjective
from destructors.marginal import SplineGaussianizer
from destructors.tree import BoostedTreeDestructor
from tests.fuzz.tables import Table
from tests.registry import ALIGNMENT, REGISTRY

__all__ = ["MODELS", "SLOW", "Model", "Points"]


def _without_labels_from_rows(from_rows: Any) -> Any:
    # tests/domains.py puts a mixin before the public class.
    return type(from_rows).__mro__[2](**from_rows.get_params(deep=False))


MODELS: Mapping[str, Destructor] = {
    # Tables here are of numbers; `tests.fuzz.mixed` has what takes categories as well.
    **{name: e.destructor for name, e in REGISTRY.items() if name != "tree-flow-mixed"},
    **{name: _without_labels_from_rows(one) for name, (one, _) in ALIGNMENT.items()},
    "alignment-flow-density": AlignmentFlow(
        max_iter=3, cv=None, density=SplineGaussianizer()
    ),
    "rbig-default": RBIG(),
    "tree-flow-default": TreeFlow(),
    "auto-default": AutoDestructor(),
    "boosted-trees-default": BoostedTreeDestructor(),
}
# Fitted in a second rather than in some milliseconds: the search asks for these less.
SLOW = frozenset(
    {
        "parametric",
        "tree-flow",
        "tree-flow-cv",
        "tree-flow-default",
        "auto",
        "auto-default",
        "rbig-default",
        "boosted-trees-default",
    }
)


@dataclass(frozen=True)
class Points:
    """Rows to evaluate a model at, each with the number of its domain."""

    X: NDArray
    domain: NDArray

    def __getitem__(self, index: Any) -> "Points":
        return Points(self.X[index], self.domain[index])

    def __len__(self) -> int:
        return len(self.X)


class Model:
    """A destructor fitted to a table.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    table : Table
        What to fit it to.
    n_jobs : int or None
        Threads, for destructors that take them.
    """

    def __init__(self, name: str, table: Table, n_jobs: int | None = None):
        self.name = name
        destructor: Any = clone(MODELS[name])
        params = destructor.get_params(deep=True)
        for param in params:
            if param == "random_state" or param.endswith("__random_state"):
                destructor.set_params(**{param: 0})
            elif param == "n_jobs" and n_jobs is not None:
                destructor.set_params(n_jobs=n_jobs)
        self.takes_n_jobs = "n_jobs" in params
        self.is_aligner = isinstance(destructor, DomainDestructor)
        known = {"sample_domain": table.domain} if self.is_aligner else {}
        self.fitted = destructor.fit(table.X, sample_weight=table.weight, **known)

    # ------------------------------------------------------------------ what it is

    @cached_property
    def is_discrete(self) -> bool:
        """Whether rows are codes."""
        return bool(get_tags(self.fitted).input_tags.categorical)

    @cached_property
    def has_density(self) -> bool:
        """Whether rows have scores."""
        return hasattr(self.fitted, "score_samples")

    @cached_property
    def is_dequantizer(self) -> bool:
        """Whether the map is undone one way only."""
        return is_surjective(self.fitted.map_)

    @property
    def base(self) -> Any:
        """What latent rows follow."""
        return self.fitted.base_distribution_

    # ------------------------------------------------------------------ what it does

    def forward(self, points: Points) -> tuple[NDArray, NDArray]:
        """Map rows, with the log-determinant."""
        return self.fitted.transform_and_log_det(points.X, **self._known(points))

    def inverse(self, points: Points) -> tuple[NDArray, NDArray]:
        """Map rows back, with the log-determinant."""
        return self.fitted.inverse_and_log_det(points.X, **self._known(points))

    def score(self, points: Points) -> NDArray:
        """Return log-densities; zeros where there is no density."""
        if not self.has_density:
            return np.zeros(len(points))
        return self.fitted.score_samples(points.X, **self._known(points))

    def sample(self, n_samples: int) -> NDArray:
        """Draw rows."""
        if not self.has_density:
            return np.zeros((n_samples, self.fitted.n_features_in_))
        known = {"domain": 0} if self.is_aligner else {}
        return self.fitted.sample(n_samples, random_state=0, **known)

    def _known(self, points: Points) -> dict[str, NDArray]:
        return {"sample_domain": points.domain} if self.is_aligner else {}

    # ------------------------------------------------------------------ copies

    def pickled(self) -> "Model":
        """Return the model after a way through pickle."""
        copy = object.__new__(Model)
        copy.__dict__ = self.__dict__ | {
            "fitted": pickle.loads(pickle.dumps(self.fitted))
        }
        return copy

    def saved(self) -> Any:
        """Return the density after a way through a file; None if not all is data."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.npz"
            try:
                save(self.fitted, path)
            except TypeError:
                return None
            return load(path)
