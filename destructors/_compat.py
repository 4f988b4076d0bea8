"""Every private or experimental scikit-learn name that the package uses.

One place to look when scikit-learn moves something: no other module imports from a
private scikit-learn module.
"""

from collections.abc import Callable
from typing import Any

from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils._indexing import _get_column_indices as get_column_indices
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
)
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.parallel import (
    _threadpool_controller_decorator as limit_threadpools,
)
from sklearn.utils.stats import _weighted_percentile as weighted_percentile
from sklearn.utils.validation import (
    _check_feature_names_in as check_feature_names_in,
)
from sklearn.utils.validation import (
    _check_sample_weight as check_sample_weight,
)

__all__ = [
    "BaseComposition",
    "CallbackSupportMixin",
    "HasMethods",
    "Hidden",
    "Interval",
    "Options",
    "StrOptions",
    "check_feature_names_in",
    "check_sample_weight",
    "fit_context",
    "get_column_indices",
    "limit_threadpools",
    "weighted_percentile",
    "with_callbacks",
]


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Any], Any]:
    """Decorate `fit`: parameters are validated, and BLAS takes one thread.

    The products of a fit are mostly too small for more, which then spend their time
    waiting for one another, and without end for one whose core is busy. What can be
    shared out is, to ``n_jobs`` threads of ours.
    """
    validate = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
    limit = limit_threadpools(limits=1, user_api="blas")
    return lambda fit: limit(validate(fit))
