"""The digest: nothing told twice or never, cut where it is long, the same bytes each time, and text stays text."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import asdict, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from bmp import Bmp
from conftest import LOADED
from hypothesis import given
from hypothesis import strategies as st
from integration.test_exports import HOSTILE as HOSTILE_EXPORTS
from markdown_it import MarkdownIt
from sample_digest import (
    NIGHTS,
    NOW,
    PHENOMENA,
    make_paper,
    review_at,
    run_a_night,
    tell_story,
)
from tui.test_hostile_text import HOSTILE, UNSAFE

from curation.cli.digest import FORMATS, render
from curation.digest.facts import Digest, gather_digest, untold_since
from curation.digest.outline import CANDIDATES_SHOWN, outline_digest
from curation.digest.text import COLUMNS, wrap
from curation.review import Decision
from db.digests import find_last_digest, save_digest
from db.records import Malformed, Stance, Verdict
from db.store import Store, open_store
from db.text import clean_line
from db.times import from_text, to_text
from db.upkeep import save_phenomena

WEEK = timedelta(days=7)
GOLDEN = Path(__file__).with_name("golden_digest.txt")


def the_week(store: Store) -> Digest:
    return gather_digest(store, since=NOW - WEEK, now=NOW)


def columns(line: str) -> int:
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in ("W", "F")) for one in line
    )


def test_a_week_reads_as_it_should(store: Store) -> None:
    tell_story(store)
    assert render(the_week(store), "text") == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_same_database_and_clock_give_the_same_bytes(tmp_path: Path, format_name: str) -> None:
    written = []
    for name in ("one", "two"):
        with open_store(tmp_path / f"{name}.db", create=True) as store:
            tell_story(store)
            written += [render(the_week(store), format_name), render(the_week(store), format_name)]
    assert len(set(written)) == 1


def test_the_facts_tell_who_decided_what_and_what_became_of_it(store: Store) -> None:
    tell_story(store)
    digest = the_week(store)
    told = [(event.kind, event.stance, event.reviewer, event.undone_kind, event.taken_back) for event in digest.decided]
    assert told == [
        ("accept", "supports", "ada", None, False),
        ("reject", None, "grace", None, True),
        ("undo", None, "grace", "reject", False),
        ("snooze", None, "grace", None, False),
    ]
    (reopened,) = digest.reopened
    assert (reopened.arxiv_id, reopened.note, reopened.in_force) == ("2611.00002", "v2 was withdrawn", True)
    (wrong,) = digest.went_wrong
    assert wrong.status == "partial" and wrong.error and "503" in wrong.error
    assert [record.identifier for record in digest.unreadable] == ["oai:arXiv.org:2611.09999"]
    assert [run.queued for run in digest.runs] == [4, 1, 0]
    assert digest.waiting == 4


def test_new_candidates_come_by_phenomenon_best_first_and_without_those_decided(store: Store) -> None:
    tell_story(store)
    new = the_week(store).new
    assert [news.phenomenon for news in new] == ["W2.2", "H1.2"]
    assert [[one.arxiv_id for one in news.candidates] for news in new] == [["2611.00001", "2611.00009"], ["2611.00004"]]
    best = new[0].candidates[0]
    assert (best.score, best.url) == (0.9, "https://arxiv.org/abs/2611.00001v1")
    assert best.sentence and best.sentence.startswith("Evidence for Training")


def test_nothing_is_told_by_two_digests_in_a_row_and_nothing_by_neither(store: Store) -> None:
    tell_story(store)
    whole = the_week(store)
    moments = sorted({event.decided_at for event in (*whole.decided, *whole.reopened)}
                     | {run.finished_at for run in whole.runs})  # fmt: skip
    for moment in moments:
        cut = from_text(moment)
        first = gather_digest(store, since=NOW - WEEK, now=cut)
        second = gather_digest(store, since=from_text(first.until), now=NOW)
        assert first.decided + second.decided == whole.decided
        assert first.reopened + second.reopened == whole.reopened
        assert first.runs + second.runs == whole.runs
        assert first.unreadable + second.unreadable == whole.unreadable
        told = [one.id for part in (first, second) for news in part.new for one in news.candidates]
        assert sorted(told) == sorted(one.id for news in whole.new for one in news.candidates)


def test_what_a_running_night_has_queued_is_told_once_it_has_ended(store: Store) -> None:
    with store.transaction():
        save_phenomena(store, PHENOMENA, LOADED)
    run_id = run_a_night(store, NIGHTS[0], [make_paper(1, "Late")])
    with store.transaction():
        store.connection.execute("UPDATE runs SET status = 'running', finished_at = NULL")
    early = gather_digest(store, since=NOW - WEEK, now=NOW)
    assert not early.new and not early.has_news
    with store.transaction():  # it ends after that digest, though it queued long before
        ended = to_text(NOW + timedelta(hours=1))
        store.connection.execute(
            "UPDATE runs SET status = 'complete', finished_at = ? WHERE run_id = ?", (ended, run_id)
        )
    late = gather_digest(store, since=from_text(early.until), now=NOW + timedelta(hours=2))
    assert [one.title for news in late.new for one in news.candidates] == ["Late"]


def test_a_re_opened_paper_that_was_decided_anew_is_told_as_such(store: Store) -> None:
    tell_story(store)
    (candidate,) = (one for one in review_at(store, "ada", NOW).waiting() if one["status"] == "reopened")
    review_at(store, "ada", NOW).decide(candidate["id"], Decision(Verdict.ACCEPT, Stance.MENTIONS))
    assert "decided anew since" in render(the_week(store), "text")


def test_a_digest_goes_on_where_the_last_mailed_one_ended_and_else_covers_a_week(store: Store) -> None:
    assert untold_since(store, now=NOW) == NOW - WEEK
    for until in ("2026-11-23T06:31:08Z", "2026-11-20T00:00:00Z"):
        with store.transaction():
            save_digest(store, since="2026-11-19T00:00:00Z", until=until, sent_to=["a@b.c", "d@e.f"], sent_at=until)
    last = find_last_digest(store, now=NOW)
    assert last and (last["until"], last["sent_to"]) == ("2026-11-23T06:31:08Z", "a@b.c d@e.f")
    assert to_text(untold_since(store, now=NOW)) == "2026-11-23T06:31:08Z"
    with store.transaction():  # as a clock that was years ahead left it
        save_digest(store, since="2026-11-19T00:00:00Z", until="2030-01-01T00:00:00Z", sent_to=["a@b.c"], sent_at="x")
    assert to_text(untold_since(store, now=NOW)) == "2026-11-23T06:31:08Z"


def test_a_quiet_night_is_no_news_and_still_has_its_line(store: Store) -> None:
    run_a_night(store, NIGHTS[2], status="quiet")
    digest = the_week(store)
    assert not digest.has_news
    text = render(digest, "text")
    assert "Nothing new, and nothing wrong." in text and "nightly run 1 quiet: 0 received" in text


@pytest.mark.parametrize("status", ["partial", "failed"])
def test_a_night_that_was_stopped_has_not_gone_wrong_and_still_has_its_line(store: Store, status: str) -> None:
    run_a_night(store, NIGHTS[2], status=status, error="stopped before the end; the next run goes on from here")
    digest = the_week(store)
    assert not digest.went_wrong and not digest.has_news
    told = render(digest, "text")
    assert "Nothing new, and nothing wrong." in told and "WHAT WENT WRONG" not in told
    assert "nightly run 1 was stopped before its end: 0 received" in " ".join(told.split())


def test_where_no_run_ended_it_is_said_and_nothing_is_called_right(store: Store) -> None:
    for format_name in FORMATS:
        assert "Nothing new. No run ended. 0 candidates wait in the queue." in render(the_week(store), format_name)


def test_a_long_list_is_cut_to_the_best_and_says_how_many_are_left(store: Store) -> None:
    with store.transaction():
        save_phenomena(store, PHENOMENA, LOADED)
    count = CANDIDATES_SHOWN + 7
    run_a_night(store, NIGHTS[0], [make_paper(number, f"Paper number {number}") for number in range(1, count + 1)])
    digest = the_week(store)
    assert sum(len(news.candidates) for news in digest.new) == count
    (section,) = (one for one in outline_digest(digest).sections if one.heading == "New in the queue")
    shown = {item.title for group in section.groups for item in group.items}
    assert shown == {f"Paper number {number}" for number in range(1, CANDIDATES_SHOWN + 1)}
    for format_name in FORMATS:
        assert "... and 7 more: `bmp queue list`" in render(digest, format_name)
    assert outline_digest(digest).subject == f"BMPrinciples: {count} new"


def test_decisions_that_were_cut_are_still_counted_by_kind_and_reviewer(store: Store) -> None:
    with store.transaction():
        save_phenomena(store, PHENOMENA, LOADED)
    papers = [make_paper(number, f"Paper number {number}") for number in range(1, 62)]
    run_a_night(store, NIGHTS[0], papers)
    for number, candidate in enumerate(review_at(store, "ada", NIGHTS[1]).waiting()):
        moment = NIGHTS[1] + timedelta(seconds=number)
        decision = Decision(Verdict.REJECT) if number == 0 else Decision(Verdict.ACCEPT, Stance.SUPPORTS)
        review_at(store, "ada", moment).decide(candidate["id"], decision)
    text = render(the_week(store), "text")
    assert "Accepted: 60 (ada 60)" in text and "Rejected: 1 (ada 1)" in text
    assert "... and 11 more: `bmp digest --json`" in text
    assert "Rejected: 1 (ada 1)" in read_html(render(the_week(store), "html")).texts


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "M", "Zs"]), max_size=400), st.integers(0, 20))
def test_wrapped_text_keeps_every_character_and_the_columns(text: str, indent: int) -> None:
    line = clean_line(text)
    lines = wrap(line, indent=" " * indent)
    assert all(columns(one) <= COLUMNS for one in lines)
    assert "".join("".join(lines).split()) == "".join(line.split())


# Hostile text

MEAN = tuple(
    dict.fromkeys((*HOSTILE, *HOSTILE_EXPORTS, '"><img src=x onerror=alert(1)>', "' onmouseover='x", "</style>"))
)


def tell_mean_story(store: Store, texts: tuple[str, ...]) -> Digest:
    """Put a text in every place that people, papers and servers fill: a paper, a phenomenon and a run for each."""
    with store.transaction():
        save_phenomena(
            store, [replace(PHENOMENA[0], code=f"H{n}.1", title=text) for n, text in enumerate(texts, 1)], LOADED
        )
    for number, text in enumerate(texts, 1):
        bad = [Malformed(text, None, text, b"")]
        moment = NIGHTS[0] + timedelta(minutes=2 * number)
        papers = [make_paper(2 * number, text), make_paper(2 * number + 1, text)]
        run_a_night(
            store, moment, papers, phenomena=[f"H{number}.1"], status="failed", error=text or None, unreadable=bad
        )
        review = review_at(store, text, moment)
        review.decide(
            review.waiting(phenomenon=f"H{number}.1")[1]["id"], Decision(Verdict.ACCEPT, Stance.SUPPORTS, text)
        )
        gone = replace(papers[1], version=2, withdrawn=True)
        run_a_night(store, moment + timedelta(minutes=1), [gone], phenomena=[f"H{number}.1"], error=text)
    return gather_digest(store, since=NOW - WEEK, now=NOW)


@pytest.fixture
def mean(store: Store) -> Digest:
    return tell_mean_story(store, MEAN)


def test_no_format_holds_a_character_that_could_move_a_cursor_or_hide_a_word(mean: Digest) -> None:
    for written in (*(render(mean, name) for name in FORMATS), json.dumps(asdict(mean), ensure_ascii=False)):
        bad = {one for one in written if unicodedata.category(one) in UNSAFE and one != "\n"}
        assert not bad
    assert outline_digest(mean).subject.isprintable()


def test_plain_text_keeps_to_its_columns_and_lets_nothing_begin_a_section(mean: Digest) -> None:
    lines = render(mean, "text").splitlines()
    assert all(columns(line) <= COLUMNS for line in lines)
    headings = [line for line in lines[5:] if line and not line.startswith((" ", "..."))]
    assert headings == ["NEW IN THE QUEUE", "RE-OPENED", "DECIDED", "WHAT WENT WRONG", "THE RUNS"]


class _Reader(HTMLParser):
    """Reads a document: which elements with which attributes, all text, and whether elements are nested rightly."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.links: list[str] = []
        self.texts = [""]
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag, tuple(name for name, _ in attrs)] += 1
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.texts.append("")
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def read_html(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


def test_html_has_no_element_attribute_or_link_that_a_text_put_there(mean: Digest, tmp_path: Path) -> None:
    read = read_html(render(mean, "html"))
    with open_store(tmp_path / "tame.db", create=True) as store:
        tame = tuple(f"plain {number}" if clean_line(text) else "" for number, text in enumerate(MEAN))
        expected = read_html(render(tell_mean_story(store, tame), "html"))
    assert read.elements == expected.elements
    assert read.links and all(link.startswith("https://arxiv.org/abs/2611.") for link in read.links)
    texts = set(read.texts)
    assert {clean_line(text) for text in MEAN if clean_line(text)} <= texts


def _walk(tokens: list[Any]) -> list[Any]:
    return [one for token in tokens for one in (token, *_walk(token.children or []))]


@pytest.mark.parametrize("flavour", ["commonmark", "gfm-like"])
def test_markdown_shows_every_text_as_it_is(mean: Digest, flavour: str) -> None:
    tokens = MarkdownIt(flavour).parse(render(mean, "markdown"))
    everything = _walk(tokens)
    kinds = {token.type for token in everything}
    assert not kinds & {
        "html_block",
        "html_inline",
        "image",
        "code_block",
        "fence",
        "table_open",
        "hr",
        "s_open",
        "em_open",
    }
    links = [token.attrs["href"] for token in everything if token.type == "link_open"]
    assert links and all(link.startswith("https://arxiv.org/abs/2611.") for link in links)
    shown = "\n".join(
        "".join(child.content for child in token.children or []) for token in everything if token.type == "inline"
    )
    for text in MEAN:
        assert clean_line(text) in shown


def test_an_id_that_is_none_of_arxivs_gets_no_link(store: Store) -> None:
    with store.transaction():
        save_phenomena(store, PHENOMENA, LOADED)
    run_a_night(store, NIGHTS[0], [replace(make_paper(1, "Odd"), arxiv_id='x" onclick="alert(1)')])
    digest = the_week(store)
    assert digest.new[0].candidates[0].url is None
    assert not read_html(render(digest, "html")).links


# The command


@pytest.fixture
def told(bmp: Bmp, tmp_path: Path) -> Bmp:
    with open_store(tmp_path / "bmp.db", create=True) as store:
        tell_story(store)
    return bmp


def test_the_command_writes_every_format_and_all_facts_as_json(told: Bmp) -> None:
    assert "NEW IN THE QUEUE" in told("digest", "--since", "2026-11-01").out
    assert told("digest", "--since", "2026-11-01", "--format", "markdown").out.startswith("# BMPrinciples digest\n")
    assert told("digest", "--since", "2026-11-01", "--format", "html").out.startswith("<!DOCTYPE html>\n")
    facts = told("digest", "--since", "2026-11-24", "--json").json
    assert facts.keys() == {
        "since", "until", "waiting", "new", "decided", "reopened", "went_wrong", "unreadable", "runs",
    }  # fmt: skip
    assert facts["since"] == "2026-11-24T00:00:00Z"
    assert [run["run_id"] for run in facts["runs"]] == [3]
    assert [event["kind"] for event in facts["reopened"]] == ["reopen"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "2999-01-01"), "has not begun"),
        (("--since", "yesterday"), "not a date"),
        (("--send",), "smtp_host and mail_to"),
        (("--format", "html", "--json"), "do not go together"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(told: Bmp, words: tuple[str, ...], said: str) -> None:
    result = told("digest", *words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err.splitlines()[-1]
