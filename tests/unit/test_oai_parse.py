"""OAI-PMH answers are read strictly: recorded ones, the bundled sample, and what is no answer at all."""

from __future__ import annotations

import gzip
import json
import re
import time
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback.papers import MadePaper, MadeVersion, make_papers
from loopback.records import render_document, render_record

from crawler.sources.oai_parse import OaiPage, parse_list, parse_version_date, split_authors
from crawler.sources.withdrawal import says_withdrawn
from db.errors import AnswerError
from db.text import clean_line

NOW = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)
DAY = date(2026, 11, 23)
TOKEN = "<resumptionToken expirationDate='2026-11-25T00:00:00Z'>verb%3DListRecords%26skip%3D2</resumptionToken>"


def answer(papers: list[MadePaper], token: str = "") -> str:
    records = "".join(map(render_record, papers))
    return render_document(
        {"verb": "ListRecords"}, f"<ListRecords>{records}{token}</ListRecords>", now=NOW, base_url="http://a/oai"
    )


def parse(text: str) -> OaiPage:
    return parse_list(text.encode())


@pytest.fixture
def recorded(shared: Path) -> Path:
    folder = shared / "data" / "arxiv"
    if not folder.is_dir():
        pytest.skip("the recorded answers of arXiv are not here")
    return folder


# Records


def test_every_field_of_a_recorded_record_is_read(recorded: Path) -> None:
    text = (recorded / "oai" / "fatcat__arxivraw_1810.09584.xml").read_text(encoding="utf-8")
    (paper,) = parse(text.replace("GetRecord>", "ListRecords>")).papers
    assert (paper.arxiv_id, paper.version, paper.datestamp) == ("1810.09584", 2, date(2019, 1, 15))
    assert paper.title == "Martingale theory for housekeeping heat"
    assert paper.authors == ("Raphael Chetrite", "Shamik Gupta", "Izaak Neri", "Édgar Roldán")
    assert paper.categories == ("cond-mat.stat-mech", "physics.bio-ph", "physics.data-an")
    assert paper.published_at == datetime(2018, 10, 22, 22, 41, 50, tzinfo=UTC)
    assert paper.updated_at == datetime(2019, 1, 13, 11, 17, 9, tzinfo=UTC)
    assert paper.comments == "7 pages, 2 figures"
    assert paper.journal_ref == "EPL 124,60006 (2018)"
    assert paper.doi == "10.1209/0295-5075/124/60006"
    assert paper.license == "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"
    assert paper.abstract.startswith(
        "The housekeeping heat is the energy exchanged between a system and its environment"
    )
    assert r"$k_{\rm B}T$" in paper.abstract and "\n" not in paper.abstract
    assert not paper.withdrawn


def test_made_records_come_back_as_they_were_made() -> None:
    made = make_papers(60, day=DAY)
    page = parse(answer(made))
    assert (page.received, len(page.malformed), page.token, page.error) == (60, 0, None, None)
    for paper, origin in zip(page.papers, made, strict=True):
        assert (paper.arxiv_id, paper.version) == (origin.arxiv_id, origin.newest.number)
        assert (paper.title, paper.abstract, paper.comments) == (origin.title, origin.abstract, origin.comments)
        assert (paper.categories, paper.doi, paper.license) == (origin.categories, origin.doi, origin.license)
        assert (paper.journal_ref, paper.datestamp) == (origin.journal_ref, DAY)
        assert paper.published_at == origin.versions[0].submitted
        assert paper.updated_at == origin.newest.submitted


