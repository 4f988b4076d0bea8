"""CSV and JSON files that an interrupt cannot cut short."""

from __future__ import annotations

import json
import os
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["write_csv", "write_json"]


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index, and the folder that the file is in."""
    _replace(path, table.to_csv(index=False))


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document, and the folder that the file is in; NaN and ∞ become null."""
    text = json.dumps(_to_json(document), indent=2, allow_nan=False)
    _replace(path, text + "\n")


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_to_json(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _replace(path: Path, text: str) -> None:
    """Write a file so that an interrupt leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
