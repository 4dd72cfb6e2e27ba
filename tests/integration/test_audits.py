"""The audit in whole nights: what is drawn, that nothing tells it, and what `bmp queue stats` makes of it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from bmp import Bmp
from conftest import LOADED, NOW
from fakes import oai_source, run_night
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer

from crawler.audit import PAPERS_PER_AUDIT
from crawler.control import Stop
from crawler.match import CHUNK
from curation.digest.facts import gather_digest
from curation.export.knowledge import load_knowledge
from curation.review import Decision, Review
from db.candidates import list_candidates
from db.records import Aspect, Phenomenon, Stance, Verdict
from db.store import Row, Store, open_store
from db.upkeep import save_phenomena

TODAY = date(2026, 11, 24)
CLAIMS = [
    Phenomenon("H1.1", Aspect.HOW, "Made", "Loss is a power law of compute", "Loss falls as a power law in compute."),
    Phenomenon("H1.2", Aspect.HOW, "Made", "Sparse attention", "Sparse attention needs less memory."),
    Phenomenon("W1.1", Aspect.WHAT, "Made", "Grokking", "Weight decay speeds grokking up.", ("weight decay",)),
]
THRESHOLD = 0.8  # so that the fake model queues some of a night and leaves some
DRAWN = (
    "SELECT c.candidate_id, c.arxiv_id, c.phenomenon_code, a.draw, a.stratum, a.probability, a.place, m.score,"
    " m.sentence_start, r.abstract FROM audits a JOIN candidates c USING (candidate_id)"
    " JOIN matches m ON m.match_id = c.match_id JOIN revisions r USING (revision_id) ORDER BY c.candidate_id"
)


def made(n: int, start: int = 1) -> list[MadePaper]:
    """Return papers of one day."""
    return make_papers(n, day=TODAY, categories=["cs.LG"], start=start)


def night(store: Store, papers: list[MadePaper], *, size: int = 4, stop: Stop | None = None, **more: object) -> Row:
    """Run a night on these papers and return its row."""
    if not store.value("SELECT count(*) FROM phenomena"):
        with store.transaction():
            save_phenomena(store, CLAIMS, LOADED)
    with ArxivServer(papers, today=TODAY) as server:
        source = oai_source(server.oai_url)
        return run_night(store, source, threshold=THRESHOLD, audit_size=size, stop=stop, **more).run  # type: ignore[arg-type]  # what run_night takes


def test_a_night_draws_half_of_its_audits_from_each_stratum_and_keeps_their_probabilities(store: Store) -> None:
    run = night(store, made(250))
    drawn = store.rows(DRAWN)
    assert [row["stratum"] for row in drawn] == ["near"] * 2 + ["rest"] * 2
    assert all(row["score"] < THRESHOLD and row["sentence_start"] is not None for row in drawn)
    queued = store.value("SELECT count(*) FROM candidates")
    ordinary = queued - 4
    assert run["queued"] == queued > 4
    left = 3 * 250 - ordinary  # pairs of a paper and a phenomenon
    all_queued = (
        "SELECT 1 FROM candidates WHERE candidate_id NOT IN (SELECT candidate_id FROM audits)"
        " GROUP BY arxiv_id HAVING count(*) = 3"
    )
    near = 250 - store.value(f"SELECT count(*) FROM ({all_queued})")
    assert {row["probability"] for row in drawn} == {2 / near, 2 / (left - near)}
    sizes = {
        row["stratum"]: row["size"]
        for row in store.rows("SELECT stratum, sum(drawn_from) AS size FROM audit_frames GROUP BY 1")
    }
    assert sizes == {"near": near, "rest": left - near}
    assert store.value("SELECT count(*) FROM audit_pool") == 0


def test_an_audit_stands_among_the_others_of_its_night_with_its_own_score(store: Store) -> None:
    night(store, made(250))
    rows = list_candidates(store, today=TODAY, mixed=True)
    assert rows == list_candidates(store, today=TODAY, mixed=True)
    scores = [row["score"] for row in list_candidates(store, today=TODAY)]
    assert scores == sorted(scores, reverse=True)
    drawn = {row["candidate_id"]: row for row in store.rows(DRAWN)}
    ordinary = [row["score"] for row in rows if row["id"] not in drawn]
    assert ordinary == sorted(ordinary, reverse=True)
    for row, after in itertools.pairwise(rows):
        if row["id"] in drawn and after["id"] not in drawn:
            assert drawn[row["id"]]["place"] >= after["score"] > row["score"] == drawn[row["id"]]["score"]
    places = [index for index, row in enumerate(rows) if row["id"] in drawn]
    assert min(places) < len(rows) // 2  # for this night's hashes


def test_nothing_that_is_shown_tells_an_audit_from_the_others(
    bmp: Bmp, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    night(store, made(250))
    monkeypatch.setenv("BMP_DB", str(store.path))
    audit = store.rows(DRAWN)[0]["candidate_id"]
    other = next(row["id"] for row in list_candidates(store, today=TODAY) if row["id"] < audit)
    rows = bmp("queue", "list", "--json").json
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    shown, beside = (bmp("queue", "show", key, "--json").json for key in (audit, other))
    assert shown.keys() == beside.keys()
    assert shown["sentence"] and shown["sentence"] in shown["abstract"]
    for text in (
        bmp("queue", "list").out,
        bmp("queue", "show", audit).out,
        str(shown),
        bmp("queue", "export", "-").out,
    ):
        assert "audit" not in text.lower() and "stratum" not in text.lower()
    assert "place" not in shown


def test_the_digest_and_the_exports_take_it_like_any_other(store: Store) -> None:
    night(store, made(250))
    digest = gather_digest(store, since=NOW.replace(day=20), now=NOW)
    told = {candidate.id for news in digest.new for candidate in news.candidates}
    drawn = [row["candidate_id"] for row in store.rows(DRAWN)]
    assert told == {row["id"] for row in list_candidates(store, today=TODAY)} >= set(drawn)
    Review(store, reviewer="ada", clock=lambda: NOW).decide(drawn[0], Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    evidence = [piece for entry in load_knowledge(store).entries for piece in entry.evidence]
    assert [piece.arxiv_id for piece in evidence] == [store.rows(DRAWN)[0]["arxiv_id"]]


def test_the_same_night_draws_the_same(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with open_store(tmp_path / name, create=True, clock=lambda: NOW) as store:
            night(store, made(250))
            found.append(store.rows(DRAWN))
    assert found[0] == found[1]


def test_a_night_that_was_stopped_and_its_successor_draw_what_one_night_would_have_drawn(tmp_path: Path) -> None:
    papers = made(2 * CHUNK + 30)
    with open_store(tmp_path / "whole", create=True, clock=lambda: NOW) as store:
        night(store, papers)
        whole = store.rows(DRAWN)
    with open_store(tmp_path / "stopped", create=True, clock=lambda: NOW) as store:
        stop = Stop()

        def look(stage: str, done: int, total: int | None) -> None:
            if stage == "match":
                stop.request()

        assert night(store, papers, stop=stop, progress=look)["matched"] == CHUNK
        assert store.value("SELECT count(*) FROM candidates") == 0
        assert store.value("SELECT count(*) FROM audit_pool") == 8
        night(store, papers, size=0, kind="fetch")  # a run without audits leaves alone what waits
        assert store.rows(DRAWN) == []
    with open_store(tmp_path / "resumed", create=True, clock=lambda: NOW) as store:
        stop = Stop()
        night(store, papers, stop=stop, progress=look)
        run = night(store, papers)
        assert run["matched"] == CHUNK + 30
        assert store.rows(DRAWN) == whole
        assert len(whole) == 4


def test_a_size_of_nothing_draws_nothing(store: Store) -> None:
    night(store, made(250), size=0)
    assert store.value("SELECT count(*) FROM audit_frames") == 0
    assert store.rows(DRAWN) == []


def test_small_nights_wait_for_one_another(store: Store) -> None:
    papers = made(3 * PAPERS_PER_AUDIT // 2)
    half = PAPERS_PER_AUDIT // 2
    night(store, papers[:half])
    assert store.rows(DRAWN) == []
    night(store, papers[: 2 * half + 1])
    (drawn,) = store.rows(DRAWN)
    size = store.value("SELECT sum(drawn_from) FROM audit_frames WHERE stratum = 'near'")
    assert 2 * half <= size <= 2 * half + 1  # a paper may have passed for every claim
    assert (drawn["draw"], drawn["stratum"], drawn["probability"]) == (1, "near", 1 / size)


def test_papers_that_are_scored_again_are_not_drawn_from_again(store: Store) -> None:
    night(store, made(250))
    with store.transaction():
        save_phenomena(
            store, [*CLAIMS, Phenomenon("W1.2", Aspect.WHAT, "Made", "Another", "Another one holds.")], LOADED
        )
    run = night(store, made(250))
    assert run["matched"] == 250
    assert len(store.rows(DRAWN)) == 4


def test_a_new_revision_that_scores_well_takes_its_own_place(store: Store) -> None:
    """What was an audit is then a candidate by its score, and its place follows."""
    night(store, made(250))
    row = store.rows(DRAWN)[0]
    store.connection.execute(
        "UPDATE candidates SET match_id = (SELECT match_id FROM matches m JOIN rankings USING (ranking_id)"
        " WHERE m.score >= threshold ORDER BY score DESC LIMIT 1) WHERE candidate_id = ?",
        (row["candidate_id"],),
    )
    first = list_candidates(store, today=TODAY)[:2]
    assert row["candidate_id"] in [one["id"] for one in first]


# The command line


@pytest.fixture
def reviewed(store: Store, bmp: Bmp, monkeypatch: pytest.MonkeyPatch) -> Bmp:
    """Give the command line on a night's database, its audits decided (the first accepted), twelve others too."""
    night(store, made(480), size=8)
    monkeypatch.setenv("BMP_DB", str(store.path))
    review = Review(store, reviewer="ada", clock=lambda: NOW)
    accept, reject = Decision(Verdict.ACCEPT, Stance.SUPPORTS), Decision(Verdict.REJECT)
    drawn = [row["candidate_id"] for row in store.rows(DRAWN)]
    for number, key in enumerate(drawn):
        review.decide(key, reject if number else accept)
    others = [row["id"] for row in list_candidates(store, today=TODAY) if row["id"] not in drawn]
    for number, key in enumerate(others[:12]):
        review.decide(key, accept if number < 6 else reject)
    return bmp


