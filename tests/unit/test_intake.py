"""Lists of papers are read in every form that programs write them in, and no file whatever breaks the reading."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from list_files import RENDERERS, Item, ZoteroDatabase, render_rdf, render_sqlite

from curation.intake import files
from curation.intake.detect import Format, detect_format, parse_list
from curation.intake.html import render_plain
from curation.intake.records import Listed, Reading, find_doi
from curation.intake.sections import take_section
from db.errors import BmpError, UsageError
from db.records import Stance
from db.text import find_arxiv_id, find_arxiv_ids, parse_arxiv_id

ITEMS = (
    Item("2611.00001", "Loss curves & their Bends", "The first to show it, in <5 runs.", ("supports",), "Grokking"),
    Item("2611.00002", "A second paper", "", (), "Grokking"),
    Item("hep-th/9901001", "An old paper: with a colon", "Says no.", ("to read", "contradicts"), "Scaling"),
)
NO_TAGS = ("list.txt", "list.md", "csl.json")
NO_COLLECTIONS = ("list.txt", "list.bib", "list.ris", "csl.json", "list.csv")


def read(content: bytes | str, name: str) -> Reading:
    raw = content.encode() if isinstance(content, str) else content
    return parse_list(raw, name, detect_format(raw, name))


def only(content: bytes | str, name: str) -> Listed:
    (entry,) = read(content, name).entries
    return entry


def ids(reading: Reading) -> list[str | None]:
    return [entry.arxiv_id for entry in reading.entries]


@pytest.mark.parametrize("name", RENDERERS)
def test_a_list_that_a_program_exports_is_read_with_all_that_it_tells(name: str) -> None:
    reading = read(RENDERERS[name](ITEMS), name)
    assert reading.faults == ()
    assert ids(reading) == [item.arxiv_id for item in ITEMS]
    if name != "list.txt":
        assert [entry.title for entry in reading.entries] == [item.title for item in ITEMS]
    if name != "csl.json":
        assert [entry.note for entry in reading.entries] == [item.note or None for item in ITEMS]
    stances = [None, None, None] if name in NO_TAGS else [Stance.SUPPORTS, None, Stance.CONTRADICTS]
    assert [entry.stance for entry in reading.entries] == stances
    if name not in NO_COLLECTIONS:
        assert [entry.sections[-1] for entry in reading.entries] == ["Grokking", "Grokking", "Scaling"]


@pytest.mark.parametrize("name", RENDERERS)
def test_the_format_is_known_without_a_telling_name(name: str) -> None:
    content = RENDERERS[name](ITEMS)
    assert detect_format(content, "stdin") == detect_format(content, name)


ARXIV_IDS = st.one_of(
    st.builds(lambda year, month, number: f"{year:02}{month:02}.{number:05}", st.integers(15, 26), st.integers(1, 12),
              st.integers(1, 99_999)),
    st.builds(lambda archive, number: f"{archive}/{number:07}", st.sampled_from(["cs", "hep-th", "cond-mat"]),
              st.integers(9_200_001, 9_912_999)),
)  # fmt: skip
WORDS = st.text(st.characters(categories=("Lu", "Ll", "Nd"), exclude_characters="#"), min_size=1, max_size=9)
PHRASES = st.lists(WORDS, min_size=2, max_size=6).map(" ".join)
LISTS = st.lists(
    st.builds(
        Item, ARXIV_IDS, PHRASES, PHRASES | st.just(""), st.just(("qualifies",)), st.sampled_from(["A b", "C d"])
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda item: item.arxiv_id,
)


@settings(max_examples=60)
@given(LISTS, st.sampled_from(sorted(RENDERERS)))
def test_any_list_comes_back_with_the_same_papers_whatever_the_format(items: list[Item], name: str) -> None:
    reading = read(RENDERERS[name](items), name)
    assert (ids(reading), reading.faults) == ([item.arxiv_id for item in items], ())


PIECES = [
    b"@article{a, title={x}", b"@string{a=a}", b"@string{a = b # b}", b"TY  - JOUR\nTI  - x\n", b"ER  - \n", b"\\",
    b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>", b"SQLite format 3\x00", b"[{", b'{"items":[',
    b"# h\n- [x](http", b"arXiv:2611.00001", b'"Key","Item Type"\n', b"{", b"}", b"\n", b"\r", b"\xef\xbb\xbf",
    b"\xff\xfe",    b"<a href=", b"|", b"\x00", b"$", b"\\begin{x}", b"\\'", b"\\input{/etc/passwd}", b"null", b"1e999",
    b"\\ud800", b'"',
]  # fmt: skip


@settings(max_examples=400)
@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=30).map(b"".join),
    st.sampled_from(list(Format)),
)
@example(b"[" * 100_000, Format.ZOTERO)
@example(b"{" * 100_000, Format.BIBTEX)
@example(b"@a{k, title={" + b"{" * 5000 + b"}" * 5000 + b"}}", Format.BIBTEX)
@example(b"@a{k, title={" + b"{" * 900 + b"\\'e" + b"}" * 900 + b"}}", Format.BIBTEX)
@example(b"> " * 10_000, Format.MARKDOWN)
@example(b"<!--" * 100_000, Format.MARKDOWN)
@example(b"<div>" * 10_000, Format.MARKDOWN)
@example(b'[{"title": ' + b"9" * 5000 + b"}]", Format.ZOTERO)
def test_any_bytes_give_a_list_or_one_clear_error(content: bytes, format_: Format) -> None:
    detect_format(content, "name")
    try:
        reading = parse_list(content, "name", format_)
    except BmpError as error:
        assert error.message and "\n" not in error.message
    else:
        assert reading.entries or reading.faults


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_zotero_database_gives_a_list_or_one_clear_error(data: st.DataObject) -> None:
    content = bytearray(render_sqlite(ITEMS))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(16, len(content)))
    try:
        parse_list(bytes(content[:cut]), "zotero.sqlite", Format.ZOTERO)
    except BmpError as error:
        assert "\n" not in error.message


class TestIds:
    @pytest.mark.parametrize(
        "written",
        [
            "2611.00001", "2611.00001v3", "arXiv:2611.00001v2", "https://arxiv.org/abs/2611.00001#page=2",
            "http://www.arxiv.org/pdf/2611.00001v1.pdf", "https://arxiv.org/html/2611.00001v2",
            "doi:10.48550/arXiv.2611.00001",
            "https://doi.org/10.48550/ARXIV.2611.00001", "https://huggingface.co/papers/2611.00001",
            "https://ar5iv.labs.arxiv.org/html/2611.00001", "https://www.alphaxiv.org/abs/2611.00001",
            "* Doe et al., 2611.00001.", "(2611.00001)", "see arXiv: 2611.00001 [cs]",
        ],
    )  # fmt: skip
    def test_an_id_is_found_however_it_is_written(self, written: str) -> None:
        assert only(written, "list.txt").arxiv_id == "2611.00001"

    def test_several_in_a_line_and_notes_behind_a_hash(self) -> None:
        reading = read("# a heading\n2611.00001, cs/9901001 2611.00001 # both\n\n\t# done\n", "list.txt")
        assert [(entry.place, entry.arxiv_id, entry.note) for entry in reading.entries] == [
            ("line 2", "2611.00001", "both"),
            ("line 2", "cs/9901001", "both"),
        ]

    def test_a_line_without_an_id_is_an_entry_by_its_text(self) -> None:
        entry = only("Loss curves bend (10.1234/ABC.5)\n", "list.txt")
        assert (entry.arxiv_id, entry.title, entry.doi) == (None, "Loss curves bend (10.1234/ABC.5)", "10.1234/abc.5")

    def test_numbers_that_are_no_ids_are_none(self) -> None:
        assert find_arxiv_ids("arXiv:2613.00001 arXiv:26111.00001 huggingface.co/papers/1 10.1145/2611.00001") == []
        assert find_arxiv_ids("arXiv:2611.00001 and arxiv.org/abs/cs.LG/9901001v2, again arXiv:2611.00001v4") == [
            "2611.00001",
            "cs/9901001",
        ]
        assert find_arxiv_id("nothing") is None
        assert parse_arxiv_id("https://arxiv.org/html/2611.00001v1") == "2611.00001"


class TestBibtex:
    @pytest.mark.parametrize(
        "fields",
        [
            "eprint={2611.00001}, archivePrefix={arXiv}, primaryClass={cs.LG}",
            "eprint = {arXiv:2611.00001v2}",
            "eprinttype = {arxiv}, eprint = {2611.00001}, eprintclass = {cs.LG}",
            "journal={arXiv preprint arXiv:2611.00001}",
            "journal = {CoRR}, volume = {abs/2611.00001}",
            "doi = {10.48550/arXiv.2611.00001}",
            "howpublished = {\\url{https://arxiv.org/abs/2611.00001}}",
            "note = {arXiv:2611.00001}",
            "arxivId = {2611.00001}, journal = {x}",
            'journal = "arXiv:2611.00001"',
            "journal = place",
            "eprint = {{2611.00001}}",
            "eprint={2611.00001}, eprint={2611.00001}",
        ],
    )
    def test_the_id_is_found_where_programs_put_it(self, fields: str) -> None:
        content = f"@string{{place = {{arXiv:2611.00001}}}}\n@misc{{key, title={{A}}, {fields}}}"
        entry = only(content, "a.bib")
        assert (entry.arxiv_id, entry.key, entry.place) == ("2611.00001", "key", "entry key")

    def test_an_old_id_is_put_together_from_its_class(self) -> None:
        assert only("@misc{k, eprint={9901001}, primaryclass={hep-th}}", "a.bib").arxiv_id == "hep-th/9901001"

    def test_an_eprint_of_another_archive_is_no_arxiv_id(self) -> None:
        entry = only("@misc{k, eprint={2611.00001}, archiveprefix={HAL}, title={B}}", "a.bib")
        assert entry.arxiv_id is None

    def test_what_is_broken_is_told_with_its_line_and_costs_no_other_entry(self) -> None:
        reading = read(
            "@misc{a, eprint={2611.00001}}\n\n@misc{b, title = {no end\n\n@misc{c, eprint={2611.00002}}\n"
            "@misc{c, eprint={2611.00003}}\n",
            "a.bib",
        )
        assert ids(reading) == ["2611.00001", "2611.00002", "2611.00003"]
        assert [fault.partition(":")[0] for fault in reading.faults] == ["line 3"]

    def test_tex_is_read_as_it_prints(self) -> None:
        entry = only(
            r"@misc{k, title={{G\"odel} \& 50\% of {\em it}}, note={se\~nor {A}}, keywords={x; supports}}", "a.bib"
        )
        assert (entry.title, entry.note, entry.stance) == ("Gödel & 50% of it", "señor A", Stance.SUPPORTS)

    def test_the_librarys_warnings_stay_off_stderr(self, capfd: pytest.CaptureFixture[str]) -> None:
        read("@misc{b, title = {no end\n@misc{c, eprint={2611.00002}}\n", "a.bib")
        assert capfd.readouterr() == ("", "")

    def test_a_file_without_an_entry_is_refused(self) -> None:
        with pytest.raises(UsageError, match="no entry of BibTeX"):
            read("% No evidence yet.\n", "a.bib")


class TestMarkdown:
    def test_titles_links_notes_and_headings_of_an_awesome_list(self) -> None:
        reading = read(
            """# Awesome [![x](https://img.shields.io/b.svg)](https://shields.io)
