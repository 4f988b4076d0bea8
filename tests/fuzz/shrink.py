"""Make a failing table smaller, and print it as code."""

import re
import time

import numpy as np

from tests.fuzz.attempts import NotAsked, Refused, Violation, limited
from tests.fuzz.frames import Frame, FrameRecipe
from tests.fuzz.mixed import check_any, make_case
from tests.fuzz.tables import Recipe, Table

__all__ = ["cause_of", "reproducer"]

_LIMIT = 60.0
_MOST_LITERAL_ROWS = 12


def cause_of(message: str) -> str:
    """Return a message without its numbers: what failures of one cause share."""
    return re.sub(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?|\binf\b|\bnan\b", "#", message)[:160]


def reproducer(
    name: str,
    recipe: Recipe | FrameRecipe,
    invariant: str,
    cause: str,
    seconds: float,
) -> str:
    """Return code that rebuilds the smallest table found on which a check fails."""
    began = time.monotonic()

    def fails(table: Table | Frame) -> bool:
        if time.monotonic() - began > seconds:
            return False
        return _message_of(name, table, invariant, cause) is not None

    recipe = _smallest_recipe(recipe, fails)
    table = recipe.build()
    is_frame = isinstance(table, Frame)
    smaller = table if is_frame else _fewer_rows(table, fails)
    literal = not is_frame and len(smaller.X) <= _MOST_LITERAL_ROWS
    if not literal:
        smaller = table
    message = _message_of(name, smaller, invariant, cause)
    lines = [f"# {name}: {invariant}: {message}", f"# {recipe}"]
    if literal:
        lines.append(f"X = np.array({_show(smaller.X)})")
        if smaller.weight is not None:
            lines.append(f"weight = np.array({_show(smaller.weight)})")
        lines.append(f"domain = np.array({smaller.domain.tolist()})")
        weight = "None" if smaller.weight is None else "weight"
        lines.append(f"table = Table(X, {weight}, domain)")
    else:
        lines.append(f"table = {recipe}.build()")
    what, how = f"Case({name!r}, table)", "check"
    if is_frame:
        what, how = f"Frame{what}", "check_any"
    lines.append(what if invariant == "fit" else f"{how}({what}, {invariant!r})")
    return "\n".join(lines) + "\n"


def _show(values: np.ndarray) -> str:
    return repr(values.tolist()).replace("],", "],\n   ")


def _message_of(
    name: str, table: Table | Frame, invariant: str, cause: str
) -> str | None:
    try:
        with limited(_LIMIT):
            case = make_case(name, table)
            if invariant != "fit":
                check_any(case, invariant)
    except Violation as violation:
        if cause_of(str(violation)) == cause:
            return str(violation)
    except (NotAsked, Refused):
        pass
    return None


def _smallest_recipe(recipe, fails):
    while True:
        for smaller in recipe.smaller():
            if fails(smaller.build()):
                recipe = smaller
                break
        else:
            return recipe


def _fewer_rows(table: Table, fails) -> Table:
    """Drop blocks of rows, of half the rows first and then of ever fewer."""
    size = len(table.X) // 2
    while size >= 1:
        start = 0
        while start < len(table.X) and len(table.X) > 1:
            kept = np.delete(np.arange(len(table.X)), slice(start, start + size))
            smaller = table.take(kept)
            if len(kept) and fails(smaller):
                table = smaller
            else:
                start += size
        size //= 2
    return table
