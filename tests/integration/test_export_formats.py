"""Each export format by its own checker: what another program reads is valid, complete and safe."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import feedparser
import frictionless
import jsonschema
import pytest
import rispy
from bmp import Bmp
from conftest import LOADED, NOW
from export_sample import HOSTILE, OLD_ID, PAPER_IDS, fill_everything
from lxml import etree
from markdown_it import MarkdownIt
from pybtex.database import BibliographyData, parse_bytes
from pybtex.richtext import Text

from curation.cli.export import FORMATS
from curation.export.atom_feed import LONGEST, NEVER, render_atom
from curation.export.bibtex_text import render_bibtex
from curation.export.csv_package import read_table_schema
from curation.export.csv_text import COLUMNS
from curation.export.json_text import read_schema
from curation.export.knowledge import Knowledge, load_knowledge
from curation.export.markdown_text import render_markdown
from curation.export.ris_text import invert_name, render_ris
from curation.export.write import EXPORTERS, SITE, write_export
from curation.moves import Move, MoveKind, Moves
from db.errors import ExportError
from db.records import Aspect, Phenomenon
from db.store import open_store
from db.text import clean_line
from db.upkeep import save_phenomena

HERE = Path(__file__).parent
ATOM = "{http://www.w3.org/2005/Atom}"
EVIDENCE_IDS = {*PAPER_IDS, OLD_ID} - {PAPER_IDS[2], PAPER_IDS[4]}  # one was rejected since, one is under review
CODES = ("H1.1", "W2.1", "W2.2")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database in which everything stands that an export can tell."""
    path = tmp_path_factory.mktemp("everything") / "everything.db"
    fill_everything(path)
    return path


@pytest.fixture(scope="module")
def knowledge(database: Path) -> Knowledge:
    """Give what is published of it."""
    with open_store(database) as store:
        return load_knowledge(store)


