"""``python -m processor`` is the command ``trayecto``."""

from processor.cli import main

main()
