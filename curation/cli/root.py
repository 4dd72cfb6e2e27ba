"""The root command: finds each subcommand only when it is called, and turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from crawler.control import StopRequested
from curation.cli.context import AppContext
from db.errors import BmpError

COMMANDS = {
    "init": ("database:init", "Create or upgrade the database and load the catalogue."),
    "demo": ("demo:demo", "Run the whole path on the bundled sample, without network."),
    "nightly": ("night:nightly", "Harvest, embed, match and queue the new papers."),
    "backfill": ("night:backfill", "Read the public arXiv metadata snapshot."),
    "fetch": ("night:fetch", "Bring in single papers, a query's papers, or the catalogue's references."),
    "schedule": ("night:schedule", "Stay alive and run a night every day."),
    "review": ("review:review", "Decide what waits, in the terminal."),
    "queue": ("queue:queue", "The same queue for scripts."),
    "phenomena": ("phenomena:phenomena", "The catalogue."),
    "import-evidence": (
        "intake:import_evidence",
        "Bring an existing list of papers in: ids, BibTeX, RIS, Zotero, Markdown.",
    ),
    "rank": ("rank:rank", "Rank the stored papers for a phenomenon or a claim."),
    "evaluate": ("evaluate:evaluate", "Score the ranking on papers that you labelled."),
    "export": ("export:export", "Write the curated database for others."),
    "runs": ("runs:runs", "What the nights did."),
    "digest": ("digest:digest", "What happened since the last digest, to read or to mail."),
    "status": ("status:status", "How things stand."),
    "db": ("database:db", "The database file: path, check, backup, restore."),
    "config": ("config:config", "The settings in force."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, so that help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"curation.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from curation.cli.context import program_version

        click.echo(f"bmp {program_version()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--db", "db_path", type=click.Path(path_type=Path, dir_okay=False), help="The database file (BMP_DB).")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context, db_path: Path | None) -> None:
    """BMPrinciples keeps a catalogue of phenomena of large-model scaling alive against the flood of papers.

    A first night: bmp init, bmp nightly, bmp review, bmp export markdown. Without a network: bmp demo.
    """
    ctx.obj = AppContext(dict(os.environ), db_path)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 error, 2 wrong usage, 3 a partial night, 130 interrupted."""
    try:
        code = cli.main(args=arguments, prog_name="bmp", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except StopRequested:
        _say("Stopped; what was kept stays, and the next run goes on from there.")
        code = 130
    except KeyboardInterrupt:
        _say("Interrupted; what was decided and kept stays.")
        code = 130
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except BmpError as error:
        _say(f"Error: {error.message}{'; ' + error.hint if error.hint else ''}")
        code = error.exit_code
    except Exception as error:
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """Say what an unforeseen error means: SQLite's and the system's in their own words, others as ours."""
    import sqlite3

    from db.store import store_error

    if os.environ.get("BMP_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, sqlite3.Error):
        known = store_error(Path("the database"), error)
        _say(f"Error: {known.message}; {known.hint}")
    elif isinstance(error, OSError):
        _say(f"Error: {error.strerror or error}{': ' + str(error.filename) if error.filename else ''}")
    else:
        line = " ".join(str(error).split())[:200]
        _say(f"Error: a fault in bmp itself ({type(error).__name__}: {line}); nothing committed is lost;"
             " BMP_DEBUG=1 shows where, for a report")  # fmt: skip
    return 1


def _say(line: str) -> None:
    click.echo(line, err=True)
