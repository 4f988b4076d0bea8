"""Warnings of the package, to be filtered by their class."""

__all__ = ["CheckpointWarning", "DataWarning", "SamplingWarning"]


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written, or a file of it is damaged.

    The fit goes on, and what was written before still serves.
    """


class DataWarning(UserWarning):
    """Data are such that a density of them means little.

    Examples
    --------
    >>> import warnings
    >>> from destructors.exceptions import DataWarning
    >>> warnings.simplefilter("ignore", DataWarning)
    """


class SamplingWarning(UserWarning):
    """Draws are of little worth: a few proposals have nearly all of the weight.

    See Also
    --------
    destructors.estimators.ConditionalSampler : Proposes and weighs them.
    """
