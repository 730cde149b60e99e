"""The scenarios of this topology need onnxruntime, which is optional; in CI nothing is left out."""

from __future__ import annotations

import importlib.util
import os

collect_ignore_glob: list[str] = []
if importlib.util.find_spec("onnxruntime") is None and not os.environ.get("CI"):
    collect_ignore_glob.append("*")
