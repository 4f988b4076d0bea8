"""The law, on every public destructor."""

import importlib
import pkgutil

import pytest

import destructors
from destructors.base import Destructor
from destructors.testing import parametrize_with_destructor_checks
from tests.registry import ALIGNMENT, REGISTRY, entry_of


@parametrize_with_destructor_checks(
    {name: entry.destructor for name, entry in REGISTRY.items()},
    settings=lambda destructor: entry_of(destructor).law,
)
def test_law(check):
    check()


def public_destructors() -> dict[str, type]:
    """Every class that a subpackage exports and that can be made an instance of."""
    found = {}
    for module in pkgutil.iter_modules(destructors.__path__):
        subpackage = importlib.import_module(f"destructors.{module.name}")
        for name in getattr(subpackage, "__all__", []):
            exported = getattr(subpackage, name)
            if (
                isinstance(exported, type)
                and issubclass(exported, Destructor)
                and not exported.__abstractmethods__
            ):
                found[f"{module.name}.{name}"] = exported
    return found


@pytest.mark.parametrize("name", sorted(public_destructors()))
def test_every_public_destructor_is_registered(name):
    registered = {type(entry.destructor) for entry in REGISTRY.values()}
    # Those that depend on a domain are registered with labels from rows.
    registered |= {type(one).__mro__[2] for one, _ in ALIGNMENT.values()}
    assert public_destructors()[name] in registered, "Add it to tests/registry.py."


def test_public_destructors_are_found():
    # Else the test above would pass for want of anything to test.
    assert {"linear.Whitening", "flows.RBIG"} <= set(public_destructors())
