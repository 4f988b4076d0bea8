"""Types of arguments that refuse nonsense before anything is measured."""

import argparse
import math

__all__ = ["count", "seconds", "seed"]


def count(text: str) -> int:
    """Return an integer of at least 1."""
    return _integer(text, 1)


def seed(text: str) -> int:
    """Return an integer of at least 0."""
    return _integer(text, 0)


def seconds(text: str) -> float:
    """Return a number of seconds, above 0."""
    number = float(text)
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _integer(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text} is no integer of at least {least}")
    return int(text)