def test_the_newest_version_is_the_one_with_the_highest_number() -> None:
    days = (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    versions = tuple(MadeVersion(number, at, "D", 10) for number, at in zip((10, 1, 9), days, strict=True))
    (made,) = make_papers(1, day=DAY)
    (paper,) = parse(answer([MadePaper(**{**_fields(made), "versions": versions})])).papers
    assert (paper.version, paper.updated_at, paper.published_at) == (10, days[0], days[1])


def _fields(paper: MadePaper) -> dict[str, object]:
    return {name: getattr(paper, name) for name in MadePaper.__dataclass_fields__}


def test_an_old_id_loses_its_subject_class_but_not_its_archive() -> None:
    (made,) = make_papers(1, day=DAY)
    (paper,) = parse(answer([made]).replace(f"<id>{made.arxiv_id}</id>", "<id>math.CA/0611800</id>")).papers
    assert paper.arxiv_id == "math/0611800"


def test_a_record_without_abstract_comments_and_licence_is_a_paper() -> None:
    (made,) = make_papers(1, day=DAY)
    bare = {**_fields(made), "abstract": "", "comments": None, "license": None, "journal_ref": None, "doi": None}
    (paper,) = parse(answer([MadePaper(**bare)])).papers  # type: ignore[arg-type]
    assert (paper.abstract, paper.comments, paper.license, paper.journal_ref, paper.doi) == ("", None, None, None, None)


def test_a_deleted_record_is_received_but_is_no_paper() -> None:
    made = make_papers(2, day=DAY)
    gone = MadePaper(**{**_fields(made[0]), "deleted": True})  # type: ignore[arg-type]
    page = parse(answer([gone, made[1]]))
    assert (page.received, len(page.papers), page.malformed) == (2, 1, ())
    assert page.other_identifiers == {f"oai:arXiv.org:{gone.arxiv_id}"}


# The bundled sample


def test_the_bundled_sample_has_63_distinct_papers_and_one_withdrawal() -> None:
    pages = [
        parse_list(files("crawler").joinpath("data/sample", name).read_bytes())
        for name in ("cs-1.xml", "cs-2.xml", "stat-1.xml")
    ]
    papers = {paper.arxiv_id: paper for page in pages for paper in page.papers}
    assert not any(page.malformed or page.error for page in pages)
    assert len(papers) == 63
    assert sum(paper.withdrawn for paper in papers.values()) == 1


# Lists and errors


def test_a_token_is_read_and_an_empty_one_ends_the_list() -> None:
    papers = make_papers(2, day=DAY)
    assert parse(answer(papers, TOKEN)).token == "verb%3DListRecords%26skip%3D2"
    assert parse(answer(papers, "<resumptionToken/>")).token is None
    assert parse(answer(papers)).token is None


@pytest.mark.parametrize(
    ("size", "read"), [("8", 8), ("", None), ("-8", None), ("eight", None), ("9" * 5000, None), ("٨", None)]
)
def test_the_length_of_a_list_is_a_plain_number_or_not_known(size: str, read: int | None) -> None:
    token = f"<resumptionToken completeListSize='{size}'>x</resumptionToken>"
    assert parse(answer(make_papers(1, day=DAY), token)).list_size == read


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("oai/dissemin__cannotDisseminateFormat_0704.0001.xml", "cannotDisseminateFormat"),
        ("oai/invenio__sample_empty_response.xml", "noRecordsMatch"),
        ("oai_generic/sickle__badArgument.xml", "badArgument"),
        ("oai_generic/sickle__badResumptionToken.xml", "badResumptionToken"),
        ("oai_generic/sickle__noRecordsMatch.xml", "noRecordsMatch"),
        ("oai_generic/sickle__undefinedError.xml", "undefinedError"),
    ],
)
def test_the_errors_of_recorded_answers_are_told_by_their_code(recorded: Path, name: str, code: str) -> None:
    page = parse_list((recorded / name).read_bytes())
    assert (page.error, page.papers, page.received, page.token) == (code, (), 0, None)


def test_recorded_records_in_another_format_are_malformed_and_none_is_lost(recorded: Path) -> None:
    page = parse_list((recorded / "oai" / "invenio__sample_arxiv_response_listrecords_cs.xml").read_bytes())
    assert (page.received, len(page.malformed), len(page.papers)) == (46, 46, 0)
    assert {record.reason for record in page.malformed} == {"the record has no arXivRaw metadata"}
    assert all(record.identifier and b"<record" in record.raw for record in page.malformed)


@pytest.mark.parametrize("folder", ["oai", "oai_generic", "atom_api", "rss"])
def test_a_recorded_document_is_an_answer_or_an_error_of_ours_and_nothing_else(recorded: Path, folder: str) -> None:
    documents = sorted((recorded / folder).glob("*.*ml"))
    assert documents
    for path in documents:
        try:
            page = parse_list(path.read_bytes())
        except AnswerError:
            continue
        assert folder.startswith("oai"), path.name
        assert page.received >= len(page.papers) + len(page.malformed)


# What is no answer