@pytest.fixture
def export(database: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an export and returns its path."""

    def write(format_name: str, name: str) -> Path:
        with open_store(database) as store:
            write_export(store, format_name, tmp_path / name, io.BytesIO())
        return tmp_path / name

    return write


@pytest.fixture
def bare(tmp_path: Path) -> Knowledge:
    """Give what is published of a catalogue that nobody decided anything for."""
    with open_store(tmp_path / "bare.db", create=True, clock=lambda: NOW) as store:
        with store.transaction():
            save_phenomena(store, [Phenomenon("H1.1", Aspect.HOW, "Scaling", "Loss falls", "A power law.")], LOADED)
        return load_knowledge(store)


def test_everything_comes_out_the_same_in_whatever_order_it_came(database: Path, tmp_path: Path) -> None:
    fill_everything(tmp_path / "other.db", backwards=True)
    for format_name in EXPORTERS:
        written = []
        for number, path in enumerate((database, tmp_path / "other.db", database)):
            folder = tmp_path / f"{format_name}-{number}"
            folder.mkdir()
            with open_store(path) as store:
                paths = write_export(store, format_name, folder / "out", io.BytesIO())
            written.append([(one.name, one.read_bytes()) for one in paths])
        assert written[0] == written[1] == written[2], format_name


def test_every_paper_and_every_code_is_in_every_format(export: Callable[..., Path]) -> None:
    for format_name in EXPORTERS:
        content = export(format_name, f"out.{format_name}").read_bytes().decode("utf-8", "replace")
        for needed in (*EVIDENCE_IDS, *CODES):
            assert needed in content, f"{needed} is not in {format_name}"


def test_every_format_that_is_offered_can_be_written() -> None:
    assert (*EXPORTERS, SITE) == FORMATS


# JSON


def _check_json(content: str) -> None:
    schema = json.loads(read_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(json.loads(content))


def test_json_holds_to_its_schema(knowledge: Knowledge, bare: Knowledge) -> None:
    for one in (knowledge, bare, Knowledge(())):
        _check_json(str(EXPORTERS["json"](one)))


FAULTS: dict[str, Callable[[Any], object]] = {
    "a stance that there is none of": lambda it: it["phenomena"][0]["evidence"][0].update(stance="likes"),
    "a key too many": lambda it: it["phenomena"][0].update(colour="red"),
    "a key too few": lambda it: it["phenomena"][0]["figures"].pop("share"),
    "a share above one": lambda it: it["phenomena"][0]["figures"]["share"].update(value=1.5),
    "a moment without its zone": lambda it: it.update(last_change="2026-11-24T06:30:00"),
    "a day that there is not": lambda it: it["phenomena"][0]["evidence"][0].update(published="2026-13-01"),
    "another site's address": lambda it: it["phenomena"][0]["evidence"][0].update(url="https://example.org/abs/1"),
    "a month without its moves": lambda it: it["months"][0].pop("moves"),
    "a conflict with one side": lambda it: it["phenomena"][2]["conflicts"][0]["sides"].pop(),
    "re-opened evidence among the standing": lambda it: it["phenomena"][0]["evidence"][0].update(status="reopened"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_schema_refuses(knowledge: Knowledge, fault: str) -> None:
    content = json.loads(str(EXPORTERS["json"](knowledge)))
    FAULTS[fault](content)
    with pytest.raises(jsonschema.ValidationError):
        _check_json(json.dumps(content))


def test_json_tells_how_the_claims_stand(knowledge: Knowledge) -> None:
    content = json.loads(str(EXPORTERS["json"](knowledge)))
    grokking = next(one for one in content["phenomena"] if one["code"] == "W2.2")
    assert [step["maturity"] for step in grokking["maturity_history"]] == ["established"]
    assert grokking["reworded_at"] == "2026-12-23T06:30:00Z"
    assert [side["kind"] for side in grokking["conflicts"][0]["sides"]] == ["reject", "accept"]
    share = grokking["figures"]["share"]
    assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1
    assert (
        sum(year["supports"] for year in grokking["figures"]["timeline"]) == grokking["figures"]["papers"]["supports"]
    )
    assert [(one["code"], one["superseded_by"]) for one in content["retired"]] == [("W9.1", ["W2.2"])]
    assert [month["since"] for month in content["months"]] == ["2026-12-01", "2026-11-01"]
    assert content["months"][1]["loaded"] == 5


def test_the_schema_is_printed_alone_and_only_for_json(bmp: Bmp, tmp_path: Path) -> None:
    assert bmp("export", "json", "--schema").json == json.loads(read_schema())
    for words in (
        ("csv", "--schema"),
        ("json", "--schema", "-o", tmp_path / "a"),
        ("json", "--url", "https://a.example"),
    ):
        assert bmp("export", *words).code == 2
    assert not list(tmp_path.iterdir())


# CSV


def test_the_data_package_is_valid(export: Callable[..., Path]) -> None:
    path = export("csv", "evidence.csv")
    report = frictionless.validate(str(path.with_name("datapackage.json")))
    assert report.valid, report.flatten(["message"])
    fields = read_table_schema()["fields"]
    assert [field["name"] for field in fields] == list(COLUMNS)
    assert all(field["title"] and field["description"].endswith(".") for field in fields)


@pytest.mark.parametrize(
    ("old", "new"), [(b",supports,", b",likes,"), (b"2611.00001", b"2611.00006"), (b"true", b"yes")]
)
def test_frictionless_finds_a_fault_in_the_csv(export: Callable[..., Path], old: bytes, new: bytes) -> None:
    path = export("csv", "evidence.csv")
    path.write_bytes(path.read_bytes().replace(old, new))
    assert not frictionless.validate(str(path.with_name("datapackage.json"))).valid


def test_a_data_package_of_somebody_else_is_left_and_nothing_is_written(
    export: Callable[..., Path], tmp_path: Path
) -> None:
    for content in ('{"name": "mine"}', "not json", "[" * 100_000):
        (tmp_path / "datapackage.json").write_text(content)
        with pytest.raises(ExportError, match="nothing was written"):
            export("csv", "evidence.csv")
        assert (tmp_path / "datapackage.json").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["datapackage.json"]


def test_an_export_does_not_take_the_place_of_its_description(export: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="description"):
        export("csv", "datapackage.json")
    (tmp_path / "out.metadata.json").mkdir()
    with pytest.raises(ExportError):
        export("sqlite", "out.db")
    assert [path.name for path in tmp_path.iterdir()] == ["out.metadata.json"]


def test_an_older_description_is_replaced(export: Callable[..., Path], tmp_path: Path) -> None:
    export("csv", "one.csv")
    export("csv", "two.csv")
    package = json.loads((tmp_path / "datapackage.json").read_text())
    assert [resource["path"] for resource in package["resources"]] == ["two.csv"]


# BibTeX


def _read_bibtex(text: str) -> BibliographyData:
    return parse_bytes(text.encode(), "bibtex")


def _shown(field: str) -> str:
    """Return what TeX shows of a field, by pybtex, which does not know the names of two signs."""
    return str(Text.from_latex(field.replace(r"\textless{}", "<").replace(r"\textgreater{}", ">")))


def test_pybtex_reads_the_bibliography_back(knowledge: Knowledge) -> None:
    entries = _read_bibtex(render_bibtex(knowledge)).entries
    by_id = {entry.fields["eprint"]: entry for entry in entries.values()}
    assert len(entries) == len(by_id)
    assert set(by_id) == EVIDENCE_IDS
    for number in (1, 2, 6, 8, 9, 13):
        title = clean_line(HOSTILE[number - 1])
        assert _shown(by_id[f"2611.{number:05d}"].fields["title"]) == title
    for arxiv_id in EVIDENCE_IDS - {OLD_ID}:
        authors = by_id[arxiv_id].persons["author"]
        assert len(authors) == 3
        assert str(authors[0]) in ("Byron, Ada", "van der Maaten, Laurens")
        assert by_id[arxiv_id].type == "misc"
    assert "evil" not in entries


def _compile(folder: Path, bibliography: str, engine: str) -> subprocess.CompletedProcess[str]:
    (folder / "x.bib").write_text(bibliography, encoding="utf-8")
    (folder / "doc.tex").write_text(
        "\\documentclass{article}\n"
        + ("\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n" if engine == "pdflatex" else "")
        + "\\usepackage{amsmath,amssymb}\n\\begin{document}\n\\nocite{*}All.\n"
        "\\bibliographystyle{plain}\n\\bibliography{x}\n\\end{document}\n"
    )
    words = {"cwd": folder, "capture_output": True, "text": True, "errors": "replace", "timeout": 120}
    latex = [engine, "-interaction=nonstopmode", "-no-shell-escape", "doc.tex"]
    subprocess.run(latex, **words)
    subprocess.run(["bibtex", "doc"], **words, check=True)
    return subprocess.run(latex, **words)


def _has(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


@pytest.mark.slow
@pytest.mark.skipif(not _has("pdflatex", "bibtex"), reason="there is no LaTeX here")
def test_latex_sets_the_bibliography(knowledge: Knowledge, tmp_path: Path) -> None:
    text = render_bibtex(knowledge)
    done = _compile(tmp_path, "".join(char for char in text if char <= "\u024f"), "pdflatex")
    assert (done.returncode, [line for line in done.stdout.splitlines() if line.startswith("!")]) == (0, [])
    done = _compile(tmp_path, text, "pdflatex")
    errors = [line for line in done.stdout.splitlines() if line.startswith("!")]
    assert errors and all("Unicode character" in line for line in errors)
    assert (tmp_path / "doc.pdf").stat().st_size > 0
    assert text.startswith("% UTF-8.")


# RIS


def test_rispy_reads_every_paper_once(knowledge: Knowledge) -> None:
    records = {record["id"]: record for record in rispy.loads(render_ris(knowledge))}
    assert set(records) == EVIDENCE_IDS
    for number, title in enumerate(HOSTILE, 1):
        if (record := records.get(f"2611.{number:05d}")) is not None:
            assert record["title"] == clean_line(title)
            assert record["type_of_reference"] == "RPRT"
            assert "unknown_tag" not in record
            assert len(record["authors"]) == 3
    first = records[PAPER_IDS[0]]
    assert first["keywords"] == ["H1.1", "W2.1", "W2.2", "supports"]
    assert len(first["notes"]) == 3
    assert (first["year"], first["date"]) == ("2020", "2020/05/02")
    assert records[OLD_ID]["doi"] == "10.1000/182"
    assert "withdrawn" in records[PAPER_IDS[1]]["keywords"]
    assert render_ris(Knowledge(())) == ""


def test_no_line_of_ris_comes_from_outside(knowledge: Knowledge) -> None:
    lines = render_ris(knowledge).split("\n")
    tags = {line[:6] for line in lines if line}
    assert tags <= {f"{tag}  - " for tag in "TY ID TI AU PY DA PB M3 AN SN DO UR KW N1 ER".split()}
    assert sum(line.startswith("TY  - ") for line in lines) == len(EVIDENCE_IDS)
    assert not any(char in "".join(lines) for char in "\r\x00\x1b\u2028\u202e")


@pytest.mark.skipif(not _has("ris2xml"), reason="bibutils is not here")
def test_bibutils_reads_the_same_papers(knowledge: Knowledge) -> None:
    done = subprocess.run(
        ["ris2xml", "-i", "utf8"], input=render_ris(knowledge).encode(), capture_output=True, timeout=60, check=True
    )
    root = etree.fromstring(done.stdout.removeprefix(b"\xef\xbb\xbf"), etree.XMLParser(recover=True))
    assert {mods.get("ID") for mods in root.iter("{*}mods")} == EVIDENCE_IDS


@pytest.mark.parametrize(
    ("name", "inverted"),
    [
        ("Ada Byron", "Byron, Ada"),
        ("Laurens van der Maaten", "van der Maaten, Laurens"),
        ("Geoffrey E. Hinton", "Hinton, Geoffrey E."),
        ("Robert Downey Jr.", "Downey, Robert, Jr."),
        ("Plato", "Plato"),
        ("Byron, Ada", "Byron, Ada"),
        ("Van Nguyen", "Nguyen, Van"),
        ("", ""),
    ],
)
def test_a_name_is_turned_round(name: str, inverted: str) -> None:
    assert invert_name(name) == inverted


# Atom


def _check_atom(text: str) -> Any:
    """Check a feed by the schema of RFC 4287, by the rules that no schema tells, and with feedparser."""
    root = etree.fromstring(text.encode())
    schema = etree.RelaxNG(etree.parse(HERE / "atom.rng"))
    assert schema.validate(root), schema.error_log
    ids = [node.text for node in root.iter(f"{ATOM}id")]
    assert len(ids) == len(set(ids))
    assert all(one.startswith("tag:") and " " not in one for one in ids)
    entries = root.findall(f"{ATOM}entry")
    moments = [entry.findtext(f"{ATOM}updated") for entry in entries]
    assert moments == sorted(moments, reverse=True)
    assert root.findtext(f"{ATOM}updated") == (moments[0] if moments else NEVER)
    assert all(entry.find(f"{ATOM}content") is not None for entry in entries)
    feed = feedparser.parse(text.encode())
    assert not feed.bozo
    assert feed.version == "atom10"
    return feed


def test_the_feed_tells_every_move(knowledge: Knowledge) -> None:
    feed = _check_atom(render_atom(knowledge))
    assert len(feed.entries) == sum(len(month.moves) for month in knowledge.months)
    kinds = {tag.term for entry in feed.entries for tag in entry.tags}
    assert {"added", "re-opened", "promoted", "retired", "reworded"} <= kinds
    assert f"https://arxiv.org/abs/{PAPER_IDS[0]}v1" in {entry.get("link") for entry in feed.entries}


@pytest.mark.parametrize("code", ["W2.2", "W9.1", "W3.1"])
def test_an_entry_has_a_feed_of_its_own(knowledge: Knowledge, code: str) -> None:
    feed = _check_atom(render_atom(knowledge, code))
    assert all(code in [tag.term for tag in entry.tags] for entry in feed.entries)
    assert code in feed.feed.title
    assert bool(feed.entries) == (code != "W3.1")


def test_a_feed_without_a_move_is_valid(bare: Knowledge) -> None:
    for one in (bare, Knowledge(())):
        assert not _check_atom(render_atom(one)).entries


def test_a_feed_holds_the_newest_moves_and_says_where_it_is() -> None:
    moves = tuple(
        Move(MoveKind.NEW, f"H{number}", "T", f"2026-11-{1 + number % 28:02d}T00:00:00Z", "", after="\ufffe<b>")
        for number in range(LONGEST + 50)
    )
    text = render_atom(Knowledge((), months=(Moves("2026-11-01", "2026-12-01", moves),)), url="https://a.example/?a&b")
    feed = _check_atom(text)
    assert len(feed.entries) == LONGEST
    assert [link.href for link in feed.feed.links if link.rel == "self"] == ["https://a.example/?a&b"]


def test_nothing_from_outside_is_markup_in_the_feed(knowledge: Knowledge) -> None:
    root = etree.fromstring(render_atom(knowledge).encode())
    for content in root.iter(f"{ATOM}content"):
        tags = {node.tag for node in etree.fromstring(f"<div>{content.text}</div>".encode(), etree.HTMLParser()).iter()}
        assert tags <= {"html", "body", "div", "p", "a", "blockquote", "br"}


def test_a_strange_feed_is_refused_in_one_line(bmp: Bmp) -> None:
    assert bmp("init").code == 0
    for words in (
        ("--phenomenon", "X9"),
        ("--url", "javascript:alert(1)"),
        ("--url", "https://a b"),
        ("--url", "http://["),
    ):
        told = bmp("export", "atom", *words)
        assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert bmp("export", "atom", "--phenomenon", "W2.2").code == 0


# Markdown


def _headings(text: str) -> Iterator[int]:
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "heading_open":
            yield int(token.tag[1:])


def test_markdown_is_in_order_and_its_links_lead_somewhere(knowledge: Knowledge, bare: Knowledge) -> None:
    for one in (knowledge, bare, Knowledge(())):
        text = render_markdown(one)
        levels = [0, *_headings(text)]
        assert all(after <= before + 1 for before, after in pairwise(levels))
        root = etree.fromstring(MarkdownIt("commonmark").render(text), etree.HTMLParser())
        anchors = {node.get("id") for node in root.iter() if node.get("id")}
        links = [node.get("href") for node in root.iter("a") if node.get("href")]
        assert all(link.startswith("https://arxiv.org/abs/") or link[1:] in anchors for link in links)


def test_markdown_lets_no_html_from_outside_through(knowledge: Knowledge) -> None:
    root = etree.fromstring(MarkdownIt("commonmark").render(render_markdown(knowledge)), etree.HTMLParser())
    allowed = {"html", "body", "h1", "h2", "h3", "h4", "p", "a", "ul", "li", "blockquote", "strong", "em"}
    assert {node.tag for node in root.iter()} <= allowed
    shown = " ".join("".join(root.itertext()).split())
    for title in (HOSTILE[0], HOSTILE[3], HOSTILE[6]):
        assert " ".join(clean_line(title).split()) in shown


def test_markdown_tells_how_the_claims_stand(knowledge: Knowledge) -> None:
    text = render_markdown(knowledge)
    for needed in (
        "**Maturity:** established; the evidence suggests",
        "Set: established on 2026-12-23 by ada (two groups saw it).",
        "independent groups",
        "supported since 20",
        "Decided differently",
        "## What moved in 2026-12",
        "W9.1 Delayed generalisation: [W2.2](#p-w2.2).",
    ):
        assert needed in text
    assert "2026-11" not in text.partition("## What moved")[2].partition("## Retired")[0]
