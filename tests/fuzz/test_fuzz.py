"""A short, deterministic search on every change; `make fuzz` is the long one."""

from contextlib import suppress
from zlib import crc32

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.attempts import NotAsked, Refused, limited
from tests.fuzz.case import Case
from tests.fuzz.invariants import INVARIANTS, REFITS, check
from tests.fuzz.models import MODELS, SLOW
from tests.fuzz.tables import recipes

# Tables are the same each time: what fails here fails for everybody. A failing one is
# not made smaller, which would take minutes: tests/fuzz/shrink.py does it when asked.
short = settings(
    phases=[Phase.generate],
    max_examples=4,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", [n for n in MODELS if n not in SLOW])
@short
@given(recipe=recipes())
def test_hostile_tables_break_nothing(name, recipe):
    with limited(30.0):
        try:
            case = Case(name, recipe.build())
        except Refused:
            return
        # One of those that fit again, another for each model and table.
        number = crc32(f"{name}{recipe}".encode()) % len(REFITS)
        for invariant in (*INVARIANTS, list(REFITS)[number]):
            with suppress(NotAsked):
                check(case, invariant)