GOOD = answer(make_papers(3, day=DAY))


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"Rate exceeded.", "not well-formed"),
        (b"<!DOCTYPE html><html><body><p>Busy<br></body></html>", "a web page"),
        (b"<html><body>Busy</body></html>", "a web page"),
        (b"<status>fine</status>", "not OAI-PMH"),
        (b"<OAI-PMH><responseDate>2026-11-24T00:00:00Z</responseDate></OAI-PMH>", "not OAI-PMH"),
        (GOOD.encode()[: len(GOOD) // 2], "not well-formed"),
        (GOOD.encode()[:-5], "not well-formed"),
        (GOOD.encode() + b"<more/>", "not well-formed"),
        (GOOD.replace("<title>", "<title>\x1b").encode(), "not well-formed"),
        (GOOD.replace("<title>", "<title>&#0;").encode(), "not well-formed"),
        (GOOD.replace("<title>", "<title>\ud800").encode("utf-8", "surrogatepass"), "not well-formed"),
        (GOOD.replace("<title>", "<title>&nbsp;").encode(), "not well-formed"),
        (GOOD.replace("UTF-8", "x-unheard-of").encode(), "not well-formed"),
        (GOOD.replace("2026-11-24T03:30:00Z", "").encode(), "date"),
        (GOOD.replace("2026-11-24T03:30:00Z", "yesterday").encode(), "date"),
        (GOOD.replace("ListRecords>", "Identify>").encode(), "neither"),
    ],
)
def test_what_is_not_exactly_an_answer_is_none(body: bytes, word: str) -> None:
    with pytest.raises(AnswerError, match=word):
        parse_list(body)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE OAI-PMH>",
        '<!DOCTYPE OAI-PMH SYSTEM "http://example.org/x.dtd">',
        '<!DOCTYPE OAI-PMH [<!ENTITY a "ha">]>',
        '<!DOCTYPE OAI-PMH [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>',
    ],
)
def test_a_document_type_is_refused_whatever_it_declares(doctype: str) -> None:
    head, _, rest = GOOD.partition("<OAI-PMH")
    with pytest.raises(AnswerError):
        parse(f"{head}{doctype}<OAI-PMH{rest}")


def test_an_entity_never_brings_a_file_of_this_machine_into_a_title(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("a word that nobody else knows")
    head, _, rest = GOOD.partition("<OAI-PMH")
    doctype = f'<!DOCTYPE OAI-PMH [<!ENTITY outside SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(AnswerError):
        parse(f"{head}{doctype}<OAI-PMH{rest.replace('<title>', '<title>&outside;', 1)}")


@given(st.integers(0, len(GOOD.encode())), st.binary(min_size=1, max_size=4))
def test_bytes_put_anywhere_give_an_answer_or_an_error_of_ours(where: int, noise: bytes) -> None:
    body = GOOD.encode()
    try:
        page = parse_list(body[:where] + noise + body[where:])
    except AnswerError:
        return
    assert page.error is not None or page.received == len(page.papers) + len(page.malformed)


# One bad record


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("title>", "titel>", "title"),
        ("authors>", "autors>", "authors"),
        ("categories>", "category>", "categories"),
        ("<id>2611", "<id>x2611", "arXiv id"),
        ("<datestamp>2026-11-23", "<datestamp>2026-13-23", "datestamp"),
        ('version="v1"', 'version="one"', "number"),
        ('version="v1"', 'version="v0"', "number"),
        ('version="v1"', f'version="v{"9" * 5000}"', "number"),
        ('version="v1"', 'version="v99999999999999999999"', "number"),
        ("<date>", "<date>Someday, ", "date"),
        (" GMT<", " +99999999999999999999<", "date"),
        (" GMT<", "<", "time zone"),
        ("arXivRaw", "arXivRow", "metadata"),
    ],
)
def test_a_malformed_record_is_kept_with_its_reason_and_the_others_arrive(old: str, new: str, reason: str) -> None:
    made = make_papers(3, day=DAY)
    records = [render_record(paper) for paper in made]
    broken = records[1].replace(old, new)
    assert broken != records[1]
    page = parse(answer(made).replace(records[1], broken))
    assert [paper.arxiv_id for paper in page.papers] == [made[0].arxiv_id, made[2].arxiv_id]
    (malformed,) = page.malformed
    assert reason in malformed.reason
    assert malformed.identifier == f"oai:arXiv.org:{made[1].arxiv_id}"
    assert made[1].arxiv_id.encode() in malformed.raw
    assert page.received == 3


# Dates, authors, withdrawals


