"""Every private or experimental scikit-learn name that the package uses.

One place to look when scikit-learn moves something: no other module imports from a
private scikit-learn module.
"""

from sklearn.base import _fit_context as fit_context
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
    "weighted_percentile",
    "with_callbacks",
]
