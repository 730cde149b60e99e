"""The command line, ``trayecto``. One file a command; ``app``, ``output``, ``options`` are shared.

Importing this package costs next to nothing: each command imports what it needs when it runs.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    try:
        from processor.cli.app import app
    except KeyboardInterrupt:  # Ctrl-C while the modules load: nothing has begun, so there is nothing to say
        raise SystemExit(130) from None
    app()