@pytest.mark.parametrize("text", ["Fri, 31 Dec 9999 23:59:59 -1000", "Mon, 22 Oct 2018 22:41:50", "", "2018-10-22"])
def test_a_date_that_is_no_moment_in_utc_is_refused(text: str) -> None:
    with pytest.raises(AnswerError):
        parse_version_date(text)


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} (Jan|Dec) \d{1,20} \d\d:\d\d:\d\d [+-]?\d{1,20}"))
def test_any_text_is_a_moment_in_utc_or_an_error_of_ours(text: str) -> None:
    try:
        moment = parse_version_date(text)
    except AnswerError:
        return
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada Lovelace", ("Ada Lovelace",)),
        ("A. One, B. Two and C. Three", ("A. One", "B. Two", "C. Three")),
        ("A. One, B. Two, and C. Three", ("A. One", "B. Two", "C. Three")),
        ("A. One (MIT), B. Two (ETH (Zurich), Inria)", ("A. One", "B. Two")),
        ("A. One (1), B. Two (2) ((1) MIT, (2) ETH)", ("A. One", "B. Two")),
        (r"\'Edgar Rold\'an and Fran\c{c}ois M{\"u}ller", ("Édgar Roldán", "François Müller")),
        (r"Nguy\~{\^e}n V\u{a}n A and B", ("Nguyễn Văn A", "B")),
        ("Martin Luther King, Jr., Jane Doe", ("Martin Luther King, Jr.", "Jane Doe")),
        ("John Smith, III and Jane Doe", ("John Smith, III", "Jane Doe")),
        ("Ferdinand Anderson, Brandy Andrews", ("Ferdinand Anderson", "Brandy Andrews")),
        ("ATLAS Collaboration", ("ATLAS Collaboration",)),
        ("A. One,\n  B. Two", ("A. One", "B. Two")),
        ("", ()),
    ],
)
def test_a_line_of_authors_is_split_into_names(text: str, names: tuple[str, ...]) -> None:
    assert split_authors(text) == names


@pytest.mark.parametrize(
    ("comments", "abstract"),
    [
        ("This paper has been withdrawn by the authors", "We show x."),
        ("This paper has been withdrawn because it is superseded by arXiv:2301.00001", ""),
        ("Withdrawn due to an error in Lemma 3", ""),
        ("withdrawn", ""),
        ("The manuscript was temporarily withdrawn", ""),
        ("This submission has been withdrawn by arXiv administrators", ""),
        ("This article has been withdrawn from arXiv", ""),
        ("WITHDRAWN.", ""),
        ("[withdrawn]", ""),
        ("paper withdrawn", ""),
        ("Paper withdrawn: the bound of Section 4 fails", ""),
        ("has been withdrawn from arXiv", ""),
        ("This paper as been withdrawn", ""),
        ("This note has now been withdrawn, for its main claim is false", ""),
        ("It is withdrawn because of a gap in the second proof", ""),
        ("17 pages, 2 tables. Withdrawn due to a bug in the evaluation", ""),
        ("Withdrawn; a new text is arXiv:2301.00001", ""),
        ("v3: withdrawn, replaced by arXiv:2301.00001", ""),
        ("Withdrawn by the corresponding author", ""),
        ("This e-print has been withdrawn at the request of the publisher", ""),
        ("Supersedes arXiv:2301.00001; this paper has been withdrawn", ""),
        ("The earlier version had a gap; this paper has been withdrawn entirely", ""),
        ("retracted by the authors", ""),
        ("This preprint was retracted", ""),
        ("Retracted. A new analysis will follow", ""),
        ("The authors withdrew this submission", ""),
        ("Withdrew the paper until the data are checked", ""),
        ("We have decided to withdraw this manuscript", ""),
        ("The first author has withdrawn this paper", ""),
        ("This submission has been removed by arXiv administrators", ""),
        ("arXiv admin note: This version has been removed by arXiv administrators for its licence", ""),
        ("arXiv admin note: this paper has been withdrawn by arXiv, whose authors are in doubt", ""),
        (None, "This paper has been withdrawn by the author due to a crucial sign error in equation 1."),
        (None, "Withdrawn."),
        (None, "[This paper has been withdrawn]"),
        (None, "Paper withdrawn by the author. We measure x."),
        (None, "I would like to withdraw this article, since its second figure shows something else."),
        (None, "Due to an error in Section 3 this paper has been withdrawn."),
        (None, "arXiv admin note: this submission has been removed by arXiv administrators. We show x."),
    ],
)
def test_a_withdrawal_is_known_by_its_words(comments: str | None, abstract: str) -> None:
    assert says_withdrawn(comments, abstract)


