"""A wheel has everything that the package reads: the schemas too, which lie beside it in the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_wheel_holds_the_schemas_and_finds_them(tmp_path: Path) -> None:
    # Of a copy: building takes compiled libraries away when it is done.
    for name in ("processor", "schemas"):
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=ignored)
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "copy" / name)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=tmp_path / "copy",
        env=env | {"TRAYECTO_COMPILE": "0"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = """
import processor.codec.schemas as found
print(found.__file__)
print(sum(len(found.history(subject)) for subject in found.SUBJECTS if found.schema(subject)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    where, count = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path / "installed")
    assert int(count) == len(list((ROOT / "schemas" / "history").rglob("*.avsc")))
