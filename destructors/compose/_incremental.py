"""A chain of destructors that learns from a stream of rows."""

import copy
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from destructors._compat import Interval, VisualBlock, fit_scope
from destructors._composite import Composite
from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.compose._adapt import adapt
from destructors.compose._stream_state import StreamState, join_rows, largest_gain
from destructors.greedy import layer_seed, set_random_states
from destructors.linear import RandomRotation, Whitening
from destructors.maps import Chain, Map
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, RowBlocks, Rows, RunningStatistics, StreamRows
from destructors.table import check_range

# Rotations that None stands for, each with a spline behind it.
_N_ROTATIONS = 8
# Rows are learned in blocks of a share of those before, and of at least and at most so
# many. So what is learned does not depend on the batches, and few rows wait.
_BLOCK_SHARE, _SMALLEST_BLOCK, _LARGEST_BLOCK = 1 / 8, 64, 8192
# All steps are fitted again when there are so many times the rows, and with a half-life
# at least after this share of it. What a fit costs does not depend on the rows. Chosen
# among 1.25, 1.5 and 2 by the nats and seconds of 100,000 rows of the benchmark's law.
_GROWTH, _SHARE_OF_HALF_LIFE = 1.25, 1 / 8
# What the scores of steps before their last fit count beside those after it.
_OLD_SCORES = 0.5


