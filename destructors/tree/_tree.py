"""One density tree."""

from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors._compat import HasMethods, Interval, StrOptions
from destructors.base import Destructor
from destructors.maps import Affine, Chain, Map
from destructors.maps._cube import from_cube, to_cube
from destructors.maps._trees import SPLIT, Trees, find_leaves, leaf_boxes, routes
from destructors.rows import Fold
from destructors.tree._atoms import between_values, choose_units, resolution_of
from destructors.tree._grow import LEAST_SLOPE, grow_tree
from destructors.tree._rule import CONSTRAINTS, GrowthRule, make_grid


class TreeDestructor(Destructor):
    """One axis-aligned density tree.

    Space is cut into boxes, one split after the other, so as to raise the likelihood
    most. Every leaf maps its box affinely to a box whose volume, on the unit cube, is
    the leaf's probability; so the map, its inverse and its log-determinant are exact
    and cheap. The density is constant on each box of the unit cube, that is, a
    standard normal one times a constant on each box.

    Parameters
    ----------
    max_depth : int, default=None
        Largest depth; None sets no limit.
    max_leaf_nodes : int, default=None
        Largest number of leaves; the splits that gain most are made first.
    min_samples_leaf : float, default=20
        Smallest number of rows (or weight) in a leaf. With 0 leaves may be empty, which
        finds the edges of a support, and one row's worth of uniform mass is added to
        each box, so that no density is 0.
    min_gain : float, default=6.0
        A split must raise the log-likelihood of the training rows by more than this,
        in nats. The best of the many cuts of a box gains about this much by chance.
    max_bins : int, default=64
        Number of equal bins of the unit interval at whose edges a feature can be cut,
        at most 255.
    splitter : {"best", "look-ahead", "random"}, default="best"
        "best" tries all cuts of a feature, "random" one that is drawn. "look-ahead"
        tries all, and counts for a cut what the feature that then differs most between
        its two sides gains there: it finds structure that no single cut shows, such as
        that of a checkerboard. Its time grows with the square of the number of
        features.
    max_features : int, float, {"sqrt", "log2"} or None, default=None
        Number, or share, of the features that are drawn for each split; None takes
        all.
    tree : fitted scikit-learn tree, default=None
        If given, its splits are used, and only the probabilities are learned: any tree
        of scikit-learn, for classes, clusters or regression, becomes a destructor. The
        parameters above are not used. Inside a chain or a search wrap it in
        `sklearn.frozen.FrozenEstimator`, or `clone` takes its fit away.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    map_ : Chain
        Standard units, then the tree.
    mean_, scale_ : ndarray of shape (``n_features_in_``,)
        Mean and standard deviation of each feature, by which rows are brought to
        standard units first.
    n_leaves_ : int
        Number of leaves.
    depth_ : int
        Depth of the tree.
    feature_importances_ : ndarray of shape (``n_features_in_``,)
        Rise of the mean training log density by the splits of each feature, in nats.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    BoostedTreeDestructor : Many small steps instead of one large one.

    Notes
    -----
    A coordinate more than 5 standard deviations out is beyond the cube: it stays what
    it is, with a normal tail, while the row's other coordinates are mapped as on the
    face of the cube. Features with heavy tails want a marginal layer before. A value
    that repeats is cut from others between them, never closer.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3.3. Ram and
    Gray, *Density estimation trees*, KDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.tree import TreeDestructor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 2)) + 3.0 * rng.integers(2, size=(2000, 1))
    >>> tree = TreeDestructor().fit(X)
    >>> bool(tree.feature_importances_.sum() > 0.3)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **CONSTRAINTS,
        "min_gain": [Interval(Real, 0, None, closed="left")],
        "max_bins": [Interval(Integral, 2, 255, closed="both")],
        "min_samples_leaf": [Interval(Real, 0, None, closed="left")],
        "splitter": [StrOptions({"best", "look-ahead", "random"})],
        "tree": [HasMethods(["apply", "get_n_leaves"]), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        max_depth: int | None = None,
        max_leaf_nodes: int | None = None,
        min_samples_leaf: float = 20,
        min_gain: float = 6.0,
        max_bins: int = 64,
        splitter: Literal["best", "look-ahead", "random"] = "best",
        max_features: int | float | Literal["sqrt", "log2"] | None = None,
        tree: Any = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.max_depth = max_depth
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.min_gain = min_gain
        self.max_bins = max_bins
        self.splitter = splitter
        self.max_features = max_features
        self.tree = tree
        self.random_state = random_state

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows, weight = fold.train, fold.train.weights
        d = rows.n_features
        units = choose_units(rows)
        self.mean_, self.scale_ = units.location, units.scale
        Z, _ = units.forward(rows.values)
        if self.tree is None:
            assert random_state is not None
            rule = GrowthRule.of(
                self,
                d,
                min_gain=float(self.min_gain),
                random=self.splitter == "random",
                exact=True,
                look_ahead=self.splitter == "look-ahead",
                prior=float(self.min_samples_leaf == 0),
            )
            every, U = np.arange(len(rows), dtype=np.uint32), to_cube(Z)
            grid = make_grid(U, np.zeros(d), rule.max_bins)
            resolution = resolution_of(rows, units)
            grid = between_values(grid, U, Z, weight, resolution)
            drawn = rule.arguments(grid, weight, every, random_state)
            tree, gains, _ = grow_tree(*drawn)
        else:
            tree, gains = _learn_given(self.tree, units, Z, weight)
        self.n_leaves_ = len(tree) + 1
        self.depth_ = int(routes(tree, inverse=False)[-1])
        gains = np.bincount(tree["feature"], gains, d)
        self.feature_importances_ = gains / weight.sum()
        return Chain((units, Trees.of([tree])))

    # ------------------------------------------------------------------ the boxes

    def apply(self, X: ArrayLike) -> NDArray:
        """Return the number of the box in which each row lies.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        Returns
        -------
        leaves : ndarray of shape (n_samples,)
            Number of the leaf, from 0 to ``n_leaves_ - 1``, as in `get_boxes`.
        """
        check_is_fitted(self)
        units, trees = two_parts(self.map_)
        U = to_cube(units.forward(self._read(X).values)[0])
        return np.searchsorted(_leaves(trees), find_leaves(U, trees.splits))

    def get_boxes(self) -> tuple[NDArray, NDArray]:
        """Return the boxes that space is cut into.

        Returns
        -------
        boxes : ndarray of shape (``n_leaves_``, 2, n_features)
            Lower and upper end of each box along each feature; infinite where no cut
            bounds it. A row on a cut belongs to the box above it.
        probabilities : ndarray of shape (``n_leaves_``,)
            Probability of each box, leaving aside what is beyond the cube, see Notes of
            the class.
        """
        check_is_fitted(self)
        units, trees = two_parts(self.map_)
        low, high, low_image, high_image = leaf_boxes(
            trees.splits, _leaves(trees), self.n_features_in_
        )
        centre = np.zeros_like(low)
        ends = [units.inverse(from_cube(end, centre)[0])[0] for end in (low, high)]
        ends[0][low == 0.0], ends[1][high == 1.0] = -np.inf, np.inf
        return np.stack(ends, axis=1), np.prod(high_image - low_image, axis=1)


def two_parts(map_: Map) -> tuple[Affine, Trees]:
    """Return what brings rows to standard units, and the trees."""
    units, trees = map_.maps  # type: ignore[attr-defined]
    return units, trees


def _leaves(tree: Trees) -> NDArray:
    """Return the numbers of the nodes that are leaves, in order."""
    return np.setdiff1d(np.arange(2 * len(tree.splits) + 1), tree.splits["node"])


# ---------------------------------------------------------------------- given splits


def _learn_given(
    tree: Any, units: Affine, Z: NDArray, weight: NDArray
) -> tuple[NDArray, NDArray]:
    """Return a tree whose splits are given, with probabilities that are learned.

    Parameters
    ----------
    tree : estimator
        A fitted scikit-learn tree.
    units : Affine
        What brings its features to standard units.
    Z : ndarray of shape (n_samples, n_features)
        Rows in standard units.
    weight : ndarray of shape (n_samples,)
        Their weights.

    Returns
    -------
    splits : ndarray of shape (n_splits,), dtype SPLIT
        A split that leaves one side empty, or too thin for its digits, is left out.
    gains : ndarray of shape (n_splits,)
        Log-likelihood that each split brings, in nats times weight.

    Raises
    ------
    ValueError
        If the tree is not fitted, or on another number of features.
    """
    check_is_fitted(tree)
    structure, d = tree.tree_, Z.shape[1]
    if structure.n_features != d:
        raise ValueError(
            f"tree was fitted on {structure.n_features} features, but X has {d}."
        )
    thresholds, inner = structure.threshold.copy(), structure.feature >= 0
    used = structure.feature[inner]
    thresholds[inner] = (thresholds[inner] - units.location[used]) / units.scale[used]
    # Single precision numbers, as the tree will hold them, to calculate with in double.
    U, cuts = to_cube(Z), to_cube(thresholds).astype(np.float32).astype(np.float64)
    splits: list[tuple[int, int, float, float]] = []
    gains: list[float] = []
    # Per node: its place there and here, its rows, its box and the image of the box.
    box = np.repeat([[0.0], [1.0]], d, axis=1)
    todo = [(0, 0, np.arange(len(U)), box, box)]
    while todo:
        place, node, rows, box, image = todo.pop()
        f, cut = structure.feature[place], cuts[place]
        children = structure.children_left[place], structure.children_right[place]
        if f < 0:
            continue
        (low, high), (low_image, high_image) = box[:, f], image[:, f]
        if not low < cut < high:
            # The cut misses the box, or lies beyond the cube.
            todo.append((children[int(cut <= low)], node, rows, box, image))
            continue
        is_below = U[rows, f] < cut
        v = (cut - low) / (high - low)
        mass, below = weight[rows].sum(), weight[rows[is_below]].sum()
        # One row's worth of uniform mass keeps an empty part of the box possible.
        p = (below + v) / (mass + 1.0)
        least = LEAST_SLOPE * (high - low) / (high_image - low_image)
        p = min(max(p, least * v), 1.0 - least * (1.0 - v))
        cut_image = float(np.float32(low_image + p * (high_image - low_image)))
        if not low_image < cut_image < high_image:
            continue
        gain = below * np.log(p / v) + (mass - below) * np.log((1.0 - p) / (1.0 - v))
        gains.append(gain)
        splits.append((node, f, cut, cut_image))
        for side, kept in enumerate((is_below, ~is_below)):
            part, part_image = box.copy(), image.copy()
            part[1 - side, f], part_image[1 - side, f] = cut, cut_image
            child = 2 * len(splits) - 1 + side
            todo.append((children[side], child, rows[kept], part, part_image))
    return np.array(splits, SPLIT), np.array(gains)
