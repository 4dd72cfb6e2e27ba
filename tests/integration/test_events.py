"""Revisions and withdrawals as events, a whole night each: what was accepted is open again, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bmp import Bmp
from conftest import LOADED
from fakes import CATEGORIES, HashEmbedder, make_client, oai_source, run_night
from loopback.papers import MadePaper, MadeVersion, make_papers
from loopback.server import ArxivServer

from crawler.sources.query import ApiDaysSource, QueryApi
from crawler.sources.source import Source
from curation.review import Decision, Review
from db.records import Aspect, Phenomenon, Stance, Verdict
from db.store import Row, Store
from db.upkeep import save_phenomena

DAY = date(2026, 11, 22)
ACCEPT = Decision(Verdict.ACCEPT, Stance.SUPPORTS, note="table 3")


def from_oai(server: ArxivServer, clock: Callable[[], datetime]) -> Source:
    return oai_source(server.oai_url, clock=clock)


def from_api(server: ArxivServer, clock: Callable[[], datetime]) -> Source:
    return ApiDaysSource(QueryApi(make_client(), server.api_url), CATEGORIES, clock=clock, first_night_days=7)


@dataclass
class Place:
    """A database that is harvested from a stand-in of arXiv, and the person who decides."""

    store: Store
    server: ArxivServer
    source: Callable[[ArxivServer, Callable[[], datetime]], Source] = from_oai
    embedder: HashEmbedder = field(default_factory=HashEmbedder)

    @property
    def now(self) -> datetime:
        return self.server.now + timedelta(hours=3)

    @property
    def review(self) -> Review:
        return Review(self.store, reviewer="ada", clock=lambda: self.now)

    def night(self) -> Row:
        """Run a night; everything it matches is queued."""
        source = self.source(self.server, lambda: self.now)
        run: Row = run_night(
            self.store, source, embedder=self.embedder, clock=lambda: self.now, categories=CATEGORIES, threshold=0.0
        ).run
        assert run["error"] is None
        return run

    def night_after(self, *papers: MadePaper) -> Row:
        """Let a day pass on which arXiv announces these, and run a night."""
        self.server.put(*papers)
        self.server.today += timedelta(days=1)
        return self.night()

    def tomorrow(self) -> datetime:
        """Return a moment before the next night."""
        return datetime(self.server.today.year, self.server.today.month, self.server.today.day, 20, tzinfo=UTC)

    def papers(self) -> list[MadePaper]:
        """Return the server's papers, as it has them now."""
        return [self.server.papers[name] for name in sorted(self.server.papers)]

    def candidate(self, paper: MadePaper) -> Row:
        """Return the one candidate of a paper."""
        found = self.store.value("SELECT candidate_id FROM candidates WHERE arxiv_id = ?", (paper.arxiv_id,))
        return self.review.show(int(found))

    def decide(self, paper: MadePaper, decision: Decision = ACCEPT) -> Row:
        """Decide the candidate of a paper."""
        return self.review.decide(self.candidate(paper)["id"], decision)

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.store.value(f"SELECT count(*) FROM {table}"))


