"""Warnings of the package, to be filtered by their class."""

__all__ = ["DataWarning"]


class DataWarning(UserWarning):
    """Data are such that a density of them means little.

    Examples
    --------
    >>> import warnings
    >>> from destructors.exceptions import DataWarning
    >>> warnings.simplefilter("ignore", DataWarning)
    """
