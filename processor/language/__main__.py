"""``python -m processor.language [FOLDER]`` writes the JSON Schemas of the language to ``schemas/``."""

from __future__ import annotations

import sys
from pathlib import Path

from processor.language.schemas import write

write(Path(sys.argv[1] if len(sys.argv) > 1 else "schemas"))