@pytest.mark.parametrize(
    ("comments", "abstract"),
    [
        ("This paper supersedes the withdrawn paper arXiv:2301.00001", ""),
        ("Supersedes arXiv:2301.00001, which was withdrawn by the authors", ""),
        ("Replaces arXiv:2301.00001 (that paper was withdrawn)", ""),
        ("The previous version was withdrawn by mistake", ""),
        ("This paper was withdrawn from ICML 2026 and is under review at NeurIPS", ""),
        ("Withdrawn from ICLR", ""),
        ("This paper is not withdrawn", ""),
        ("This paper was withdrawn by the authors from ICML 2026", ""),
        ("We withdrew this paper from a workshop", ""),
        ("withdrawn from the conference", ""),
        ("Withdrawn submission to ICLR 2026", ""),
        ("The ICLR submission was withdrawn", ""),
        ("The conference submission was withdrawn", ""),
        ("This paper was never withdrawn", ""),
        ("Supersedes the withdrawn paper", ""),
        ("Comment on arXiv:2301.00001 (withdrawn)", ""),
        ("An erratum to arXiv:2301.00001 withdrawn by the authors", ""),
        ("Builds on arXiv:2301.00001, which has been withdrawn", ""),
        ("Earlier version withdrawn. This one mends Theorem 3", ""),
        ("The earlier version of this paper was withdrawn", ""),
        ("v1 was withdrawn due to a bug; v2 corrects it", ""),
        ("v2: Lemma 4 was false and has been removed", ""),
        ("We study withdrawal", ""),
        ("A data set of retracted papers", ""),
        (None, "Users whose consent was withdrawn must be forgotten by a model."),
        (None, "Retracted papers are cited for years."),
        (None, "Retracted by journals, some papers live on."),
        (None, "Papers withdrawn by their authors are a natural experiment."),
        (None, "We ask when authors withdraw the paper that they wrote."),
        (None, "We consider whether an article was retracted."),
        (None, "The robot's arm is retracted by the controller."),
        (None, "We study x. " * 20 + "This paper has been withdrawn by the author."),
        (None, ""),
    ],
)
def test_words_about_another_paper_or_another_place_are_no_withdrawal(comments: str | None, abstract: str) -> None:
    assert not says_withdrawn(comments, abstract)


def test_a_long_text_is_judged_in_no_time() -> None:
    began = time.perf_counter()
    for text in ("this paper, " * 9000, "- " * 50_000, "a b; " * 20_000, "we " * 30_000, "which is " * 9000):
        says_withdrawn(f"{text}withdrawn", "")
    assert time.perf_counter() - began < 10


def test_of_all_real_abstracts_one_is_a_notice(shared: Path) -> None:
    lines = [line for path in _snapshots(shared) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len(lines) > 80_000
    told = [json.loads(line) for line in lines if re.search(b"(?i:withdr|retract|removed by)", line)]
    papers = {record["id"]: clean_line(record["abstract"]) for record in told}
    spoken = {name for name, abstract in papers.items() if re.search("(?i:withdr[ae]w|retract)", abstract)}
    assert len(spoken) == 40
    assert {name for name, abstract in papers.items() if says_withdrawn(None, abstract)} == {"2204.03471"}


def _snapshots(shared: Path) -> list[Path]:
    paths = sorted((shared / "data").rglob("*.jsonl.gz"))
    return paths or pytest.skip("the snapshots of arXiv's metadata are not here")


def test_of_all_recorded_comments_the_seven_notices_are_found(recorded: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((recorded / "oai").glob("*.xml")))
    found = re.findall(r"<comments>(.*?)</comments>|<dc:description>Comment: ?(.*?)</dc:description>", text, re.DOTALL)
    comments = {clean_line(one or other) for one, other in found}
    assert len(comments) > 500
    notices = {comment for comment in comments if says_withdrawn(comment, "")}
    assert notices == {comment for comment in comments if re.search("withdraw|retract", comment, re.IGNORECASE)}
    assert len(notices) == 7


def test_a_withdrawal_is_known_by_the_source_type_of_the_newest_version_only() -> None:
    (made,) = make_papers(1, day=DAY)
    at = datetime(2026, 11, 22, tzinfo=UTC)
    silent = MadePaper(**{**_fields(made.withdrawn(at)), "comments": None})  # type: ignore[arg-type]
    (paper,) = parse(answer([silent])).papers
    assert paper.withdrawn
    back = MadeVersion(silent.newest.number + 1, at, "D", 99)
    (paper,) = parse(answer([MadePaper(**{**_fields(silent), "versions": (*silent.versions, back)})])).papers  # type: ignore[arg-type]
    assert not paper.withdrawn
