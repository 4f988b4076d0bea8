"""What a check is given: a destructor, data, and what is fitted and drawn from them.

Checks read a case and never change it, so that one fit serves many of them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc, t
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from destructors._compat import check_array
from destructors.base import Destructor
from destructors.base_distributions import StandardNormal, Uniform
from destructors.maps import Map
from destructors.maps._map import Mapped
from destructors.rows import Fold


@dataclass(eq=False)
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

    Attributes
    ----------
    X_train, X_test : ndarray of shape (n_samples, n_features)
        Rows that `model` is fitted on, and rows that it has not seen.
    is_discrete : bool
        Whether rows are codes, not numbers.
    """

    destructor: Destructor
    X: ArrayLike | None = None
    random_state: int = 0
    max_normal_loss: float = 0.1

    def __post_init__(self) -> None:
        self.is_discrete = bool(get_tags(self.destructor).input_tags.categorical)
        rng = self.rng("data")
        if self.X is None:
            draw = _draw_codes if self.is_discrete else _draw
            self.X_train, self.X_test = draw(800, rng), draw(400, rng)
        else:
            rows = rng.permutation(check_array(self.X, dtype=np.float64))
            self.X_train, self.X_test = np.split(rows, [2 * len(rows) // 3])

    def seed(self, purpose: str) -> int:
        """Return the seed for a purpose; those of two purposes are independent."""
        sequence = np.random.SeedSequence([self.random_state, *purpose.encode()])
        return int(sequence.generate_state(1)[0])

    def rng(self, purpose: str) -> np.random.RandomState:
        """Return the source of randomness for a purpose."""
        return np.random.RandomState(self.seed(purpose))

    @cached_property
    def scale(self) -> NDArray:
        """Standard deviation of each feature; 1 where it is constant."""
        return StandardScaler().fit(self.X_train).scale_

    def new(self, purpose: str = "") -> Any:
        """Return an unfitted clone with every ``random_state`` fixed, by a purpose."""
        destructor = clone(self.destructor)
        for name in destructor.get_params(deep=True):
            if name == "random_state" or name.endswith("__random_state"):
                destructor.set_params(**{name: self.seed(name + purpose) % 2**31})
        return destructor

    @cached_property
    def model(self) -> Any:
        """The destructor fitted on the training rows."""
        return self.new().fit(self.X_train)

    @cached_property
    def planar(self) -> "Case":
        """The case whose density is integrated: in two dimensions if none were given.

        Integrals over space lose accuracy with each dimension; maps are better checked
        with more than two.
        """
        if self.X is not None:
            return self
        X = np.vstack([self.X_train, self.X_test])[:, :2]
        return Case(self.destructor, X, self.random_state, self.max_normal_loss)

    @cached_property
    def density_points(self) -> tuple[NDArray, NDArray]:
        """Points over space, each with its share of the integral of the density.

        The integral over a region is the sum of the shares of the points in it: one
        estimate for each of eight sets of points, in the first axis, the spread of
        which tells the error.

        They are drawn by importance: the proposal has independent Student t(3)
        features, rotated and scaled to cover both data and samples. Its tails are
        heavier than those of any destructor, so no mass far out is overlooked. Points
        are scrambled Sobol sequences, which in two dimensions are some ten times as
        accurate as random ones.
        """
        samples = self.model.sample(1000, random_state=self.seed("proposal"))
        covered = np.vstack([samples, self.X_train])
        root = np.linalg.cholesky(np.atleast_2d(np.cov(covered.T)))
        student, rng = t(3), np.random.default_rng(self.seed("scramblings"))
        points, shares = [], []
        for _ in range(8):
            uniform = qmc.Sobol(len(root), rng=rng).random_base2(13)
            y = student.ppf(np.clip(uniform, 1e-12, 1.0 - 1e-12))
            log_proposal = student.logpdf(y).sum(axis=1) - np.log(np.diag(root)).sum()
            points.append(y @ root.T + covered.mean(axis=0))
            log_density = self.model.score_samples(points[-1])
            shares.append(np.exp(log_density - log_proposal) / len(y))
        return np.stack(points), np.stack(shares)

    def has_digits(self, Z: NDArray) -> NDArray:
        """Return which latent rows float64 resolves.

        Near the faces of the unit cube it does not: there, rows that are far apart get
        equal latents.
        """
        if type(self.model.base_distribution_) is not Uniform:
            return np.ones(len(Z), dtype=bool)
        return np.all((Z > 1e-6) & (Z < 1.0 - 1e-6), axis=1)


def _draw(n_samples: int, rng: np.random.RandomState) -> NDArray:
    """Return rows with two modes, skewness, a curved dependence and unequal units."""
    a = rng.choice([-1.5, 1.5], n_samples) + 0.5 * rng.standard_normal(n_samples)
    b = 0.5 * a**2 + 0.5 * rng.standard_normal(n_samples) - 1.0
    c = 10.0 * np.exp(0.2 * a + 0.4 * rng.standard_normal(n_samples))
    return np.stack([a, b, c], axis=1)


def _draw_codes(n_samples: int, rng: np.random.RandomState) -> NDArray:
    """Return rows of codes, three columns of which no two are independent."""
    a = rng.choice(3, n_samples, p=[0.5, 0.3, 0.2])
    b = (a > 0) ^ (rng.uniform(size=n_samples) < 0.15)
    c = (a + 2 * b + rng.choice(4, n_samples, p=[0.7, 0.1, 0.1, 0.1])) % 4
    return np.stack([a, b, c], axis=1).astype(np.float64)


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise AssertionError with a message, also under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def require_share(
    off: NDArray, tolerance: float, least: float, what: str, worst: float = np.inf
) -> None:
    """Raise AssertionError unless enough rows are near enough, and none too far off."""
    share, furthest = np.mean(off <= tolerance), off.max(initial=0.0)
    require(
        share >= least and furthest <= worst,
        f"{what}: {share:.1%} agree to {tolerance:g} (needed: {least:.0%}); the median "
        f"is off by {np.median(off):.3g}, the worst by {furthest:.3g} (allowed: "
        f"{worst:g}).",
    )


def require_close(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Raise AssertionError unless numbers agree, relatively or absolutely."""
    np.testing.assert_allclose(actual, expected, tolerance, tolerance, err_msg=what)


# --------------------------------------------------------------------- maps alone


class Given(Destructor):
    """What learns nothing: its map is given."""

    # Nothing but its map says whether it does.
    _dequantizes = True

    def __init__(self, given: Map) -> None:
        self.given = given

    def __sklearn_clone__(self) -> "Given":
        # The map itself: a copy may have lost what the checks look for.
        return Given(self.given)

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        Z, _ = self.given.forward(fold.train.values)
        self.base_distribution_ = _Images(Z.shape[1], Z)
        return self.given


@dataclass(frozen=True, eq=False, repr=False)
class _Images(StandardNormal):
    """The images of rows: what is drawn is where the map can be inverted."""

    Z: NDArray

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        return self.Z[rng.randint(len(self.Z), size=n_samples)]


@dataclass(frozen=True, eq=False, repr=False)
class Beside(Map):
    """A map with its context in further columns, which stay as they are."""

    inner: Map
    n_features: int
    no_context: NDArray

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        Z, log_det = self.inner.forward(*self._parts(X))
        return np.column_stack([Z, X[:, self.n_features :]]), log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        X, log_det = self.inner.inverse(*self._parts(Z))
        return np.column_stack([X, Z[:, self.n_features :]]), log_det

    def _parts(self, X: NDArray) -> tuple[NDArray, NDArray]:
        shape, dtype = self.no_context.shape[1:], self.no_context.dtype
        context = X[:, self.n_features :].reshape(len(X), *shape)
        # A step of the numerical Jacobian makes no other label.
        labels = context if dtype.kind == "f" else np.rint(context)
        return X[:, : self.n_features], labels.astype(dtype)
