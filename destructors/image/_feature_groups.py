"""The same destructor for each group of features."""

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from destructors.base import Destructor, HoldoutDestructor
from destructors.base_distributions import StandardNormal
from destructors.greedy import set_random_states
from destructors.image._groupings import Grouping, RandomFeaturePairs, check_grouping
from destructors.maps import Chain, Columns, Map, SharedColumns
from destructors.rows import Fold, Rows, map_threads


class FeatureGroups(HoldoutDestructor):
    """Fit the same destructor to each group of features, side by side.

    Groups are independent of each other as far as this layer goes: its score is the
    sum of theirs. Features in no group stay what they are. In a stack whose layers
    group features differently, all of them come to see each other.

    Parameters
    ----------
    destructor : Destructor
        What a copy of is fitted to each group.
    groups : Grouping, default=None
        Which features stand together. None stands for `RandomFeaturePairs`.
    shared : bool, default=False
        Whether groups that are alike, such as patches of one size, share one fit to
        the rows of all of them, as convolutions share weights. That is quicker, and
        learns more of few rows, where features are alike wherever they stand.
    n_jobs : int, default=None
        Number of threads that fit groups side by side. The result does not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Seed of the groups and of each fit.

    Attributes
    ----------
    groups_ : list of ndarray of int
        Positions of the features: of shape (group_size,), one group for each
        destructor; with ``shared`` of shape (n_groups, group_size).
    destructors_ : list of Destructor
        The fitted destructors.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if a grouping does not fit the number of features, or the destructor
        does not end on the standard normal.
    TypeError
        In `fit`, if ``destructor`` or ``groups`` is none.

    See Also
    --------
    destructors.compose.ColumnDestructor : A destructor of its own for each group.
    destructors.flows.ImagePairsTree : A stack of such layers.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.image import FeatureGroups, ImagePatches
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(200, 12)).cumsum(axis=1)
    >>> patches = ImagePatches((3, 4), patch_shape=(3, 2))
    >>> model = FeatureGroups(Whitening(), patches).fit(X)
    >>> [group.tolist() for group in model.groups_]
    [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]
    """

    _parameter_constraints: ClassVar[dict] = {
        # What is none is refused in `fit`, with the reason.
        "destructor": "no_validation",
        "groups": "no_validation",
        "shared": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        destructor: Destructor,
        groups: Grouping | None = None,
        *,
        shared: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.destructor = destructor
        self.groups = groups
        self.shared = shared
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def _dequantizes(self) -> bool:  # type: ignore[override]
        return getattr(self.destructor, "_dequantizes", False)

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        assert random_state is not None
        if not isinstance(self.destructor, Destructor):
            raise TypeError(
                f"destructor must be a Destructor, got {self.destructor!r}. "
                "destructors.compose.as_destructor makes one of a transformer."
            )
        grouping = RandomFeaturePairs() if self.groups is None else self.groups
        alike = check_grouping(grouping).make_groups(
            fold.train.n_features, random_state
        )
        alike = [groups for groups in alike if len(groups)]
        parts = alike if self.shared else [group[None] for g in alike for group in g]
        seeds = random_state.randint(2**31 - 1, size=len(parts))
        after: list[tuple[Destructor, Fold | None]] = map_threads(
            lambda part: self._fit_part(fold, *part),
            zip(parts, seeds, strict=True),
            self.n_jobs,
        )
        self.destructors_ = [destructor for destructor, _ in after]
        self._leftover = parts, [moved for _, moved in after]
        maps = tuple(destructor.map_ for destructor in self.destructors_)
        if self.shared:
            self.groups_ = parts
            return Chain(tuple(map(SharedColumns, maps, parts)))
        self.groups_ = [group[0] for group in parts]
        return Columns(maps, tuple(self.groups_))

    def _fit_part(
        self, fold: Fold, groups: NDArray, seed: int
    ) -> tuple[Destructor, Fold | None]:
        """Fit a copy to the rows of some groups, one below the other."""
        destructor = clone(self.destructor)
        set_random_states(destructor, seed)
        destructor._validate_params()
        moved = destructor._fit_rows(
            fold.each(_stack_groups, groups), onwards=self._onwards
        )
        base = destructor.base_distribution_
        if not isinstance(base, StandardNormal):
            raise ValueError(
                f"The destructor of groups must end on the standard normal, but "
                f"{type(destructor).__name__} ends on {base!r}."
            )
        return destructor, moved

    def _honest(
        self, fold: Fold, map_: Map, random_state: np.random.RandomState | None
    ) -> Fold:
        """Return the rows as the groups have left theirs."""
        parts, moved = self._leftover
        train = _join_groups(fold.train, parts, [part.train for part in moved])
        if fold.validation is None:
            return Fold(train)
        held_out = [part.validation for part in moved]
        return Fold(train, _join_groups(fold.validation, parts, held_out))

    def _refit_params(self, fitted: list[Any]) -> dict[str, Any]:
        found = [part for groups in fitted for part in groups.destructors_]
        if not found:
            return {}
        params = self.destructor._refit_params(found)
        return {f"destructor__{name}": value for name, value in params.items()}


def _stack_groups(rows: Rows, groups: NDArray) -> Rows:
    """Return the features of groups as rows: all groups of the first row, then all of
    the second …
    """
    if len(groups) == 1:
        return rows.columns(groups[0])
    again = np.repeat(np.arange(len(rows)), len(groups))
    return replace(
        rows.take(again),
        values=rows.values[:, groups].reshape(-1, groups.shape[1]),
        log_det=np.zeros(len(again)),
        kinds=None if rows.kinds is None else rows.kinds[groups[0]],
        names=None,
    )


def _join_groups(rows: Rows, parts: list[NDArray], moved: list[Rows]) -> Rows:
    """Return rows whose features are what the rows of their groups have become."""
    values, total = rows.values.copy(), np.zeros(len(rows))
    for groups, part in zip(parts, moved, strict=True):
        values[:, groups] = part.values.reshape(len(rows), *groups.shape)
        total += part.log_det.reshape(len(rows), -1).sum(axis=1)
    return rows.moved(values, total)