@pytest.fixture(params=[from_oai, from_api], ids=["oai", "api"])
def place(request: pytest.FixtureRequest, store: Store) -> Iterator[Place]:
    """Give the database after its first night, with one candidate for each of six papers, all of them v1."""
    store.connection.execute("PRAGMA synchronous = OFF")
    made = make_papers(6, day=DAY, categories=("cs.LG",))
    first = datetime(2026, 11, 21, 12, tzinfo=UTC)
    made = [replace(paper, versions=(MadeVersion(1, first, "D", 100),), comments="9 pages") for paper in made]
    with store.transaction():
        save_phenomena(store, [Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Late generalisation.")], LOADED)
    with ArxivServer(made) as server:
        prepared = Place(store, server, request.param)
        assert prepared.night()["new"] == 6
        assert prepared.count("candidates") == 6
        yield prepared


@pytest.fixture
def oai_place(place: Place) -> Place:
    """Only where OAI-PMH is the source: the query API tells neither datestamps nor source types."""
    if place.source is not from_oai:
        pytest.skip("the query API does not tell it")
    return place


def kinds(row: Row) -> list[str]:
    return [event["kind"] for event in row["history"]]


def changes(pieces: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(piece["op"], piece["text"]) for piece in pieces if piece["op"] != "same"]


# Revisions


def test_a_new_abstract_reopens_what_was_accepted_and_shows_what_changed(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    old = place.candidate(paper)["abstract"]
    vectors = place.count("vectors")
    run = place.night_after(paper.revised(place.tomorrow(), abstract=f"{old} Later we found no plateau."))
    assert (run["changed"], run["withdrawn"], run["new"], run["embedded"], run["matched"]) == (1, 0, 0, 1, 1)
    assert run["queued"] == 0
    row = place.candidate(paper)
    assert (row["status"], row["version"], row["withdrawn"]) == ("reopened", 2, False)
    assert kinds(row) == ["accept", "reopen"]
    assert row["history"][0]["note"] == "table 3"
    difference = row["difference"]
    assert (difference["from_version"], difference["to_version"], difference["withdrawn"]) == (1, 2, False)
    assert changes(difference["abstract"]) == [("added", "Later we found no plateau.")]
    assert changes(difference["title"]) == []
    assert place.count("vectors") == vectors + 1
    hashes = place.store.rows(
        "SELECT r.version, v.vector FROM revisions r JOIN vectors v USING (text_hash) WHERE r.arxiv_id = ?"
        " ORDER BY r.version",
        (paper.arxiv_id,),
    )
    assert [kept["version"] for kept in hashes] == [1, 2] and hashes[0]["vector"] != hashes[1]["vector"]
    texts = place.store.rows("SELECT abstract FROM revisions WHERE arxiv_id = ? ORDER BY version", (paper.arxiv_id,))
    assert [kept["abstract"] for kept in texts] == [old, f"{old} Later we found no plateau."]
    matched = place.store.value(
        "SELECT r.version FROM candidates c JOIN matches m USING (match_id) JOIN revisions r USING (revision_id)"
        " WHERE c.candidate_id = ?",
        (row["id"],),
    )
    assert matched == 2
    assert place.review.waiting()[0]["id"] == row["id"]


def test_a_new_title_alone_reopens_too(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    run = place.night_after(paper.revised(place.tomorrow(), title=f"On {paper.title}"))
    assert (run["changed"], run["embedded"], run["matched"]) == (1, 1, 1)
    row = place.candidate(paper)
    assert row["status"] == "reopened"
    assert changes(row["difference"]["title"]) == [("added", "On")]
    assert changes(row["difference"]["abstract"]) == []


@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.MAYBE])
def test_what_was_not_accepted_is_matched_anew_but_not_reopened(place: Place, verdict: Verdict) -> None:
    paper = place.papers()[0]
    before = place.decide(paper, Decision(verdict))
    run = place.night_after(paper.revised(place.tomorrow(), abstract="Another text."))
    assert (run["changed"], run["embedded"], run["matched"]) == (1, 1, 1)
    row = place.candidate(paper)
    assert (row["status"], row["history"], row["difference"]) == (before["status"], before["history"], None)


def test_a_new_version_of_the_same_text_reopens_nothing_and_embeds_nothing(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    run = place.night_after(paper.revised(place.tomorrow()))
    assert (run["changed"], run["embedded"]) == (1, 0)
    row = place.candidate(paper)
    assert (row["status"], row["version"], row["difference"]) == ("accepted", 2, None)


def test_a_record_whose_datestamp_alone_moved_does_nothing(place: Place) -> None:
    paper = place.papers()[0]
    before, tables = place.decide(paper), ("decisions", "revisions", "vectors", "matches")
    counts = [place.count(table) for table in tables]
    run = place.night_after(paper.touched(place.server.today + timedelta(days=1)))
    assert run["received"] > 0
    assert (run["status"], run["changed"], run["withdrawn"], run["embedded"], run["matched"]) == ("quiet", 0, 0, 0, 0)
    assert place.candidate(paper) == before
    assert [place.count(table) for table in tables] == counts


def test_a_revision_that_arrives_twice_reopens_once(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    revised = paper.revised(place.tomorrow(), abstract="Another text.")
    place.night_after(revised)
    assert place.night_after()["changed"] == 0
    assert place.night_after(revised.touched(place.server.today + timedelta(days=1)))["changed"] == 0
    assert kinds(place.candidate(paper)) == ["accept", "reopen"]


def test_a_second_revision_is_compared_with_what_was_accepted(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    second = paper.revised(place.tomorrow(), abstract="Another text.")
    place.night_after(second)
    place.night_after(second.revised(place.tomorrow(), abstract=f"{paper.abstract} More."))
    row = place.candidate(paper)
    assert kinds(row) == ["accept", "reopen"]
    assert (row["difference"]["from_version"], row["difference"]["to_version"]) == (1, 3)
    assert changes(row["difference"]["abstract"]) == [("added", "More.")]


def test_an_acceptance_made_anew_survives_the_first_version_told_again(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    place.night_after(paper.revised(place.tomorrow(), abstract="Another text."))
    place.decide(paper, Decision(Verdict.ACCEPT, Stance.CONTRADICTS))
    assert place.night_after(paper.touched(place.server.today + timedelta(days=1)))["changed"] == 0
    row = place.candidate(paper)
    assert (row["status"], row["stance"], row["version"]) == ("accepted", "contradicts", 2)
    assert (row["abstract"], row["difference"]) == ("Another text.", None)
    assert kinds(row) == ["accept", "reopen", "accept"]


def test_one_night_tells_every_event_by_itself(place: Place) -> None:
    revised, withdrawn, touched, *others = place.papers()
    for paper in place.papers():
        place.decide(paper)
    at = place.tomorrow()
    run = place.night_after(
        revised.revised(at, abstract="Another text."), withdrawn.withdrawn(at), touched.touched(at.date())
    )
    assert (run["changed"], run["withdrawn"]) == (2, 1)
    assert place.candidate(revised)["status"] == place.candidate(withdrawn)["status"] == "reopened"
    assert {place.candidate(paper)["status"] for paper in (touched, *others)} == {"accepted"}


# Withdrawals


def by_comment(paper: MadePaper, at: datetime) -> MadePaper:
    return replace(paper.revised(at), comments="Withdrawn due to an error in Lemma 2")


def by_abstract(paper: MadePaper, at: datetime) -> MadePaper:
    notice = "This paper has been withdrawn by the authors."
    return paper.revised(at, abstract=f"{notice} {paper.abstract}")


def without_new_version(paper: MadePaper, at: datetime) -> MadePaper:
    return replace(paper, comments="retracted by the authors", modified=at)


@pytest.mark.parametrize("withdraw", [MadePaper.withdrawn, by_comment, by_abstract, without_new_version])
def test_a_withdrawal_reopens_at_once(place: Place, withdraw: Callable[[MadePaper, datetime], MadePaper]) -> None:
    paper, bystander = place.papers()[:2]
    place.decide(paper)
    place.decide(bystander)
    gone = withdraw(paper, place.tomorrow())
    run = place.night_after(gone)
    assert (run["status"], run["changed"], run["withdrawn"]) == ("complete", 1, 1)
    row = place.candidate(paper)
    assert (row["status"], row["withdrawn"], kinds(row)) == ("reopened", True, ["accept", "reopen"])
    assert row["history"][-1]["note"] == f"v{gone.newest.number} was withdrawn"
    assert row["difference"]["withdrawn"] is True
    same = gone.abstract == paper.abstract
    assert bool(changes(row["difference"]["abstract"])) is not same
    assert place.candidate(bystander)["status"] == "accepted"
    assert place.night_after()["withdrawn"] == 0
    assert kinds(place.candidate(paper)) == ["accept", "reopen"]


def test_a_withdrawal_is_known_by_the_source_type_alone(oai_place: Place) -> None:
    paper = oai_place.papers()[0]
    oai_place.decide(paper)
    run = oai_place.night_after(replace(paper.withdrawn(oai_place.tomorrow()), comments=None))
    assert (run["changed"], run["withdrawn"], run["embedded"]) == (1, 1, 0)
    row = oai_place.candidate(paper)
    assert (row["status"], row["withdrawn"], row["difference"]["withdrawn"]) == ("reopened", True, True)


def test_a_paper_that_was_withdrawn_is_not_queued_anew(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    matches = place.count("matches")
    place.night_after(by_abstract(paper, place.tomorrow()))
    assert place.count("matches") == matches


def test_a_withdrawal_taken_back_by_a_later_version_is_told(place: Place) -> None:
    paper = place.papers()[0]
    place.decide(paper)
    gone = paper.withdrawn(place.tomorrow())
    place.night_after(gone)
    versions = (*gone.versions, MadeVersion(3, place.tomorrow(), "D", 101))
    back = replace(gone, versions=versions, comments="9 pages", modified=place.tomorrow())
    run = place.night_after(back)
    assert (run["changed"], run["withdrawn"]) == (1, 0)
    row = place.candidate(paper)
    assert (row["status"], row["withdrawn"], row["version"]) == ("reopened", False, 3)
    assert (row["difference"]["withdrawn"], row["difference"]["to_version"]) == (False, 3)
    assert changes(row["difference"]["abstract"]) == []
    assert place.decide(paper)["status"] == "accepted"
    place.night_after(gone.touched(place.server.today + timedelta(days=1)))
    assert place.candidate(paper)["status"] == "accepted"  # v2 was told again
    place.night_after(back.withdrawn(place.tomorrow()))
    assert kinds(place.candidate(paper)) == ["accept", "reopen", "accept", "reopen"]


# What the command line says


def test_queue_show_prints_the_difference_readably(oai_place: Place, bmp: Bmp) -> None:
    place, (changed, gone) = oai_place, oai_place.papers()[:2]
    place.decide(changed)
    place.decide(gone)
    at = place.tomorrow()
    words = changed.abstract.split()
    place.night_after(changed.revised(at, abstract=" ".join(["Nobody", *words[1:]])), by_comment(gone, at))
    ids = [place.candidate(paper)["id"] for paper in (changed, gone)]
    call = ("--db", place.store.path, "queue", "show")
    shown = bmp(*call, ids[0]).out
    assert f"Abstract: [-{words[0]}-] {{+Nobody+}} {words[1]}" in shown
    assert "Re-opened: v2 changed the title or the abstract\nv1, which was accepted, and v2 differ." in shown
    assert "Title: " not in shown
    gone_said = bmp(*call, ids[1]).out
    assert "v2 is WITHDRAWN. Title and abstract are still those of v1, which was accepted." in gone_said
    assert "arXiv's comment: Withdrawn due to an error in Lemma 2" in gone_said
    told = bmp(*call, ids[0], "--json").json
    assert told["difference"] == place.candidate(changed)["difference"]
    assert told["difference"]["abstract"][:2] == [
        {"op": "removed", "text": words[0]},
        {"op": "added", "text": "Nobody"},
    ]