class IncrementalDestructor(Composite, Destructor):
    """Chain destructors that learn from a stream, batch by batch.

    All steps learn at once, each from the rows as the steps before it now leave them
    (decoupled greedy learning). No row is kept: a step is fitted to running statistics,
    moments of all columns together and quantile points of each, that are updated by
    each batch; so memory does not grow, and any number of rows is learned in one pass.
    All steps are fitted again when there is a quarter more rows. The first that changes
    no more has settled and stays as it is, and then the next; with ``half_life`` none
    does, and what is long ago is forgotten.

    Parameters
    ----------
    steps : list of (str, Destructor) tuples, default=None
        Names and destructors, in the order in which data flow. They have to learn from
        moments and quantiles: `Standardize`, `Whitening` with a number for
        ``shrinkage``, `PCARotation`, `RandomRotation`, `FixedRotation`,
        `SplineGaussianizer`, `RationalQuadraticGaussianizer`, `NormalCDF`. None stands
        for a spline, whitening, and eight times a random rotation and a spline.
    half_life : float, default=None
        Number of rows (sum of weights) after which a row counts half, for streams that
        drift. None forgets nothing.
    tol : float, default=1e-3
        A step has settled when its last fit brought new rows less than this, in nats,
        by two standard errors. What is left to gain from more rows is about as much.
        Not used with ``half_life``.
    n_jobs : int, default=None
        Number of threads that transform rows side by side. The result does not depend
        on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the steps. It is drawn once, so that a rotation stays the same.

    Attributes
    ----------
    steps_ : list of (str, Destructor) tuples
        The fitted steps.
    n_steps_ : int
        Number of the first of them that are in use: with `partial_fit` as many as have
        the highest score of rows before they were learned.
    n_settled_ : int
        Number of the first steps that have settled.
    n_samples_seen_ : int
        Number of rows so far, with those that wait for their block.
    batch_score_ : float
        Mean log density of the last batch before it was learned, in nats; NaN if there
        was no model before.
    prequential_score_ : float
        Mean log density of all rows, each before it was learned, in nats (with
        ``half_life``, of recent rows); NaN while there is none.
    n_features_in_ : int
        Number of features seen in the first batch.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in the first batch, if all are strings.
    base_distribution_ : object
        The base distribution of the last step in use.

    See Also
    --------
    DestructorPipeline : The same steps on rows in memory or on disk, in passes over
        all of them.

    Notes
    -----
    Rows are learned in blocks of an eighth of those before, of at least 64 rows and two
    for each column, and at most 8192, whatever the batches; the last ones wait. So the
    result depends on the order of the rows and on nothing else. Weights count rows.

    Small changes of the rows have to change a step little, or those behind it have
    learned something else: `PCARotation` and "pca" whitening swap axes of nearly the
    same variance until they settle; random rotations and ``method="zca"`` do not.

    References
    ----------
    E. Belilovsky, M. Eickenberg and E. Oyallon, *Decoupled greedy learning of CNNs*,
    ICML 2020. S. Ioffe and C. Szegedy, *Batch normalization*, ICML 2015, for running
    statistics of a layer. A. P. Dawid, *Statistical theory: the prequential approach*,
    Journal of the Royal Statistical Society A 147, 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.compose import IncrementalDestructor
    >>> rng = np.random.default_rng(0)
    >>> model = IncrementalDestructor(random_state=0)
    >>> for _ in range(20):
    ...     x = rng.gamma(2.0, size=500)
    ...     batch = np.c_[x, np.sin(x) + rng.normal(scale=0.3, size=500)]
    ...     model = model.partial_fit(batch)
    >>> model.n_samples_seen_
    10000

    The true mean log density is -1.79 nats.

    >>> bool(abs(model.batch_score_ - -1.8) < 0.2)
    True
    """

    # A batch may be a row. What is fitted has two at least.
    _min_samples = 1
    _parts = "steps"
    _parameter_constraints: ClassVar[dict] = {
        "steps": [list, None],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    steps_: list[tuple[str, Destructor]]
    _state: StreamState

    def __init__(
        self,
        steps: list[tuple[str, Destructor]] | None = None,
        *,
        half_life: float | None = None,
        tol: float = 1e-3,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.steps = steps
        self.half_life = half_life
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state

    # ------------------------------------------------------------------ fitting

    def partial_fit(
        self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Learn from the next rows of a stream.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Any number of rows, finite, with the columns of the first batch.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : object
            The destructor; it has a model as soon as there are more rows than columns.
            Where this fails, it is what it was before.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional array of numbers with the columns
            of the first batch, or a weight is negative, or ``steps`` are no longer
            those that have begun.
        TypeError
            If a step needs more than moments and quantiles of the rows.
        """
        if isinstance(X, RowBlocks):
            raise TypeError(
                "partial_fit takes rows in memory: give it the blocks of open_rows one "
                "by one, as in: for values in rows: model.partial_fit(values)."
            )
        learner = copy.copy(self)
        with fit_scope(self):
            if "_state" in vars(self):
                rows = learner._read(X, sample_weight)
            else:
                rows = learner._read_training(X, sample_weight)
                rng = check_random_state(self.random_state)
                learner._state = StreamState(int(rng.randint(2**31 - 1)))
                learner.prequential_score_ = np.nan
                learner.n_samples_seen_ = learner.n_settled_ = 0
            # The next batch may be as far out on the other side.
            size = np.abs(rows.values).max(axis=0)
            check_range(Rows.of(np.stack([-size, size]), names=rows.names))
            learner.batch_score_ = learner._score_before(rows)
            learner.n_samples_seen_ += len(rows)
            learner._take(rows)
        self.__dict__ = learner.__dict__
        return self

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        rows = fold.train
        if len(rows) < 2:
            raise ValueError(
                f"Found {len(rows)} sample(s) while a minimum of 2 is required by "
                f"{type(self).__name__}.fit."
            )
        assert random_state is not None
        self._state = StreamState(int(random_state.randint(2**31 - 1)))
        self.n_samples_seen_, self.n_settled_ = len(rows), 0
        self.batch_score_ = self.prequential_score_ = np.nan
        self._start(rows)
        return self._use(len(self.steps_))

    def _score_before(self, rows: Rows) -> float:
        if "map_" not in vars(self) or not len(rows):
            return np.nan
        return rows.unseen().through(self.map_).score(self.base_distribution_)

    def _take(self, rows: Rows) -> None:
        """Learn all blocks that are full; let the other rows wait."""
        waiting = [*self._state.waiting, rows]
        n_rows = sum(map(len, waiting))
        if self._state.n_seen and n_rows < self._block_size():
            self._state = replace(self._state, waiting=tuple(waiting))
            return
        rows = join_rows(waiting)
        start = 0
        while len(rows) - start >= (size := self._block_size()):
            block = rows.take(slice(start, start + size))
            if self._state.n_seen:
                self._learn(block)
            else:
                self._start(block)
                self._use(1)
            start += size
        rest = rows.take(slice(start, None))
        self._state = replace(self._state, waiting=(rest,))
        if not self._state.n_seen and len(rest) > self.n_features_in_:
            # A first model, of rows that still wait to be learned.
            kept = self._state
            self._start(rest)
            self._use(1)
            self._state = kept

    def _block_size(self) -> int:
        largest: float = _LARGEST_BLOCK
        if self.half_life is not None:
            largest = min(largest, _SHARE_OF_HALF_LIFE * self.half_life)
        size = min(_BLOCK_SHARE * self._state.n_seen, largest)
        # Of fewer rows than columns there are directions that nothing is known of.
        return max(_SMALLEST_BLOCK, 2 * self.n_features_in_, int(size))

    # ------------------------------------------------------------------ steps

    def _named_steps(self) -> list[tuple[str, Destructor]]:
        if self.steps is not None:
            return self._check_parts()
        steps: list[tuple[str, Destructor]] = [
            ("marginal", SplineGaussianizer()),
            ("whitening", Whitening(method="zca", shrinkage=0.0)),
        ]
        for number in range(1, _N_ROTATIONS + 1):
            steps.append((f"rotation{number}", RandomRotation()))
            steps.append((f"marginal{number}", SplineGaussianizer()))
        return steps

    def _read_part(self, name: str, part: Any) -> Destructor:
        return adapt(f"Step {name!r}", part)

    def _fit_step(
        self, place: int, step: Destructor, statistics: RunningStatistics
    ) -> Destructor:
        step = clone(step)
        set_random_states(step, layer_seed(self._state.seed, place, 0))
        step._validate_params()
        names = getattr(self, "feature_names_in_", None) if place == 0 else None
        step._fit_rows(Fold(StreamRows(statistics, names)))
        return step

    def _start(self, rows: Rows) -> None:
        """Fit one step after the other to the first rows."""
        rows = rows.unseen()
        total, n_seen, statistics = rows.total, len(rows), []
        self.steps_ = []
        for place, (name, step) in enumerate(self._named_steps()):
            statistics.append(RunningStatistics.of(rows))
            step = self._fit_step(place, step, statistics[-1])
            self.steps_.append((name, step))
            rows = rows.through(step.map_)
        self._state = replace(
            self._state,
            n_seen=n_seen,
            weight=total,
            due=self._next_due(total),
            statistics=tuple(statistics),
        )

    def _learn(self, rows: Rows) -> None:
        """Add a block to what is known, and fit the steps again if that is due."""
        fade = 1.0
        if self.half_life is not None:
            fade = float(0.5 ** (rows.total / self.half_life))
        state, total, n_rows = self._state, rows.total, len(rows)
        statistics, n_settled = list(state.statistics), state.n_settled
        rows = rows.unseen()
        scores = [rows.score(self._base(0))]
        for place, (_, step) in enumerate(self.steps_):
            after = rows.through(step.map_)
            known = statistics[place]
            if known is not None:
                statistics[place] = known.faded(fade).plus(rows)
                if place == n_settled and state.before and self.half_life is None:
                    old = rows.through(state.before[place])
                    if largest_gain(old, after, step.base_distribution_) < self.tol:
                        statistics[place] = None
                        n_settled += 1
            rows = after
            scores.append(rows.score(self._base(place + 1)))
        state = replace(
            state,
            n_seen=state.n_seen + n_rows,
            weight=state.weight + total,
            statistics=tuple(statistics),
            n_settled=n_settled,
            before=(),
            scores=fade * state.scores + total * np.array(scores),
            mass=fade * state.mass + total,
            prequential=(
                fade * state.prequential[0] + total * scores[self.n_steps_],
                fade * state.prequential[1] + total,
            ),
        )
        self.n_settled_ = n_settled
        self.prequential_score_ = float(np.divide(*state.prequential))
        depth = int(np.argmax(state.scores))
        if state.weight >= state.due:
            maps = tuple(step.map_ for _, step in self.steps_)
            self._fit_again(state)
            state = replace(
                state,
                before=maps,
                due=self._next_due(state.weight),
                scores=_OLD_SCORES * state.scores,
                mass=_OLD_SCORES * state.mass,
            )
        self._state = state
        self._use(depth)

    def _fit_again(self, state: StreamState) -> None:
        named = self._named_steps()
        if [name for name, _ in named] != [name for name, _ in self.steps_]:
            raise ValueError(
                "The steps are no longer those that have begun to learn: call fit to "
                "begin anew."
            )
        steps = []
        for place, (name, step) in enumerate(named):
            known = state.statistics[place]
            fitted = self.steps_[place][1]
            if known is not None:
                fitted = self._fit_step(place, step, known)
            steps.append((name, fitted))
        self.steps_ = steps

    def _next_due(self, weight: float) -> float:
        wait = (_GROWTH - 1.0) * weight
        if self.half_life is not None:
            wait = min(wait, _SHARE_OF_HALF_LIFE * self.half_life)
        return weight + wait

    def _base(self, depth: int) -> Any:
        """Return what rows follow after so many steps."""
        if depth == 0:
            return StandardNormal(self.n_features_in_)
        return self.steps_[depth - 1][1].base_distribution_

    def _use(self, depth: int) -> Map:
        """Let the model be the first steps."""
        self.n_steps_ = depth
        self.base_distribution_ = self._base(depth)
        self.map_ = Chain(tuple(step.map_ for _, step in self.steps_[:depth]))
        return self.map_

    def _sk_visual_block_(self) -> VisualBlock:
        names, steps = zip(*self._named_steps(), strict=True)
        return VisualBlock(
            "serial",
            steps,
            names=list(names),
            name_details=[str(step) for step in steps],
            dash_wrapped=False,
        )
