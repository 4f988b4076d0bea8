"""What is made of named parts, each with parameters of its own."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

from destructors._compat import BaseComposition


class Composite(BaseComposition):
    """Base of what is made of named parts, such as the steps of a pipeline.

    A subclass says in ``_parts`` which parameter lists them, as (name, part) tuples;
    while that is something else, such as None, there are no nested parameters of parts.
    """

    _parts: ClassVar[str]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters; those of a part are named ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parts and their parameters.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        if isinstance(getattr(self, self._parts), list):
            return self._get_params(self._parts, deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; the name of a part sets the part itself.

        Parameters
        ----------
        **params : dict
            Names and values, such as ``marginal__alpha=0.1``.

        Returns
        -------
        self : object
            The estimator.
        """
        if isinstance(params.get(self._parts, getattr(self, self._parts)), list):
            self._set_params(self._parts, **params)
        else:
            super().set_params(**params)
        return self

    def _check_parts(self) -> list[tuple[str, Any]]:
        """Return names and parts, as `_read_part` reads them.

        Raises
        ------
        ValueError, TypeError
            If there are none, a name is none or used twice, or a part is of no use.
        """
        parameter, read = self._parts, []
        parts = getattr(self, parameter)
        if not parts:
            raise ValueError(f"{parameter} is empty: give at least one tuple.")
        for entry in parts:
            if not (isinstance(entry, tuple) and len(entry) == 2):
                raise TypeError(
                    f"Each of {parameter} must be a (name, destructor) tuple, got "
                    f"{entry!r}."
                )
            read.append((entry[0], self._read_part(*entry)))
        self._validate_names([name for name, _ in read])
        return read

    @abstractmethod
    def _read_part(self, name: str, part: Any) -> Any:
        """Return what can be fitted, or raise TypeError."""
