"""Any density with conditional distribution functions, feature after feature."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import rq
from sklearn.base import clone

from destructors._compat import StrOptions
from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import StandardNormal
from destructors.greedy import set_random_states
from destructors.maps import (
    Affine,
    Autoregressive,
    BoostedRosenblatt,
    BoxRosenblatt,
    Chain,
    Columns,
    Identity,
    Map,
    Rosenblatt,
    Trees,
)
from destructors.maps._trees import leaf_boxes
from destructors.rows import Fold


class AutoregressiveDestructor(HoldoutDestructor):
    r"""Map each feature by its distribution function given those before it.

    A density is fitted, and rows go through its conditional distribution functions in
    any order of the features, and on to the normal quantile:

    .. math:: z_j = \Phi^{-1}(F(x_j | x_i, i \text{ before } j))

    (the Rosenblatt map). The density is that of what is wrapped; the latent of a
    feature depends on itself and on the features before it alone.

    Parameters
    ----------
    density : Destructor
        What is fitted: a `Whitening` (a Gaussian), a `GaussianMixtureDestructor`, a
        `TreeDestructor`, or a pipeline of marginals and one of these.
    order : array-like of shape (n_features,), "random" or None, default=None
        Positions of the features in the order in which they are mapped; "random" draws
        one; None takes them as they come.
    random_state : int, RandomState instance or None, default=None
        Seed of the order and of the density.

    Attributes
    ----------
    density_ : Destructor
        The fitted density, of the features in order.
    order_ : ndarray of int of shape (n_features,)
        The order.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if ``order`` does not hold each feature once, or the density has no
        conditional distribution functions that are known.
    TypeError
        In `fit`, if ``density`` is no destructor.

    See Also
    --------
    RegressionDestructor : Regressions on the features before.

    Notes
    -----
    Rows of which the first features in the order are known can be completed: map them,
    draw the other latent features from N(0, 1), and map back.

    A density tree of features more than 5 standard deviations out is not quite that of
    the tree; see `destructors.maps.BoxRosenblatt`.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3
    (autoregressive destructors). M. Rosenblatt, *Remarks on a multivariate
    transformation*, Annals of Mathematical Statistics 23, 1952.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.autoregressive import AutoregressiveDestructor
    >>> from destructors.mixture import GaussianMixtureDestructor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=1000)
    >>> X = np.c_[x, x + 0.1 * rng.normal(size=1000)]
    >>> density = GaussianMixtureDestructor(2, random_state=0)
    >>> model = AutoregressiveDestructor(density, order=[1, 0]).fit(X)

    Draw the first feature, given the second:

    >>> Z = model.transform([[0.0, 2.0]] * 500)
    >>> Z[:, 0] = rng.normal(size=500)
    >>> given = model.inverse_transform(Z)
    >>> bool(np.allclose(given[:, 1], 2.0)), bool(abs(given[:, 0].mean() - 2.0) < 0.1)
    (True, True)
    """

    _parameter_constraints: ClassVar[dict] = {
        # What is none is refused in `fit`, with the reason.
        "density": "no_validation",
        "order": ["array-like", StrOptions({"random"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        density: Destructor,
        *,
        order: ArrayLike | Literal["random"] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.density = density
        self.order = order
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        if not isinstance(self.density, Destructor):
            raise TypeError(f"density must be a Destructor, got {self.density!r}.")
        self.order_ = self._read_order(fold.train.n_features, random_state)
        density = clone(self.density)
        # What maps features in an order of its own shall keep to this one.
        free = {
            name: None
            for name, value in density.get_params().items()
            if name.split("__")[-1] == "order" and isinstance(value, str)
        }
        density.set_params(**free)
        set_random_states(density, random_state.randint(2**31 - 1))
        density._validate_params()
        after = density._fit_rows(
            fold.each(type(fold.train).columns, self.order_), onwards=self._onwards
        )
        base = density.base_distribution_
        if not isinstance(base, StandardNormal):
            raise ValueError(
                f"density must end on the standard normal, but {density!r} ends on "
                f"{base!r}."
            )
        self.density_ = density
        map_ = _one_after_another(density.map_, fold.train.n_features)
        if map_ is None:
            raise ValueError(
                "density must have conditional distribution functions that are known, "
                "such as Whitening(), GaussianMixtureDestructor() or TreeDestructor(), "
                f"and marginals before it; got {self.density!r}."
            )
        self._leftover = after if map_ is density.map_ else None
        return Columns((map_,), (self.order_,))

    def _read_order(self, d: int, random_state: np.random.RandomState) -> NDArray:
        if self.order is None:
            return np.arange(d)
        if isinstance(self.order, str):
            return random_state.permutation(d)
        order = np.asarray(self.order)
        if order.shape != (d,) or not (np.sort(order) == np.arange(d)).all():
            raise ValueError(
                f"order must hold each of the {d} features once, got {self.order}."
            )
        return order.astype(np.intp)

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        if self._leftover is None:
            return fold.through(map_)
        # As the density has left them, in the places where features came from.
        place, left = np.argsort(self.order_), self._leftover.train
        train = fold.train.moved(left.values[:, place], left.log_det)
        return Fold(train, fold.validation_through(map_))

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        found = self.density._refit_params([part.density_ for part in fitted])
        return {f"density__{name}": value for name, value in found.items()}


def _one_after_another(map_: Map, n_features: int) -> Map | None:
    """Return a map of the same density, each latent feature of which depends on the
    features up to it alone; None if it is not known how.
    """
    if isinstance(map_, Chain) and len(map_):
        # What another map follows must stay what it is.
        *before, last = map_
        if before and isinstance(last, Affine) and last.is_rotation:
            # N(0, I) does not see a last rotation.
            return _one_after_another(Chain(tuple(before)), n_features)
        if not all(_one_after_another(part, n_features) is part for part in before):
            return None
        found = _one_after_another(last, n_features)
        if found is None or found is last:
            return None if found is None else map_
        return Chain((*before, found))
    if map_.feature_wise or isinstance(map_, BoxRosenblatt | Identity):
        return map_
    if isinstance(map_, Rosenblatt):
        if map_.order is None:
            return map_
        return Rosenblatt.of(map_.weights, map_.means, map_.covariances, map_.tilt)
    if isinstance(map_, BoostedRosenblatt):
        # Its trees ask for the features before in one order only.
        return map_ if map_.mixture.order is None else None
    if isinstance(map_, Autoregressive):
        in_order = (map_.order == np.arange(n_features)).all()
        return map_ if in_order else None
    if isinstance(map_, Affine):
        return _triangular(map_)
    if isinstance(map_, Trees) and len(map_) == 1:
        splits = map_.splits
        leaves = np.setdiff1d(np.arange(2 * len(splits) + 1), splits["node"])
        low, high, *image = leaf_boxes(splits, leaves, n_features)
        probabilities = np.prod(image[1] - image[0], axis=1)
        return BoxRosenblatt(low, high, probabilities / probabilities.sum())
    return None


def _triangular(map_: Affine) -> Affine:
    """Return the map without its rotation: N(0, I) does not see one."""
    matrix, inverse = map_.matrix, map_.inverse_matrix
    assert matrix is not None
    assert inverse is not None
    if not np.triu(matrix, 1).any():
        return map_
    # Of W = Q L the inverse is L⁻¹ Qᵀ.
    lower_transposed, turned = rq(inverse[::-1].copy())
    root = lower_transposed[::-1, ::-1]
    turned = turned[::-1]
    sign = np.sign(np.diagonal(root))
    lower_inverse = np.tril(root * sign)
    lower = np.tril((turned * sign[:, None]) @ matrix)
    return Affine(map_.location, map_.scale, lower, lower_inverse, map_.log_det_matrix)
