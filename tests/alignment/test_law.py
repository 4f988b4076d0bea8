"""The law, scikit-learn's checks and the registry, for destructors of domains."""

import importlib

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from destructors.alignment import DomainDestructor
from destructors.testing import parametrize_with_destructor_checks
from tests.registry import ALIGNMENT

FAILURES = {id(one): entry.sklearn_failures for one, entry in ALIGNMENT.values()}
LAWS = {id(entry.destructor): entry.law for _, entry in ALIGNMENT.values()}


@parametrize_with_destructor_checks(
    {name: entry.destructor for name, (_, entry) in ALIGNMENT.items()},
    settings=lambda destructor: LAWS[id(destructor)],
)
def test_law(check):
    check()


@parametrize_with_checks(
    [from_rows for from_rows, _ in ALIGNMENT.values()],
    expected_failed_checks=lambda estimator: FAILURES[id(estimator)],
    xfail_strict=True,
)
def test_sklearn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("module", ["destructors.alignment", "destructors.flows"])
def test_every_map_is_registered(module):
    exported = importlib.import_module(module)
    maps = [getattr(exported, name) for name in exported.__all__]
    maps = [
        kind
        for kind in maps
        if issubclass(kind, DomainDestructor) and not kind.__abstractmethods__
    ]
    assert maps
    for kind in maps:
        registered = [from_rows for from_rows, _ in ALIGNMENT.values()]
        assert any(isinstance(one, kind) for one in registered), kind
