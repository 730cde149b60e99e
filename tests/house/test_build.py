"""The hot modules compile by themselves: no cache, no setting and no type of another package is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import processor

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(
    not processor.is_compiled() and not os.environ.get("CI"), reason="there is no C compiler, or `make plain`"
)
def test_a_fresh_copy_compiles(tmp_path: Path) -> None:
    for name in ("processor", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    command = [sys.executable, "hatch_build.py", "--require"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MYPY")}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    code = "import processor; print(processor.is_compiled(), processor.__file__)"
    env["PYTHONPATH"] = str(tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["True", str(tmp_path / "processor" / "__init__.py")]
