"""Every private or experimental scikit-learn name that the package uses.

One place to look when scikit-learn moves something: no other module imports from a
private scikit-learn module.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.callback._callback_support import callback_management_context
from sklearn.callback._transport import close_listener, open_listener, send
from sklearn.utils import check_array as _check_array
from sklearn.utils._indexing import _get_column_indices as get_column_indices
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.parallel import _threadpool_controller_decorator as limit_threadpools
from sklearn.utils.stats import _weighted_percentile as weighted_percentile
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import validate_data as _validate_data


def check_array(*args: Any, **kwargs: Any) -> Any:
    """Return what `sklearn.utils.check_array` does.

    It tells by a sum whether all is finite, and parts of the sum of large numbers of
    both signs may not be: that is no news for a user. Masks, which it drops, are
    refused.
    """
    _refuse_masks(args)
    with np.errstate(invalid="ignore"):
        return _check_array(*args, **kwargs)


def validate_data(*args: Any, **kwargs: Any) -> Any:
    """Return what `sklearn.utils.validation.validate_data` does; see `check_array`."""
    _refuse_masks(args)
    with np.errstate(invalid="ignore"):
        return _validate_data(*args, **kwargs)


def _refuse_masks(arguments: Iterable[Any]) -> None:
    """Raise ValueError if one is an array with entries that are masked."""
    if any(map(np.ma.is_masked, arguments)):
        raise ValueError(
            "An array has masked entries, and what lies under a mask is no value. Give "
            "NaN for missing values, array.filled(np.nan), to estimators that take "
            "them; to others give rows without."
        )


class CallbackEstimator(CallbackSupportMixin, BaseEstimator):
    """An estimator with callbacks, whose class is asked for its parameters once.

    Layers are cloned by the hundred, and to read a signature takes long.
    """

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        return super()._get_param_names()


def is_linear_model(regressor: Any) -> bool:
    """Return whether a regressor predicts by coefficients and an intercept."""
    # Slow to import, and few need them.
    from sklearn.linear_model import SGDRegressor
    from sklearn.linear_model._base import LinearModel

    return isinstance(regressor, LinearModel | SGDRegressor)


_scopes_lock = threading.Lock()
_scopes: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS take one thread inside.

    Fits can overlap in threads: the first to enter sets the limit, the last to leave
    takes it back.
    """
    with _scopes_lock:
        limit = None
        if not _scopes:
            limit = _get_threadpool_controller().limit(limits=1, user_api="blas")
        _scopes.append(limit)
    try:
        yield
    finally:
        with _scopes_lock:
            last = _scopes[0] if len(_scopes) == 1 else None
            _scopes.pop()
            if last is not None:
                last.restore_original_limits()


@contextmanager
def fit_scope(estimator: Any) -> Iterator[None]:
    """Validate parameters, and let BLAS take one thread inside.

    The products of a fit are mostly too small for more, which then spend their time
    waiting for one another, and without end for one whose core is busy. What can be
    shared out is, to ``n_jobs`` threads of ours.
    """
    if not get_config()["skip_parameter_validation"]:
        estimator._validate_params()
    with one_blas_thread():
        yield


def wants_frames(estimator: Any) -> bool:
    """Return whether ``set_output`` asks that `transform` gives frames."""
    return bool(_get_output_config("transform", estimator)["dense"] != "default")
