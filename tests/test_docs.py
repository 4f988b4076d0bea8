"""The code in the README and in the user guide runs, and prints what it says."""

import doctest
import re
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parents[1]
GUIDE = sorted((ROOT / "docs" / "user_guide").glob("*.rst"))


def test_readme(capsys, tmp_path, monkeypatch):
    # It saves a model.
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    names: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert "nats per row" in capsys.readouterr().out


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_user_guide(page):
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=flags, encoding="utf-8"
    )
    assert result.failed == 0
    assert result.attempted > 0 or ">>>" not in page.read_text(encoding="utf-8")