def test_the_stats_tell_what_is_missed_and_at_most(reviewed: Bmp, store: Store) -> None:
    audits = reviewed("queue", "stats", "--json").json["audits"]
    total = audits["total"]
    assert (total["drawn"], total["decided"], total["relevant"], total["enough"]) == (8, 8, 1, False)
    near, rest = total["strata"]["near"], total["strata"]["rest"]
    assert (near["drawn"], near["relevant"], near["miss_rate"]) == (4, 1, 0.25)
    assert (rest["drawn"], rest["relevant"], rest["miss_rate"]) == (4, 0, 0.0)
    assert rest["at_most"] == pytest.approx(1 - 0.05**0.25, abs=1e-6)
    assert total["pairs"] == near["pairs"] + rest["pairs"]
    assert total["miss_rate"] == pytest.approx(0.25 * near["pairs"] / total["pairs"], abs=1e-6)
    assert sum(row["drawn"] for row in audits["phenomena"].values()) == 8
    text = reviewed("queue", "stats").out
    assert f"{total['miss_rate']:.2%}" in text and f"{total['at_most']:.2%}" in text
    assert "Only 8 of them are decided, too few to say anything yet" in text


def test_the_stats_tell_the_effort_where_enough_is_decided(reviewed: Bmp, store: Store) -> None:
    effort = reviewed("queue", "stats", "--json").json["effort"]
    total = effort["total"]
    assert (total["accepted"], total["rejected"]) == (7, 13)
    assert [one["recall"] for one in total["recalls"]] == [0.9, 0.95, 0.99]
    # The audit that was accepted stands for a quarter of all papers: to find it, all that scores as high is read.
    accepted = store.rows(DRAWN)[0]
    scored = store.rows(
        "SELECT m.score, a.probability, d.kind FROM candidates c JOIN matches m USING (match_id)"
        " LEFT JOIN audits a USING (candidate_id) LEFT JOIN decisions d USING (candidate_id)"
    )
    above = [row for row in scored if row["score"] >= accepted["score"]]
    more = sum(1 / (row["probability"] or 1) for row in above) - sum(row["kind"] is not None for row in above)
    assert total["recalls"][-1]["score"] == accepted["score"]
    assert total["recalls"][-1]["more"] == round(more)
    assert "for any phenomenon" in reviewed("queue", "stats").out  # none has enough for itself


