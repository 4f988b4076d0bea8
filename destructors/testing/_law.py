"""Run the law: on one destructor, or as one test a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal
from unittest import SkipTest

from numpy.typing import ArrayLike

from destructors.base import Destructor
from destructors.testing import (
    _density_checks,
    _discrete_checks,
    _estimator_checks,
    _map_checks,
    _surjection_checks,
)
from destructors.testing._case import Case

__all__ = [
    "check_destructor",
    "destructor_checks_generator",
    "parametrize_with_destructor_checks",
]

# Cheap and basic first: the first failure then tells most.
_FOR_CONTINUOUS: tuple[Callable[[Case], None], ...] = (
    _map_checks.check_log_det,
    _map_checks.check_far_rows,
    _density_checks.check_latent_distribution,
    _density_checks.check_integral,
    _density_checks.check_sample_density,
    _density_checks.check_standard_normal,
)
_FOR_SURJECTIONS: tuple[Callable[[Case], None], ...] = (
    _surjection_checks.check_right_inverse,
    _surjection_checks.check_noise,
    _surjection_checks.check_bound,
)
_FOR_DISCRETE: tuple[Callable[[Case], None], ...] = (
    _discrete_checks.check_permutation,
    _discrete_checks.check_total_probability,
    _discrete_checks.check_sample_probability,
)
_CHECKS: tuple[Callable[[Case], None], ...] = (
    _estimator_checks.check_outputs,
    _map_checks.check_inverse,
    _map_checks.check_log_det,
    _map_checks.check_log_det_of_inverse,
    _map_checks.check_batch_invariance,
    _map_checks.check_far_rows,
    _density_checks.check_latent_distribution,
    _density_checks.check_integral,
    _density_checks.check_sample_density,
    _density_checks.check_standard_normal,
    *_FOR_SURJECTIONS,
    *_FOR_DISCRETE,
    _estimator_checks.check_sample_weight,
    _estimator_checks.check_input_untouched,
    _estimator_checks.check_clone_and_pickle,
    _estimator_checks.check_saved,
    _estimator_checks.check_random_state,
    _estimator_checks.check_input_types,
    _estimator_checks.check_dataframe,
    _estimator_checks.check_refit,
)


def check_destructor(
    destructor: Destructor,
    *,
    X: ArrayLike | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
    random_state: int = 0,
    max_normal_loss: float = 0.1,
    on_fail: Literal["raise"] | None = "raise",
) -> list[dict[str, Any]]:
    """Check that a destructor keeps the law.

    The law is what users and the other parts of the library rely on: an exact inverse
    and log-determinant, a density that integrates to one and that `sample` follows,
    finite values for all finite input, weights that count rows, and the conventions of
    an estimator. Of discrete destructors, which their tags tell, cells are counted: the
    map is a permutation of them and probabilities sum to one. Dequantizers, whose map
    is a `destructors.maps.Surjection`, are undone one way only: rows come back exactly,
    and scores are a bound. It comes on top of
    `sklearn.utils.estimator_checks.check_estimator`.

    Parameters
    ----------
    destructor : Destructor
        What to check. It is cloned, and every ``random_state`` in it is fixed.
    X : array-like of shape (n_samples, n_features), default=None
        Rows to check it on, some 500 or more of continuous features, for a destructor
        that needs a certain width or domain. By default rows of 3 features are
        generated, and integrals are taken in 2 dimensions; codes are generated for
        discrete destructors, and all their cells are gone through.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that may fail, each with the reason.
    random_state : int, default=0
        Seed of data, samples and fits. A right destructor fails a statistical check for
        one seed in a million.
    max_normal_loss : float, default=0.1
        Nats per feature that the density may lose when 1000 rows of standard normal
        data are fitted: the price of flexibility.
    on_fail : {"raise", None}, default="raise"
        Whether to raise at the first failure, or go through all checks.

    Returns
    -------
    results : list of dict
        One for each check: ``check_name``, ``status`` ("passed", "failed", "skipped",
        or "xfail" for an expected failure), ``exception`` (None if passed) and
        ``expected_to_fail_reason`` (None if it is not expected to).

    Raises
    ------
    AssertionError
        If a check fails, or whatever the destructor raises; a note names the check.
    ValueError
        If ``expected_failed_checks`` names no check.

    See Also
    --------
    parametrize_with_destructor_checks : One pytest test for each check.
    destructor_checks_generator : The checks, to be called.

    Examples
    --------
    >>> from destructors.linear import Whitening
    >>> from destructors.testing import check_destructor
    >>> results = check_destructor(Whitening(), max_normal_loss=0.005)
    >>> {result["status"] for result in results}
    {'passed'}
    """
    expected = expected_failed_checks or {}
    results: list[dict[str, Any]] = []
    for name, check in destructor_checks_generator(
        destructor,
        X=X,
        expected_failed_checks=expected,
        random_state=random_state,
        max_normal_loss=max_normal_loss,
    ):
        status = "passed"
        exception: Exception | None = None
        try:
            check()
        except SkipTest as error:
            status, exception = "skipped", error
        except Exception as error:
            if name not in expected and on_fail == "raise":
                error.add_note(f"{name} fails for {destructor!r}.")
                raise
            status = "xfail" if name in expected else "failed"
            exception = error
        results.append(
            {
                "check_name": name,
                "status": status,
                "exception": exception,
                "expected_to_fail_reason": expected.get(name),
            }
        )
    return results


def destructor_checks_generator(
    destructor: Destructor,
    *,
    X: ArrayLike | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
    random_state: int = 0,
    max_normal_loss: float = 0.1,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Return the checks of the law, ready to be called.

    Parameters
    ----------
    destructor : Destructor
        What to check.
    X, expected_failed_checks, random_state, max_normal_loss
        As in `check_destructor`. The names of the expected failures are verified; what
        to do with them is up to the caller.

    Yields
    ------
    name : str
        Name of the check.
    check : callable
        Takes no argument; raises an error if the check fails, and
        ``unittest.SkipTest`` if it does not apply.

    Raises
    ------
    ValueError
        If ``expected_failed_checks`` names no check.

    Examples
    --------
    >>> from destructors.linear import Whitening
    >>> from destructors.testing import destructor_checks_generator
    >>> checks = dict(destructor_checks_generator(Whitening()))
    >>> checks["check_inverse"]()
    """
    known = {check.__name__ for check in _CHECKS}
    if unknown := sorted(set(expected_failed_checks or {}) - known):
        raise ValueError(
            f"expected_failed_checks names unknown checks {unknown}; the checks are "
            f"{sorted(known)}."
        )
    case = Case(destructor, X, random_state, max_normal_loss)
    others = _FOR_CONTINUOUS if case.is_discrete else _FOR_DISCRETE
    if not getattr(destructor, "_dequantizes", False):
        others += _FOR_SURJECTIONS
    for check in (check for check in _CHECKS if check not in others):
        yield check.__name__, partial(check, case)


