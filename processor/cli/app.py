"""The command ``trayecto`` itself: its commands, its settings, and how errors end it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from processor.cli.errors import BUG, DOWN, INTERRUPTED, CommandError, disk_failure

__all__ = ["app", "epilog", "settings"]

SETTINGS_FILE: Final = "trayecto.toml"
_EPILOG: Final = (
    "Begin with [bold]trayecto demo[/bold], then [bold]trayecto init shop[/bold]. Settings also come from "
    f"TRAYECTO_… variables and from {SETTINGS_FILE} in the current folder (docs/reference/cli.md)."
)


class _Group(TyperGroup):
    """Ends every command in one way: an exit code and a message, a traceback only for who asks for it."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except BrokenPipeError:
            raise
        except OSError as error:  # of --help, which is printed before any command is invoked
            if os.environ.get("TRAYECTO_DEBUG"):
                raise
            _say_disk_failure(error)
            sys.exit(DOWN)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as error:
            _say_error(error.message, error.fix)
            raise typer.Exit(error.code) from None
        except KeyboardInterrupt:
            _say_error("stopped", "")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except OSError as error:
            # A disk that is full or not ours is foreseeable, and so no bug.
            if os.environ.get("TRAYECTO_DEBUG"):
                raise
            _say_disk_failure(error)
            raise typer.Exit(DOWN) from None
        except Exception as error:
            # The command line's own exceptions (wrong usage) know how to show themselves.
            if os.environ.get("TRAYECTO_DEBUG") or hasattr(error, "show"):
                raise
            _say_error(
                f"this is a bug in trayecto: {type(error).__name__}: {error}",
                "please report it, with what TRAYECTO_DEBUG=1 shows of it",
            )
            raise typer.Exit(BUG) from None


def _say_disk_failure(error: OSError) -> None:
    """Say what failed, and let go of results that could not be written: Python would try again at its end."""
    _say_error(*disk_failure(error))
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def _say_error(message: str, fix: str) -> None:
    from processor.cli.output import errors

    console = errors()
    console.print("[bold red]error:[/bold red]", end=" ")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
    if fix:
        console.print(fix, markup=False, highlight=False, soft_wrap=True, style="dim")


app = typer.Typer(
    name="trayecto",
    cls=_Group,
    help="An event-sourced streaming journey processor: programs in YAML, decisions from the log.",
    epilog=_EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def epilog(examples: tuple[str, ...]) -> str:
    """Return examples as the end of a command's help, one on each line."""
    from rich.markup import escape

    return "\n\n".join(["[bold]Examples[/bold]", *(f"[cyan]$ {escape(line)}[/cyan]" for line in examples)])


def _version(value: bool) -> None:
    if value:
        from processor import __version__

        typer.echo(f"trayecto {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Run marketing programs over a log of events: every decision is a function of what the log holds."""
    ctx.default_map = settings(getattr(ctx.command, "commands", {}))


def settings(commands: Mapping[str, Any]) -> dict[str, Any]:
    """Read ``trayecto.toml`` (or the file that TRAYECTO_CONFIG names) as defaults for each command.

    Keys at the top are for every command, those in a table ``[run]`` for that one, those in ``[contact]`` for
    every command under it.

    Raises:
        CommandError: the file cannot be read.
    """
    import tomllib

    named = os.environ.get("TRAYECTO_CONFIG")
    path = Path(named or SETTINGS_FILE)
    if not path.is_file():
        if named:
            raise CommandError(f"there is no settings file {path}", "write one, or unset TRAYECTO_CONFIG")
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}", "mend it: it is a TOML file") from None
    shared = {_option(key): value for key, value in found.items() if not isinstance(value, dict)}
    made: dict[str, Any] = {}
    for name, command in commands.items():
        own = {**shared, **{_option(key): value for key, value in found.get(name, {}).items()}}
        below = getattr(command, "commands", None)
        made[name] = dict.fromkeys(below, own) if below else own
    return made


def _option(key: str) -> str:
    return key.replace("-", "_")


def _register() -> None:
    """Add every command; the order here is the order of the help."""
    from processor.cli import (
        backtest,
        contact,
        demo,
        dev,
        dlq,
        explain,
        graph,
        held,
        import_,
        init,
        lint,
        new,
        partition,
        pause,
        preview,
        publish,
        report,
        run,
        schema,
        tail,
        test,
        timers,
        topics,
        worker,
    )

    start, check, work = "Begin", "Write and check programs", "Run them, and see what they did"
    kafka = "Kafka"
    for panel, function, examples in (
        (start, demo.demo, demo.EXAMPLES),
        (start, init.init, init.EXAMPLES),
        (start, new.new, new.EXAMPLES),
        (check, lint.lint, lint.EXAMPLES),
        (check, graph.graph, graph.EXAMPLES),
        (check, test.test, test.EXAMPLES),
        (check, preview.preview, preview.EXAMPLES),
        (check, schema.schema, schema.EXAMPLES),
        (work, run.run, run.EXAMPLES),
        (work, backtest.backtest, backtest.EXAMPLES),
        (work, explain.explain, explain.EXAMPLES),
        (work, report.report, report.EXAMPLES),
        (work, pause.pause, pause.PAUSE_EXAMPLES),
        (work, pause.resume, pause.RESUME_EXAMPLES),
        (kafka, worker.worker, worker.EXAMPLES),
        (kafka, publish.publish, publish.EXAMPLES),
        (kafka, import_.import_, import_.EXAMPLES),
        (kafka, tail.tail, tail.EXAMPLES),
    ):
        app.command(function.__name__.strip("_"), rich_help_panel=panel, epilog=epilog(examples))(function)
    app.add_typer(contact.group(), name="contact", rich_help_panel=work)
    app.add_typer(held.group(), name="held", rich_help_panel=work)
    app.add_typer(timers.group(), name="timers", rich_help_panel=work)
    app.add_typer(topics.group(), name="topics", rich_help_panel=kafka)
    app.add_typer(dlq.group(), name="dlq", rich_help_panel=kafka)
    app.add_typer(partition.group(), name="partition", rich_help_panel=kafka)
    app.add_typer(dev.group(), name="dev", rich_help_panel=work)


_register()
