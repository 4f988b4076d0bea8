"""Run the law: on one destructor, on one map, or as one test a check."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal
from unittest import SkipTest

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.base import Destructor
from destructors.base_distributions import StandardNormal, Uniform
from destructors.maps import Map
from destructors.maps._combine import is_surjective
from destructors.testing import _density_checks as density
from destructors.testing import _estimator_checks as estimator
from destructors.testing import _map_checks as maps
from destructors.testing._case import Beside, Case, Given, require

# Each with what it is for. Cheap and basic first: the first failure then tells most.
CHECKS: tuple[tuple[Callable[[Case], None], str], ...] = (
    (estimator.check_outputs, "maps"),
    (maps.check_inverse, "bijections"),
    (maps.check_log_det, "volumes"),
    (maps.check_log_det_of_inverse, "bijections"),
    (maps.check_batch_invariance, "maps"),
    (maps.check_far_rows, "densities"),
    (density.check_latent_distribution, "densities"),
    (density.check_integral, "densities"),
    (density.check_sample_density, "densities"),
    (density.check_standard_normal, "densities"),
    (maps.check_right_inverse, "surjections"),
    (maps.check_noise, "dequantizers"),
    (maps.check_bound, "dequantizers"),
    (density.check_permutation, "codes"),
    (density.check_total_probability, "codes"),
    (density.check_sample_probability, "codes"),
    (estimator.check_sample_weight, "learners"),
    (estimator.check_input_untouched, "maps"),
    (estimator.check_clone_and_pickle, "maps"),
    (estimator.check_saved, "maps"),
    (estimator.check_random_state, "learners"),
    (estimator.check_input_types, "learners"),
    (estimator.check_dataframe, "learners"),
    (estimator.check_refit, "learners"),
    (estimator.check_degenerate_data, "learners"),
    (estimator.check_rows_handed_on, "learners"),
)
# What a map alone is not under.
_FOR_LEARNERS = frozenset({"densities", "dequantizers", "codes", "learners"})


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
    finite values for all finite input, weights that count rows, a fit that survives
    constant columns, and the conventions of an estimator. Of discrete destructors,
    which their tags tell, cells are counted: the map is a permutation of them and
    probabilities sum to one. Dequantizers, whose map is a
    `destructors.maps.Surjection`, are undone one way only: rows come back exactly, and
    scores are a bound. It comes on top of
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
    case = Case(destructor, X, random_state, max_normal_loss)
    results: list[dict[str, Any]] = []
    for name, check in _choose_checks(case, expected):
        result = {"check_name": name, "status": "passed", "exception": None}
        results.append(result | {"expected_to_fail_reason": expected.get(name)})
        try:
            check()
        except SkipTest as error:
            results[-1] |= {"status": "skipped", "exception": error}
        except Exception as error:
            if name not in expected and on_fail == "raise":
                error.add_note(f"{name} fails for {destructor!r}.")
                raise
            status = "xfail" if name in expected else "failed"
            results[-1] |= {"status": status, "exception": error}
    return results


def check_map(
    map_: Map,
    X: NDArray,
    *,
    context: NDArray | None = None,
    savable: bool = True,
    smooth: bool = True,
) -> None:
    """Check that a map keeps the law of maps.

    It is inverted exactly; its log-determinant is that of its Jacobian, and minus that
    of the inverse; a row's image does not depend on the other rows, and the rows are
    left as they were; it equals, hashes as, and works to the same bits as its pickled
    and its saved copy. A `destructors.maps.Surjection` is inverted one way only and has
    no Jacobian.

    Parameters
    ----------
    map_ : Map
        The map.
    X : ndarray of shape (n_samples, n_features)
        Rows it is made for.
    context : ndarray of shape (n_samples, ...), default=None
        What the map depends on beside them.
    savable : bool, default=True
        Whether all in it is data. False for maps that hold a function or an estimator.
    smooth : bool, default=True
        Whether rows are numbers. Codes have no Jacobian.

    Raises
    ------
    AssertionError
        If the map breaks the law.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Affine
    >>> from destructors.testing import check_map
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> check_map(Affine(np.zeros(2), np.array([1.0, 2.0])), X)
    """
    if context is not None:
        map_ = Beside(map_, X.shape[1], context[:0])
        X = np.column_stack([X, np.reshape(context, (len(X), -1))])
    case = Case(Given(map_), X)
    case.is_discrete = not smooth
    for name, check in _choose_checks(case, {}, _FOR_LEARNERS):
        try:
            check()
        except SkipTest as reason:
            require(name != "check_saved" or not savable, str(reason))


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
    case = Case(destructor, X, random_state, max_normal_loss)
    yield from _choose_checks(case, expected_failed_checks or {})


def _choose_checks(
    case: Case, expected: Mapping[str, str], others: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the checks that a case may be under, without those for others."""
    known = {check.__name__ for check, _ in CHECKS}
    if unknown := sorted(set(expected) - known):
        raise ValueError(
            f"expected_failed_checks names unknown checks {unknown}; the checks are "
            f"{sorted(known)}."
        )
    others |= {"volumes", "densities"} if case.is_discrete else {"codes"}
    if not case.destructor._dequantizes:
        others |= {"surjections", "dequantizers"}
    for check, what in CHECKS:
        if what not in others:
            yield check.__name__, partial(_run_check, check, what, case)


def _run_check(check: Callable[[Case], None], what: str, case: Case) -> None:
    """Run a check, or skip it if it is not for what has been fitted."""
    if what not in ("maps", "codes", "learners"):
        surjective = is_surjective(case.model.map_)
        if surjective != (what in ("surjections", "dequantizers")):
            raise SkipTest("Dequantizers, undone one way only, have their own checks.")
    base = case.model.base_distribution_ if what in ("volumes", "densities") else None
    if not isinstance(base, StandardNormal | Uniform | None):
        raise SkipTest(f"The check is for continuous bases, not {base!r}.")
    check(case)


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
