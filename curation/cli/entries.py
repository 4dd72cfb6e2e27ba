"""`bmp phenomena add|edit|import|dump`: the entries of the catalogue."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from curation.cli.context import AppContext, json_option, name_some, note_option, pass_app, say, write_json
from curation.cli.editing import edit_for, require_one
from db.errors import UsageError
from db.records import Aspect, Maturity, Phenomenon
from db.text import clean_line, require_arxiv_id

_ASPECT = click.Choice([aspect.value for aspect in Aspect])
_MATURITY = click.Choice([maturity.value for maturity in Maturity])
_NEW = """\
# A new entry of the catalogue. Save it and close the editor to add it; leave it as it is to add nothing.
[[phenomenon]]
code = ""                # letters, then numbers with dots, such as H1.8; never one that was used before
aspect = "how"           # how (training) or what (properties)
group = ""
title = ""
statement = ""           # the claim, in a sentence or two
keywords = []            # the phrases that abstracts use
references = []          # arXiv ids
maturity = "observed"    # observed, replicated, contested, established

[phenomenon.criteria]
counts = []              # what counts as evidence
excludes = []            # what looks like it and does not count
"""


def _fields(command: Any) -> Any:
    """Add an option for each field of an entry that is one line."""
    options = (
        click.option("--aspect", type=_ASPECT, help="How to train, or what comes out."),
        click.option("--group", help="The heading that it stands under."),
        click.option("--title", help="The claim in a few words."),
        click.option("--statement", help="The claim."),
        click.option(
            "--keyword",
            "keywords",
            multiple=True,
            help="A phrase that abstracts use; may be repeated; takes the place of all before.",
        ),
        click.option(
            "--reference",
            "references",
            multiple=True,
            help="An arXiv id; may be repeated; takes the place of all before.",
        ),
        click.option("--counts", multiple=True, help="What counts as evidence; may be repeated."),
        click.option("--excludes", multiple=True, help="What does not count; may be repeated."),
        click.option("--maturity", type=_MATURITY, help="How well it stands."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--code", help="Letters, then numbers with dots, such as H1.8.")
@_fields
@note_option
@json_option
@pass_app
def add(
    app: AppContext, /, file: Path | None, code: str | None, note: str | None, as_json: bool, **fields: Any
) -> None:
    """Add entries: those of the TOML FILE, one by options, or one written in $EDITOR.

    A code that is or was another entry's is refused.
    """
    from curation.catalogue import load_catalogue

    given = _given(fields)
    if file is not None and (code or given):
        raise UsageError("name a file or give an entry by options", "not both")
    with app.open_store() as store:

        def take(entries: list[Phenomenon]) -> list[Phenomenon]:
            app.upkeep(store).add(entries, note)
            return entries

        if file is not None:
            added = take(load_catalogue(file))
        elif code is not None or given:
            added = take([_checked(_from_options(code, given))])
        else:
            added = edit_for(app, _NEW, "new-entry", take) or []
    if as_json:
        write_json([asdict(one) for one in added])
    say(f"{len(added)} added: {name_some([one.code for one in added])}." if added else "Nothing was added.")


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were given, as an entry has them."""
    given = {name: value for name, value in fields.items() if value not in (None, ())}
    for name in ("keywords", "counts", "excludes"):
        if name in given:
            given[name] = tuple(clean_line(text) for text in given[name])
    if "references" in given:
        given["references"] = tuple(dict.fromkeys(require_arxiv_id(text) for text in given["references"]))
    return given


def _from_options(code: str | None, given: dict[str, Any]) -> Phenomenon:
    missing = [name for name in ("aspect", "group", "title", "statement") if name not in given]
    if code is None or missing:
        wanted = ", ".join(f"--{name}" for name in (*(["code"] if code is None else []), *missing))
        raise UsageError(f"a new entry wants {wanted} too", "or none of the options, to write it in $EDITOR")
    values = {name: given[name] for name in ("group", "title", "statement")}
    return _changed(Phenomenon(code, Aspect(given["aspect"]), **values), given)


def _changed(entry: Phenomenon, given: dict[str, Any]) -> Phenomenon:
    """Return an entry with the fields that were given."""
    criteria: dict[str, tuple[str, ...]] = {name: given[name] for name in ("counts", "excludes") if name in given}
    plain = {name: given[name] for name in ("group", "title", "statement", "keywords", "references") if name in given}
    return replace(
        entry,
        **plain,
        aspect=Aspect(given.get("aspect", entry.aspect)),
        maturity=Maturity(given.get("maturity", entry.maturity)),
        criteria=replace(entry.criteria, **criteria),
    )


def _checked(entry: Phenomenon) -> Phenomenon:
    """Return an entry as its own file would be read.

    Raises:
        CatalogueError: it does not hold.
    """
    from curation.catalogue import parse_catalogue, render_catalogue

    return parse_catalogue(render_catalogue([entry]), "what was given")[0]


@click.command()
@click.argument("code")
@_fields
@note_option
@json_option
@pass_app
def edit(app: AppContext, /, code: str, note: str | None, as_json: bool, **fields: Any) -> None:
    """Edit the entry CODE in $EDITOR, or change the fields that are named as options.

    Its evidence stays with it. `--maturity contested --note "..."` sets how well it stands.
    """
    from curation.catalogue import render_catalogue
    from db.phenomena import catalogue_version, find_phenomenon

    given = _given(fields)
    with app.open_store() as store:
        entry = find_phenomenon(store, code)

        def take(entries: list[Phenomenon]) -> bool:
            return app.upkeep(store).edit(entry, require_one(entries), note)

        if given:
            changed = take([_checked(_changed(entry, given))])
        else:
            changed = bool(edit_for(app, render_catalogue([entry]), code, take))
        now = find_phenomenon(store, code)
    if as_json:
        write_json(asdict(now))
    anew = catalogue_version([now]) != catalogue_version([entry])
    said = f"{code} was changed" + ("; the next night matches papers against it anew." if anew else ".")
    say(said if changed else "Nothing was changed.")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@note_option
@json_option
@pass_app
def import_command(app: AppContext, file: Path, note: str | None, as_json: bool) -> None:
    """Take in the entries of the TOML FILE, or of stdin for -: new ones are added, known ones become as they are there.

    Entries that the file lacks stay. A file that has all entries sets their order.
    """
    from curation.catalogue import load_catalogue, parse_catalogue
    from db.phenomena import list_phenomena

    entries = parse_catalogue(_read_stdin(), "stdin") if str(file) == "-" else load_catalogue(file)
    with app.open_store() as store:
        changed = app.upkeep(store).load(entries, note)
        total = len(list_phenomena(store))
    if as_json:
        write_json({"phenomena": total, "changed": changed})
    say(f"{total} phenomena, {changed} of them new or changed.")


def _read_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("stdin is not UTF-8", "write the catalogue in UTF-8") from None


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, allow_dash=True), help="Write here, not to stdout.")
@pass_app
def dump(app: AppContext, output: Path | None) -> None:
    """Write the whole catalogue as TOML, retired entries last; `import` reads it back as it is."""
    from curation.catalogue import render_catalogue
    from curation.export.files import refuse_own_files, write_file
    from db.phenomena import list_all_phenomena

    with app.open_store() as store:
        text = render_catalogue(list_all_phenomena(store))
        if output is None or str(output) == "-":
            click.echo(text, nl=False)
            return
        refuse_own_files(store, output)
    write_file(output, text.encode("utf-8"))
    say(f"Wrote {output}.")