def parametrize_with_destructor_checks(
    destructors: Sequence[Destructor] | Mapping[str, Destructor],
    *,
    settings: Callable[[Destructor], Mapping[str, Any]] | None = None,
) -> Any:
    """Decorate a pytest test so that it runs once for each destructor and check.

    Parameters
    ----------
    destructors : list, or dict of str to Destructor
        What to check. The keys of a dict name the tests.
    settings : callable, default=None
        Takes one of ``destructors`` and gives a dict of what `check_destructor` should
        be told for it: ``X``, ``expected_failed_checks``, ``random_state`` or
        ``max_normal_loss``. A check that is expected to fail is marked as such, and
        passing it is an error.

    Returns
    -------
    decorator : pytest.MarkDecorator
        For a test that takes ``check``, and calls it.

    Examples
    --------
    >>> from destructors.linear import RandomRotation, Whitening
    >>> from destructors.testing import parametrize_with_destructor_checks
    >>> @parametrize_with_destructor_checks([Whitening(), RandomRotation()])
    ... def test_law(check):
    ...     check()
    """
    import pytest

    if not isinstance(destructors, Mapping):
        destructors = {repr(destructor): destructor for destructor in destructors}
    parameters = []
    for label, destructor in destructors.items():
        options = {} if settings is None else settings(destructor)
        expected = options.get("expected_failed_checks") or {}
        for name, check in destructor_checks_generator(destructor, **options):
            marks: Any = ()
            if name in expected:
                marks = pytest.mark.xfail(reason=expected[name], strict=True)
            parameters.append(pytest.param(check, id=f"{label}-{name}", marks=marks))
    return pytest.mark.parametrize("check", parameters)
