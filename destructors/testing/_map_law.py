"""The part of the law that is for maps: data that go both ways."""

from dataclasses import dataclass
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags

from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.maps import Map
from destructors.maps._map import Mapped
from destructors.rows import Fold
from destructors.testing._case import Case, require
from destructors.testing._law import CHECKS, run_check


def check_map(
    map_: Map,
    X: NDArray,
    *,
    context: NDArray | None = None,
    savable: bool = True,
    smooth: bool = True,
) -> None:
    """Check that a map keeps the law of maps.

    It is inverted exactly; its log-determinant is that of its Jacobian, and minus that
    of the inverse; a row's image does not depend on the other rows, and the rows are
    left as they were; it equals, hashes as, and works to the same bits as its pickled
    and its saved copy. A `destructors.maps.Surjection` is inverted one way only and has
    no Jacobian.

    Parameters
    ----------
    map_ : Map
        The map.
    X : ndarray of shape (n_samples, n_features)
        Rows it is made for.
    context : ndarray of shape (n_samples, ...), default=None
        What the map depends on beside them.
    savable : bool, default=True
        Whether all in it is data. False for maps that hold a function or an estimator.
    smooth : bool, default=True
        Whether rows are numbers. Codes have no Jacobian.

    Raises
    ------
    AssertionError
        If the map breaks the law.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine
    >>> from destructors.testing import check_map
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> check_map(Affine(np.zeros(2), np.array([1.0, 2.0])), X)
    """
    if context is not None:
        kept = np.reshape(context, (len(X), -1))
        map_ = _Beside(map_, X.shape[1], context.dtype.str, context.shape[1:])
        X = np.column_stack([X, kept])
    case = Case(_Given(map_, smooth), X)
    wanted = {"maps", "bijections", "surjections"} | ({"volumes"} if smooth else set())
    for check, what in CHECKS:
        try:
            if what in wanted:
                run_check(check, what, case)
        except SkipTest as reason:
            unsaved = check.__name__ == "check_saved" and savable
            require(not unsaved, str(reason))


class _Given(Destructor):
    """What learns nothing: its map is given."""

    def __init__(self, given: Map, smooth: bool) -> None:
        self.given = given
        self.smooth = smooth

    def __sklearn_clone__(self) -> "_Given":
        # The map itself: a copy may have lost what the checks look for.
        return _Given(self.given, self.smooth)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = not self.smooth
        return tags

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
class _Beside(Map):
    """A map with its context in further columns, which stay as they are."""

    inner: Map
    n_features: int
    dtype: str
    shape: tuple[int, ...]

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        Z, log_det = self.inner.forward(*self._parts(X))
        return np.column_stack([Z, X[:, self.n_features :]]), log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        X, log_det = self.inner.inverse(*self._parts(Z))
        return np.column_stack([X, Z[:, self.n_features :]]), log_det

    def _parts(self, X: NDArray) -> tuple[NDArray, NDArray]:
        context = X[:, self.n_features :].reshape(len(X), *self.shape)
        if np.dtype(self.dtype).kind != "f":
            # A step of the numerical Jacobian makes no other label.
            context = np.rint(context)
        return X[:, : self.n_features], context.astype(self.dtype)
