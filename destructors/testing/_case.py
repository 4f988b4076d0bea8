"""What a check is given: a destructor, data, and what is fitted and drawn from them.

Checks read a case and never change it, so that one fit serves many of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from unittest import SkipTest

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_array, get_tags

from destructors.base import Destructor
from destructors.base_distributions import StandardNormal, Uniform
from destructors.maps._combine import is_surjective
from destructors.testing._integral import DensityPoints, spread_points

__all__ = ["Case", "require"]

_N_TRAIN = 800
_N_TEST = 400


class Case:
    """A destructor under the law.

    Parameters
    ----------
    destructor : Destructor
        Never fitted itself: checks fit clones.
    X : array-like of shape (n_samples, n_features) or None
        Data; by default generated: continuous features, or codes for a destructor
        whose tags say that it takes categories.
    random_state : int
        Seed of everything that is drawn.
    max_normal_loss : float
        Nats per feature that the density may lose on standard normal data.
    """

    def __init__(
        self,
        destructor: Destructor,
        X: ArrayLike | None,
        random_state: int,
        max_normal_loss: float,
    ):
        self.destructor = destructor
        self.random_state = random_state
        self.max_normal_loss = max_normal_loss
        self._X = X

    # ------------------------------------------------------------------ randomness

    def seed(self, purpose: str) -> int:
        """Return the seed for a purpose; those of two purposes are independent."""
        sequence = np.random.SeedSequence([self.random_state, *purpose.encode()])
        return int(sequence.generate_state(1)[0])

    def rng(self, purpose: str) -> np.random.RandomState:
        """Return the source of randomness for a purpose."""
        return np.random.RandomState(self.seed(purpose))

    # ------------------------------------------------------------------ data

    @cached_property
    def _parts(self) -> tuple[NDArray, NDArray]:
        rng = self.rng("data")
        if self._X is None:
            draw = _draw_codes if self.is_discrete else _draw
            return draw(_N_TRAIN, rng), draw(_N_TEST, rng)
        X = rng.permutation(check_array(self._X, dtype=np.float64))
        n_train = 2 * len(X) // 3
        return X[:n_train], X[n_train:]

    @property
    def X_train(self) -> NDArray:
        """Rows that `model` is fitted on."""
        return self._parts[0]

    @property
    def X_test(self) -> NDArray:
        """Rows that `model` has not seen."""
        return self._parts[1]

    @cached_property
    def scale(self) -> NDArray:
        """Standard deviation of each feature; 1 where it is constant."""
        scale = self.X_train.std(axis=0)
        scale[scale == 0] = 1.0
        return scale

    # ------------------------------------------------------------------ destructors

    def new(self) -> Any:
        """Return an unfitted clone with every ``random_state`` fixed."""
        destructor = clone(self.destructor)
        seeds = {
            name: self.seed(name) % 2**31
            for name in destructor.get_params(deep=True)
            if name == "random_state" or name.endswith("__random_state")
        }
        return destructor.set_params(**seeds) if seeds else destructor

    @cached_property
    def model(self) -> Any:
        """The destructor fitted on the training rows."""
        return self.new().fit(self.X_train)

    @cached_property
    def planar(self) -> Case:
        """The case whose density is integrated: in two dimensions if none were given.

        Integrals over space lose accuracy with each dimension; maps are better checked
        with more than two.
        """
        if self._X is not None:
            return self
        X = np.vstack([self.X_train, self.X_test])[:, :2]
        return Case(self.destructor, X, self.random_state, self.max_normal_loss)

    @cached_property
    def density_points(self) -> DensityPoints:
        """Points spread over the density of the model, for integrals."""
        samples = self.model.sample(1000, random_state=self.seed("proposal"))
        covered = np.vstack([samples, self.X_train])
        return spread_points(self.model, covered, self.seed("scramblings"))

    # ------------------------------------------------------------------ base

    @property
    def has_normal_base(self) -> bool:
        """Whether the latent space is unbounded."""
        return isinstance(self.model.base_distribution_, StandardNormal)

    @property
    def is_discrete(self) -> bool:
        """Whether rows are codes of categories."""
        return get_tags(self.destructor).input_tags.categorical

    @cached_property
    def is_surjective(self) -> bool:
        """Whether the map is undone one way only, as that of a dequantizer."""
        return is_surjective(self.model.map_)

    def require_bijection(self) -> None:
        """Skip what makes no sense where many latents stand for one row."""
        if self.is_surjective:
            raise SkipTest("A dequantizer is undone one way only: it has own checks.")

    def require_surjection(self) -> None:
        """Skip what is for dequantizers."""
        if not self.is_surjective:
            raise SkipTest("The check is for dequantizers.")

    def require_continuous(self) -> None:
        """Skip what makes sense with a density only: codes have none."""
        self.require_bijection()
        base = self.model.base_distribution_
        if not isinstance(base, StandardNormal | Uniform):
            raise SkipTest(f"The check is for continuous bases, not {base!r}.")

    def has_digits(self, Z: NDArray) -> NDArray:
        """Tell which latent rows float64 resolves.

        Near the faces of the unit cube it does not: there, rows that are far apart get
        equal latents.
        """
        if not isinstance(self.model.base_distribution_, Uniform):
            return np.ones(len(Z), dtype=bool)
        return np.all((Z > 1e-6) & (Z < 1.0 - 1e-6), axis=1)


def _draw(n_samples: int, rng: np.random.RandomState) -> NDArray:
    """Draw rows with two modes, skewness, a curved dependence and unequal units."""
    a = rng.choice([-1.5, 1.5], n_samples) + 0.5 * rng.standard_normal(n_samples)
    b = 0.5 * a**2 + 0.5 * rng.standard_normal(n_samples) - 1.0
    c = 10.0 * np.exp(0.2 * a + 0.4 * rng.standard_normal(n_samples))
    return np.stack([a, b, c], axis=1)


def _draw_codes(n_samples: int, rng: np.random.RandomState) -> NDArray:
    """Draw rows of codes, three columns of which no two are independent."""
    a = rng.choice(3, n_samples, p=[0.5, 0.3, 0.2])
    b = (a > 0) ^ (rng.uniform(size=n_samples) < 0.15)
    c = (a + 2 * b + rng.choice(4, n_samples, p=[0.7, 0.1, 0.1, 0.1])) % 4
    return np.stack([a, b, c], axis=1).astype(np.float64)


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise AssertionError with a message, also under ``python -O``."""
    if not condition:
        raise AssertionError(message)
