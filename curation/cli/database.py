"""`bmp init` and `bmp db`: the database file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from curation.cli.context import (
    AppContext,
    json_option,
    name_some,
    pass_app,
    program_version,
    say,
    tell_stranded,
    write_json,
)
from db.errors import StoreError


@click.command()
@click.option(
    "--catalogue", type=click.Path(path_type=Path), help="Start with this catalogue (TOML) instead of the shipped one."
)
@json_option
@pass_app
def init(app: AppContext, catalogue: Path | None, as_json: bool) -> None:
    """Create or upgrade the database and load the catalogue; safe to repeat."""
    from curation.catalogue import load_catalogue
    from db.phenomena import list_phenomena
    from db.upkeep import load_phenomena

    phenomena = load_catalogue(catalogue)  # a catalogue that does not hold leaves no database behind
    with app.open_store(create=True) as store:
        with store.transaction():
            loaded = load_phenomena(store, phenomena, app.loading())
        total = len(list_phenomena(store))
    if as_json:
        write_json({"db": str(app.settings.db), "phenomena": total, **asdict(loaded)})
    if loaded.kept:
        say(f"Changed by hand, so left as they are: {name_some(loaded.kept)}; `bmp phenomena import` takes a file's.")
    say(f"{app.settings.db}: {total} phenomena, {loaded.changed} of them new or changed. Next: bmp nightly")


@click.group()
def db() -> None:
    """The database file: path, check, backup, restore, merge."""


@db.command()
@pass_app
def path(app: AppContext) -> None:
    """Print where the database is."""
    click.echo(str(app.settings.db))


@db.command()
@json_option
@pass_app
def check(app: AppContext, as_json: bool) -> None:
    """Check that the file is sound.

    Exit code 1 if it is not.
    """
    from db.store import check as check_store

    with app.open_store() as store:
        faults = check_store(store)
    if as_json:
        write_json({"db": str(app.settings.db), "ok": not faults, "faults": faults})
    elif not faults:
        click.echo("ok")
    if faults:
        raise StoreError(
            f"{app.settings.db} is damaged: {faults[0]} ({len(faults)} in all)", "`bmp db restore` takes a backup"
        )


@db.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), required=False)
@pass_app
def backup(app: AppContext, target: Path | None) -> None:
    """Write a checked copy to TARGET, or to a dated file in the folder `backups`, and print its path.

    Safe while a night or a review is running.
    """
    from db.store import backup as backup_store
    from db.store import backup_path

    with app.open_store() as store:
        place = target or backup_path(app.settings.db, app.clock)
        backup_store(store, place)
    click.echo(str(place))


@db.command()
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def restore(app: AppContext, source: Path) -> None:
    """Put the backup SOURCE in the database's place; the present state is kept in the folder `backups` first."""
    from db.store import restore as restore_store

    kept = restore_store(app.settings.db, source, clock=app.clock)
    app.open_store().close()  # an older backup is brought up to date at once
    say(f"Restored {app.settings.db} from {source}." + (f" The state before is in {kept}." if kept else ""))


@db.command()
@click.argument("other", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@pass_app
def merge(app: AppContext, other: Path, as_json: bool) -> None:
    """Take in the decisions of the database OTHER, with the papers and phenomena that they are about.

    OTHER is left as it is. Merging it again changes nothing, and whichever of two databases is merged into which, both
    come to the same decisions. `bmp queue conflicts` lists those that differ.
    """
    from db.carrying import find_stranded
    from db.merging import merge as merge_stores
    from db.store import open_copy
    from db.times import to_text

    with app.open_store() as store:
        if other.exists() and other.samefile(app.settings.db):
            raise StoreError(f"{other} is the database itself", "name another one")
        with open_copy(other, clock=app.clock) as theirs:
            merged = merge_stores(store, theirs, now=to_text(app.clock()), program_version=program_version())
        conflicts = 0 if app.settings.blind else len(app.review(store).conflicts())
        stranded = find_stranded(store)
    if as_json:
        write_json({**asdict(merged), "conflicts": conflicts, "stranded": stranded})
    if merged.differing:
        say(f"These entries of the catalogue differ, and yours stay: {name_some(merged.differing)}.")
    say(
        f"{merged.decisions} decisions added, {merged.known} were there already; {merged.papers} papers,"
        f" {merged.candidates} candidates and {merged.phenomena} phenomena came with them,"
        f" {merged.reopened} acceptances were re-opened."
    )
    tell_stranded(stranded)
    if conflicts:
        say(f"{conflicts} candidates are decided differently: `bmp queue conflicts` lists them.")
