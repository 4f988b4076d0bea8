"""A model as small as a device asks for."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors.maps import Density
from destructors.maps._cut import cut_to
from destructors.maps._save import n_bytes
from destructors.rows import Fold, Rows

# Rows drawn from the model: those that smaller ones are fitted to, those by which these
# stop, and those by which they are chosen.
_N_TRAIN, _N_STOP, _N_CHOOSE = 20_000, 4_000, 10_000
# Fits that are worse than the best, one after the other, until no more are tried.
_N_WORSE = 2


class ShrinkMixin:
    """``shrink``."""

    def shrink(
        self,
        max_bytes: int,
        X_val: ArrayLike | None = None,
        *,
        sample_weight_val: ArrayLike | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> Density:
        """Return the best density that a file of so many bytes can hold.

        Tried are the first layers and trees of the model, as many as fit; and of
        mixtures, and flows that begin with one, fits with fewer components to rows that
        are drawn from the model (distillation), behind which trees are grown anew, as
        many as fit. The one that gives held-out rows the highest mean log density is
        taken.

        Parameters
        ----------
        max_bytes : int
            Size of the file that `destructors.save` writes of the result, at most.
        X_val : array-like of shape (n_val_samples, n_features), default=None
            Held-out rows to choose by. None draws 10,000 from the model, which tell the
            divergence from it: no data are needed.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the held-out rows.
        random_state : int, RandomState instance or None, default=None
            Seed of the rows that are drawn, and of the fits to them.

        Returns
        -------
        density : destructors.maps.Density
            It scores, samples, and can be saved and written as C
            (`destructors.maps.to_c`). The model stays what it is; where it is small
            enough, its own density comes back.

        Raises
        ------
        ValueError
            If ``max_bytes`` is no integer of at least 1, weights are given without
            rows, or no smaller form of the model fits.
        TypeError
            If the model aligns domains.

        Examples
        --------
        >>> import numpy as np
        >>> from destructors.flows import TreeFlow
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=1000)
        >>> X = np.c_[x, np.sin(2 * x) + rng.normal(scale=0.3, size=1000)]
        >>> model = TreeFlow(n_components=16, cv=None, random_state=0).fit(X)
        >>> small = model.shrink(4_000, random_state=0)
        >>> bool(small.logpdf(X).mean() > -1.8)  # the model: -1.6, a Gaussian: -2.5
        True
        """
        check_is_fitted(self)
        if not isinstance(max_bytes, Integral) or max_bytes < 1:
            raise ValueError(
                f"max_bytes must be an integer of at least 1, got {max_bytes!r}."
            )
        if X_val is None and sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val.")
        model: Any = self
        whole: Density = model.to_density()
        if whole.labels is not None:
            raise TypeError(
                f"{type(self).__name__} aligns domains; only what is one density can "
                "be shrunk."
            )
        if (size := n_bytes(whole)) <= max_bytes:
            return whole
        rng = check_random_state(random_state)
        judges: Rows | None = None
        if X_val is not None:
            judges = model._read_validation(X_val, sample_weight_val)
        judge = judges or _draw(model, _N_CHOOSE, rng)
        found = [cut_to(whole, max_bytes), *_distill(model, max_bytes, judge, rng)]
        fit = [density for density in found if density is not None]
        if not fit:
            raise ValueError(
                f"{type(self).__name__} has no smaller form of at most {max_bytes} "
                f"bytes; it takes {size}. Raise max_bytes, or fit one that has fewer "
                "columns."
            )
        return max(fit, key=lambda density: _score(density, judge))

    def _smaller(self) -> list[list[dict[str, Any]]]:
        """Return parameters of smaller fits: some rows, each from the smallest on."""
        return []


def _distill(
    model: Any, max_bytes: int, judge: Rows, rng: np.random.RandomState
) -> list[Density]:
    """Return smaller fits to rows that are drawn from a model, cut to size."""
    ladders = model._smaller()
    if not any(ladders):
        return []
    found = []
    fold = Fold(_draw(model, _N_TRAIN, rng), _draw(model, _N_STOP, rng))
    seed = rng.randint(2**31 - 1)
    for ladder in ladders:
        scores: list[float] = []
        for params in ladder:
            student = clone(model).set_params(**params)
            if "random_state" in student.get_params(deep=False):
                student.set_params(random_state=seed)
            student._validate_params()
            student._adopt(model)._fit_rows(fold)
            part = cut_to(student.to_density(), max_bytes)
            if part is None:
                # Those that follow are larger.
                break
            found.append(part)
            scores.append(_score(part, judge))
            if len(scores) - 1 - int(np.argmax(scores)) == _N_WORSE:
                break
    return found


def _draw(model: Any, n_rows: int, rng: np.random.RandomState) -> Rows:
    """Return rows that follow a model, as it knows them."""
    values = model.to_density().sample_rows(n_rows, rng, None, model._run)
    return model._as_rows(values, None, None)


def _score(density: Density, rows: Rows) -> float:
    """Return the mean log density of rows, in nats."""
    return rows.through(density.map).score(density.base)
