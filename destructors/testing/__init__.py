"""The law that every destructor keeps, as checks to run on one's own."""

from destructors.testing._law import (
    check_destructor,
    check_map,
    destructor_checks_generator,
    parametrize_with_destructor_checks,
)

__all__ = [
    "check_destructor",
    "check_map",
    "destructor_checks_generator",
    "parametrize_with_destructor_checks",
]