We wrote a [survey of it all](https://arxiv.org/abs/2611.00009).

## Contents
- [Scaling](#scaling)

## Scaling
1. [**Bends** in *loss*](https://arxiv.org/abs/2611.00001v3), Doe 2026. Finds `two` bends.
   - [code](https://github.com/doe/x)
   > They bend twice.
2. **Bends again** (2026) [[pdf](https://arxiv.org/pdf/2611.00002.pdf)] [[code](https://github.com/x)] - worth it
3. [Elsewhere only](https://openreview.net/forum?id=1) [doi](https://doi.org/10.1234/X.5)

### Tables
| Paper | Link | Note |
|---|---|---|
| Flat loss | [![arXiv](https://img.shields.io/x.svg)](https://arxiv.org/abs/2611.00003) | none at all |

<ul><li><a href="https://arxiv.org/abs/2611.00004">Raw HTML here</a></li></ul>

[ref] and [Named below][1]

[1]: https://arxiv.org/abs/2611.00005
""",
            "README.md",
        )
        told = {entry.arxiv_id: (entry.title, entry.note, entry.sections[1:]) for entry in reading.entries}
        assert told == {
            "2611.00009": ("survey of it all", None, ()),
            "2611.00001": ("Bends in loss", "Doe 2026. Finds two bends.\nThey bend twice.", ("Scaling",)),
            "2611.00002": ("Bends again (2026)", "worth it", ("Scaling",)),
            None: ("Elsewhere only", None, ("Scaling",)),
            "2611.00003": ("Flat loss", "none at all", ("Scaling", "Tables")),
            "2611.00004": ("Raw HTML here", None, ("Scaling", "Tables")),
            "2611.00005": ("Named below", None, ("Scaling", "Tables")),
        }
        assert [entry.doi for entry in reading.entries if entry.arxiv_id is None] == ["10.1234/x.5"]
        assert [entry.place for entry in reading.entries][:2] == ["line 2", "line 8"]

    @pytest.mark.parametrize(
        "item",
        [
            "- (*2026-11*) **Bends in loss** [[paper](https://arxiv.org/abs/2611.00001)] worth it",
            "* Bends in loss. [[arXiv preprint]](https://arxiv.org/abs/2611.00001) - worth it",
            "1. **Bends in loss**: https://arxiv.org/abs/2611.00001, worth it",
            "- Bends in loss, arXiv:2611.00001: worth it",
            "- [Bends in loss](https://example.org/x) ([pdf](https://arxiv.org/pdf/2611.00001)) worth it",
            "- [[2611.00001] Bends in loss](https://arxiv.org/abs/2611.00001) worth it",
            "- [Bends in loss](https://arxiv.org/abs/2611.00001) [`arXiv`](https://arxiv.org/abs/2611.00001) worth it",
        ],
    )
    def test_the_ways_in_which_lists_write_an_item(self, item: str) -> None:
        entry = only(item, "a.md")
        assert (entry.arxiv_id, entry.note) == ("2611.00001", "worth it")
        assert entry.title.endswith("Bends in loss") or entry.title.endswith("Bends in loss.")

    def test_two_papers_in_a_line_have_their_own_notes(self) -> None:
        reading = read(
            "- [One paper](https://arxiv.org/abs/2611.00001) first, [Two](https://arxiv.org/abs/2611.00002) next",
            "a.md",
        )
        assert [(entry.title, entry.note) for entry in reading.entries] == [("One paper", "first"), ("Two", "next")]

    def test_a_line_longer_than_any_of_a_list_is_refused(self) -> None:
        with pytest.raises(UsageError, match="line 2: more than 50000 characters"):
            read("x\n" + "[" * 50_001, "a.md")
        with pytest.raises(UsageError, match="line 1: more than 50000 characters"):
            read("[ x\n" * 20_000, "a.md")


class TestRis:
    @pytest.mark.parametrize(
        "line",
        ["UR  - https://arxiv.org/pdf/2611.00001v2", "DO  - 10.48550/arXiv.2611.00001", "VL  - abs/2611.00001",
         "AN  - 2611.00001", "JO  - arXiv preprint arXiv:2611.00001", "L1  - https://arxiv.org/pdf/2611.00001",
         "N1  - arXiv:2611.00001 [cs]"],
    )  # fmt: skip
    def test_the_id_is_found_where_programs_put_it(self, line: str) -> None:
        entry = only(f"TY  - Informal Publication\r\nID  - DBLP:x\r\nTI  - Bends.\r\n{line}\r\nER  -\r\n", "a.ris")
        assert (entry.arxiv_id, entry.title, entry.note) == ("2611.00001", "Bends.", None)

    def test_a_record_without_an_end_is_refused_with_its_line(self) -> None:
        with pytest.raises(UsageError, match="line 3: this record has no end"):
            read("TY  - JOUR\nER  - \nTY  - JOUR\nTI  - x\n", "a.ris")


class TestZotero:
    def test_the_bin_and_feeds_are_left_out(self) -> None:
        database = ZoteroDatabase()
        kept = database.add("preprint", title="Kept", archiveID="arXiv:2611.00001")
        database.add_note(kept, "<p>Stays.</p>")
        thrown = database.add_note(kept, "<p>Thrown away.</p>")
        gone = database.add("preprint", title="Gone", archiveID="arXiv:2611.00002")
        fed = database.add("preprint", title="Fed", archiveID="arXiv:2611.00003")
        database.connection.execute("INSERT INTO deletedItems (itemID) VALUES (?), (?)", (gone, thrown))
        database.connection.execute("INSERT INTO feedItems VALUES (?, 'guid')", (fed,))
        entry = only(database.content(), "zotero.sqlite")
        assert (entry.arxiv_id, entry.note, entry.place) == ("2611.00001", "Stays.", "item AAAA0001")

    def test_a_database_in_write_ahead_mode_is_read(self) -> None:
        content = bytearray(render_sqlite(ITEMS))
        content[18:20] = b"\x02\x02"
        assert len(read(bytes(content), "zotero.sqlite").entries) == len(ITEMS)

    def test_another_programs_database_is_refused(self) -> None:
        database = ZoteroDatabase()
        database.connection.execute("DROP TABLE itemNotes")
        with pytest.raises(UsageError, match="no Zotero library: it has no table itemNotes"):
            read(database.content(), "zotero.sqlite")

    def test_a_view_that_never_ends_is_no_table(self) -> None:
        database = ZoteroDatabase()
        database.connection.execute("DROP TABLE itemData")
        database.connection.execute(
            "CREATE VIEW itemData AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT i AS itemID, 1 AS fieldID, 1 AS valueID FROM n"
        )
        with pytest.raises(UsageError, match="no table itemData"):
            read(database.content(), "zotero.sqlite")

    @pytest.mark.slow
    def test_tables_that_multiply_without_end_are_given_up(self) -> None:
        database = ZoteroDatabase()
        database.connection.executescript(
            "DROP TABLE itemTags; CREATE TABLE itemTags (itemID, tagID); DROP TABLE tags;"
            " CREATE TABLE tags (tagID, name);"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO itemTags SELECT 1, 1 FROM n; INSERT INTO tags SELECT 1, 'tag' FROM itemTags;"
        )
        with pytest.raises(UsageError, match="takes longer to read than any library"):
            read(database.content(), "zotero.sqlite")

    def test_collections_that_hold_each_other_are_gone_through_once(self) -> None:
        database = ZoteroDatabase()
        number = database.add("preprint", title="Kept", archiveID="arXiv:2611.00001")
        database.file(number, "Inner")
        database.connection.execute("UPDATE collections SET parentCollectionID = 2 WHERE collectionID = 1")
        assert only(database.content(), "zotero.sqlite").sections == ("All things", "Inner")

    def test_a_bomb_of_entities_and_a_file_by_entity_are_refused(self) -> None:
        for entity in ('<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">', '<!ENTITY b SYSTEM "file:///etc/passwd">'):
            content = render_rdf(ITEMS).replace(b"Grokking", b"&b;")
            with pytest.raises(UsageError, match=r"document type|well-formed"):
                read(f"<?xml version='1.0'?><!DOCTYPE rdf:RDF [{entity}]>".encode() + content, "a.rdf")

    def test_xml_and_json_of_others_are_refused(self) -> None:
        for content, name in (("<feed/>", "a.rdf"), ('{"a": 1}', "a.json"), ("a,b\n1,2\n", "a.csv"), ("<a", "a.rdf")):
            with pytest.raises(UsageError, match=r"^a\.\w+ "):
                read(content, name)

    def test_a_record_that_is_none_is_told(self) -> None:
        reading = read(json.dumps([1, {"title": "A", "number": "2611.00001"}]), "a.json")
        assert (ids(reading), reading.faults) == (["2611.00001"], ("item 1 is no record",))


def test_a_part_is_taken_by_heading_with_what_stands_below_it() -> None:
    reading = read(
        "# Big\n## Loss  curves\n- <https://arxiv.org/abs/2611.00001>\n### Deep\n- <https://arxiv.org/abs/2611.00002>\n"
        "## Other\n- <https://arxiv.org/abs/2611.00003>\n",
        "a.md",
    )
    assert ids(take_section(reading, "loss CURVES", "a.md")) == ["2611.00001", "2611.00002"]
    assert ids(take_section(reading, "eep", "a.md")) == ["2611.00002"]
    for wrong in ("Nowhere", " "):
        with pytest.raises(UsageError, match="no paper under") as refused:
            take_section(reading, wrong, "a.md")
        assert "Loss curves" in str(refused.value)
    with pytest.raises(UsageError, match="neither headings nor collections"):
        take_section(read("2611.00001", "a.txt"), "x", "a.txt")


def test_hostile_text_is_cleaned_and_cut() -> None:
    entry = only(
        "- [A \x1b\\[2J\u202etitle that is long](https://arxiv.org/abs/2611.00001) " + "é<b>x</b> " * 400, "a.md"
    )
    assert entry.title == "A [2Jtitle that is long"
    assert entry.note is not None and len(entry.note) <= 500 and entry.note.endswith("…") and "<" not in entry.note


def test_a_note_in_html_becomes_plain_text() -> None:
    assert render_plain("<p>a &amp; <b>b</b></p><script>alert(1)</script>").split() == ["a", "&", "b"]
    assert render_plain("3 < 4 &amp; 5") == "3 < 4 &amp; 5"


def test_a_doi_is_found_without_what_stands_around_it() -> None:
    assert find_doi("(see https://doi.org/10.1234/ABC.d-5).") == "10.1234/abc.d-5"
    assert find_doi("10.12/x") is None


class TestFiles:
    def test_a_folder_a_loop_of_links_and_nothing_at_all_are_refused_in_one_line(self, tmp_path: Path) -> None:
        loop = tmp_path / "loop.bib"
        loop.symlink_to(loop)
        for place in (tmp_path, loop, tmp_path / "none.bib"):
            with pytest.raises(UsageError, match="cannot read"):
                files.read_list(place, io.BytesIO())

    def test_a_file_without_end_is_given_up(self) -> None:
        with pytest.raises(UsageError, match="larger than 64 MiB"):
            files.read_list(Path("/dev/zero"), io.BytesIO())

    def test_text_that_is_no_utf_8_is_refused_with_its_line(self) -> None:
        with pytest.raises(UsageError, match=r"a\.bib, line 2"):
            read(b"@misc{a,\n title={caf\xe9}}", "a.bib")

    def test_utf_16_and_old_line_ends_are_read(self) -> None:
        assert ids(read("2611.00001\r2611.00002\r\n".encode("utf-16"), "a.txt")) == ["2611.00001", "2611.00002"]

    def test_an_empty_file_is_refused(self) -> None:
        for format_ in Format:
            with pytest.raises(UsageError):
                parse_list(b"", "empty", format_)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@article{a, title={No}, doi={10.1000/n.1}, note={A refutation of arXiv:2611.00004}}", "a.bib"),
        ("@article{a, title={No}, annotation={See https://arxiv.org/abs/2611.00004 for more}}", "a.bib"),
        (
            "TY  - JOUR\nTI  - No\nN2  - We refute arXiv:2611.00004.\nN1  - against arXiv:2611.00004 all\nER  - \n",
            "a.ris",
        ),
        ('[{"type": "article", "title": "No", "note": "Comment on arXiv:2611.00004"}]', "a.json"),
    ],
)
def test_a_paper_that_speaks_of_another_one_is_not_that_one(text: str, name: str) -> None:
    (entry,) = parse_list(text.encode(), name, detect_format(text.encode(), name)).entries
    assert entry.arxiv_id is None


def test_an_id_that_stands_alone_in_a_note_is_the_papers() -> None:
    text = "@article{a, title={Yes}, note={arXiv preprint arXiv:2611.00004}}"
    (entry,) = parse_list(text.encode(), "a.bib", detect_format(text.encode(), "a.bib")).entries
    assert entry.arxiv_id == "2611.00004"