def test_the_effort_of_a_phenomenon_that_has_enough_is_told(
    bmp: Bmp, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "THRESHOLD", 0.05)
    monkeypatch.setenv("BMP_DB", str(store.path))
    night(store, made(120))
    review = Review(store, reviewer="ada", clock=lambda: NOW)
    rows = list_candidates(store, today=TODAY)
    code = Counter(row["phenomenon"] for row in rows).most_common(1)[0][0]
    accept, reject = Decision(Verdict.ACCEPT, Stance.SUPPORTS), Decision(Verdict.REJECT)
    for number, row in enumerate([row for row in rows if row["phenomenon"] == code]):
        review.decide(row["id"], accept if number % 2 else reject)
    text = bmp("queue", "stats").out
    assert "more to screen" in text and f"\n{code}          90%" in text and "\nall           90%" not in text


def test_the_stats_tell_how_often_a_score_was_right(reviewed: Bmp, store: Store) -> None:
    told = reviewed("queue", "stats", "--json").json["scores"]
    made = store.rows("SELECT kind, score FROM decisions")
    assert sum(one["decided"] for one in told) == len(made)
    assert sum(one["accepted"] for one in told) == sum(row["kind"] == "accept" for row in made)
    for one in told:
        assert one["from"] <= one["expected"] <= one["to"]
    assert reviewed("queue", "stats", "--json").json["cut"] == {"threshold": 0.8, "precision": None, "decided": 0}
    text = reviewed("queue", "stats").out
    assert "mean score" in text and "Queued is what scores 0.8 or more." in text


