"""Every private or experimental scikit-learn name that the package uses.

One place to look when scikit-learn moves something: no other module imports from a
private scikit-learn module.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn import get_config
from sklearn.callback import CallbackSupportMixin
from sklearn.callback._callback_support import callback_management_context
from sklearn.utils._indexing import _get_column_indices as get_column_indices
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
)
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.parallel import (
    _get_threadpool_controller as get_threadpool_controller,
)
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
    "VisualBlock",
    "callback_management_context",
    "check_feature_names_in",
    "check_sample_weight",
    "fit_scope",
    "get_column_indices",
    "get_threadpool_controller",
    "limit_threadpools",
    "weighted_percentile",
]


@contextmanager
def fit_scope(estimator: Any) -> Iterator[None]:
    """Validate parameters, and let BLAS take one thread inside.

    The products of a fit are mostly too small for more, which then spend their time
    waiting for one another, and without end for one whose core is busy. What can be
    shared out is, to ``n_jobs`` threads of ours.
    """
    if not get_config()["skip_parameter_validation"]:
        estimator._validate_params()
    with get_threadpool_controller().limit(limits=1, user_api="blas"):
        yield
