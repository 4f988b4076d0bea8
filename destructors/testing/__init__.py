"""The law that every destructor keeps, as checks to run on one's own."""

from destructors.testing._law import (
    check_destructor,
    destructor_checks_generator,
    parametrize_with_destructor_checks,
)
from destructors.testing._map_law import check_map

__all__ = [
    "check_destructor",
    "check_map",
    "destructor_checks_generator",
    "parametrize_with_destructor_checks",
]
