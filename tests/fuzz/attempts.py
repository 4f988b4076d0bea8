"""What may be refused, what may not fail, and how long it may take."""

import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import destructors

__all__ = ["NotAsked", "Refused", "Violation", "attempt", "limited"]

_LIBRARY = str(Path(destructors.__file__).parent)
# Where scikit-learn looks at what a user gives; a message from there is about that.
_VALIDATION = (
    "sklearn/utils/validation.py",
    "sklearn/utils/_param_validation.py",
    "sklearn/utils/_array_api.py",
)
_HANDS_ON = str(Path("destructors", "_compat.py"))
# What a message that a user understands is about.
_SUBJECTS = ("olumn", "row", "feature", "sample", "weight", "parameter", "domain", "_")


class Violation(AssertionError):
    """An invariant does not hold."""


class Refused(Exception):
    """The table is refused by an error that says why."""


class NotAsked(Exception):
    """The invariant cannot be asked of this model and this table."""


class _TooLong(BaseException):
    """No Exception: nothing but `limited` catches it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise a violation where a block takes more seconds of the processor.

    Code in C is not interrupted.
    """

    def stop(*_: Any) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _TooLong:
        raise Violation(f"takes more than {seconds:g} seconds") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call what may refuse its input clearly, but neither fail nor warn otherwise."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            result = function(*args, **kwargs)
        except (Violation, NotAsked, Refused):
            raise
        except Exception as error:
            if isinstance(error, ValueError) and _is_clear(error):
                raise Refused(str(error)) from error
            raise Violation(_describe(error)) from error
    for warning in seen:
        # The library's own word that one of several layers cannot be fitted.
        is_own = "passed over: ValueError" in str(warning.message)
        if issubclass(warning.category, RuntimeWarning) and not is_own:
            place = f"{_short(warning.filename)}:{warning.lineno}"
            what = f"{warning.category.__name__}: {warning.message} ({place})"
            raise Violation(f"leaks a {what}")
    return result


def _is_clear(error: BaseException) -> bool:
    """Whether the library itself, or the validation of its input, raised the error."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_LIBRARY)]
    # What hands a call on to scikit-learn is nobody.
    ours = [frame for frame in ours if not frame.filename.endswith(_HANDS_ON)]
    # What a map or a layer inside finds wrong with itself is no news for a user.
    if any(frame.name == "__post_init__" for frame in frames):
        return False
    about_input = frames[-1].filename.startswith(_LIBRARY) or (
        frames[-1].filename.endswith(_VALIDATION)
        and bool(ours)
        and Path(ours[-1].filename).relative_to(_LIBRARY).parts[0]
        in {"base", "table.py"}
    )
    return about_input and any(word in str(error) for word in _SUBJECTS)


def _describe(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_LIBRARY)]
    place = f"{_short(ours[-1].filename)}:{ours[-1].name}" if ours else "outside"
    return f"{type(error).__name__} in {place}: {error}"[:300]


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:])