def test_the_stats_say_that_more_must_be_decided(bmp: Bmp, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    night(store, made(30))
    monkeypatch.setenv("BMP_DB", str(store.path))
    told = bmp("queue", "stats", "--json").json
    assert told["audits"]["total"]["miss_rate"] is told["audits"]["total"]["at_most"] is None
    assert told["effort"]["total"]["recalls"] == []
    text = bmp("queue", "stats").out
    assert "it takes 5 accepted and 5 rejected" in text
    assert "drawn for an audit" in text


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    today = datetime.now(UTC).date()  # the command line goes by the system's clock
    papers = make_papers(2 * PAPERS_PER_AUDIT, day=today, categories=["cs.LG"])
    with ArxivServer(papers, today=today) as running:
        yield running


@pytest.mark.parametrize(("setting", "drawn"), [(None, 2), ("0", 0), ("1", 1)])
def test_the_nights_of_the_command_line_draw_as_the_setting_says(
    bmp: Bmp, server: ArxivServer, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None, drawn: int
) -> None:
    environment = {
        "BMP_MODEL": str(tiny_model),
        "BMP_QUEUE_THRESHOLD": "1",
        "BMP_ARXIV_OAI_URL": server.oai_url,
        "BMP_ARXIV_API_URL": server.api_url,
        "BMP_ARXIV_RSS_URL": server.rss_url,
        "BMP_ARXIV_DELAY_SECONDS": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if setting is not None:
        monkeypatch.setenv("BMP_AUDIT_PER_NIGHT", setting)
    bmp("init")
    run = bmp("nightly", "--json")
    assert (run.code, run.json["status"], run.json["queued"]) == (0, "complete", drawn), run.err
    assert len(bmp("queue", "list", "--json").json) == drawn
    assert bmp("queue", "stats", "--json").json["audits"]["total"]["drawn"] == drawn
