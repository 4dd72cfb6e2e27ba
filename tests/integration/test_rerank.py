"""Learning beside the review: what waits is scored anew and re-ordered; what was matched and decided stays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from bmp import Bmp
from conftest import LOADED
from fakes import HashEmbedder

from crawler.control import Stop, no_progress
from crawler.embed import embed_missing
from crawler.learning import make_learner
from crawler.match import match_missing
from crawler.ranking.ranker import Claim, Decided, Ranker
from crawler.ranking.recalibration import FEWEST_DECISIONS, Recalibration
from crawler.rerank import QueueRanker, is_outdated, score_backlog
from curation.review import Decision, Review
from db.candidates import list_candidates
from db.decisions import list_verdicts, reopen_accepted
from db.matches import find_newest_ranking, list_backlog
from db.papers import save_papers
from db.records import Aspect, Paper, Phenomenon, Stance, Verdict
from db.runs import find_run, start_run
from db.standing import Standing, save_standing
from db.store import Row, Store, open_store
from db.upkeep import save_phenomena

NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
GROKKING = Phenomenon("W2.2", Aspect.WHAT, "g", "Grokking", "Networks generalise long after they memorise.")
RIVERS = Phenomenon("W9.9", Aspect.WHAT, "g", "Rivers", "Rivers meander.", ("river",))
LIKED = "grokking comes with a slingshot of the optimizer in a circuit"
DISLIKED = "grokking is a word that a novel on martian poetry made known"


def make_paper(number: int) -> Paper:
    """Make a paper on one of three subjects: two that say the claim's word, and one that does not."""
    text = (LIKED, DISLIKED, "rivers and their deltas")[number % 3]
    day = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
    abstract = f"We tell that {text}, in {number + 100} cases, with more."
    return Paper(f"2611.{number:05d}", 1, f"Of {text}", abstract, ("Ada",), ("cs.LG",), day, day, day.date())


def make_revision(arxiv_id: str, title: str, abstract: str) -> Paper:
    """Make the second revision of one of the papers."""
    paper = next(one for one in PAPERS if one.arxiv_id == arxiv_id)
    return replace(paper, version=2, title=title, abstract=abstract, updated_at=NOW, datestamp=date(2026, 11, 24))


def match(
    store: Store, papers: list[Paper], *, threshold: float = 0.0, now: str = "x", **more: float
) -> tuple[int, int]:
    """Store papers and match them; return the run and what is left for want of budget."""
    with store.transaction():
        save_phenomena(store, [GROKKING, RIVERS], LOADED)
        run_id = start_run(
            store, kind="backfill", source="snapshot", categories=[], started_at="x", program_version="0"
        )
        save_papers(store, papers, run_id=run_id, now="x")
    embedder = HashEmbedder()
    embed_missing(store, embedder, run_id=run_id, stop=Stop(), progress=no_progress)
    left = match_missing(
        store,
        embedder,
        run_id=run_id,
        threshold=threshold,
        now=now,
        stop=Stop(),
        progress=no_progress,
        **more,  # type: ignore[arg-type]  # what match_missing takes
    )
    return run_id, left


def waiting(store: Store, code: str = "W2.2") -> list[Row]:
    return list_candidates(store, today=date(2026, 11, 24), phenomenon=code)


def review_of(store: Store) -> Review:
    return Review(store, reviewer="ada", clock=lambda: NOW)


def make_ranker(store: Store) -> QueueRanker:
    ranker = QueueRanker.make(store)
    assert ranker is not None
    return ranker


def decide(store: Store, count: int) -> None:
    """Accept what is liked and reject what is not, so many of each."""
    review, rows = review_of(store), waiting(store)
    for row in [row for row in rows if LIKED in row["title"]][:count]:
        review.decide(row["id"], Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    for row in [row for row in rows if DISLIKED in row["title"]][:count]:
        review.decide(row["id"], Decision(Verdict.REJECT))


def gap(rows: list[Row]) -> float:
    """Return how much higher, on average, what is liked scores than what is not."""
    liked, disliked = ([row["score"] for row in rows if words in row["title"]] for words in (LIKED, DISLIKED))
    return sum(liked) / len(liked) - sum(disliked) / len(disliked)


PAPERS = [make_paper(number) for number in range(1, 91)]


def test_a_decision_re_orders_what_waits_and_leaves_the_matches(store: Store) -> None:
    match(store, PAPERS)
    before, matches = waiting(store), store.rows("SELECT * FROM matches ORDER BY match_id")
    ranker = make_ranker(store)
    decide(store, 8)
    scores = ranker.rerank("W2.2")
    after = waiting(store)
    assert gap(after) > gap(before) + 0.1
    old = {row["id"]: row["score"] for row in before}
    assert scores == {row["id"]: row["score"] for row in after if row["score"] != old[row["id"]]}
    assert [row["score"] for row in after] == sorted((row["score"] for row in after), reverse=True)
    assert store.rows("SELECT * FROM matches ORDER BY match_id") == matches
    assert make_ranker(store).rerank("W2.2") == {}  # same data, same scores
    assert waiting(store) == after


def test_other_phenomena_are_left_alone_and_an_undo_takes_all_back(store: Store) -> None:
    match(store, PAPERS)
    ranker = make_ranker(store)
    ranker.rerank("W2.2")
    before, others = waiting(store), waiting(store, "W9.9")
    decide(store, 1)
    ranker.rerank("W2.2")
    assert waiting(store, "W9.9") == others
    review_of(store).undo()
    review_of(store).undo()
    ranker.rerank("W2.2")
    assert waiting(store) == before


def test_a_decision_carries_the_score_it_was_made_on(store: Store) -> None:
    match(store, PAPERS)
    ranker = make_ranker(store)
    decide(store, 4)
    ranker.rerank("W2.2")
    best = waiting(store)[0]
    shown = review_of(store).show(best["id"])
    assert shown["score"] != shown["matched_score"]
    assert any("by what was decided since" in reason for reason in shown["reasons"])
    review_of(store).decide(best["id"], Decision(Verdict.MAYBE))
    (made,) = review_of(store).show(best["id"])["history"]
    assert made["score"] == best["score"]
    assert made["ranker_version"].startswith("learned-") and "+" in made["ranker_version"]


def test_a_new_revision_forgets_the_standing_score(store: Store) -> None:
    match(store, PAPERS)
    ranker = make_ranker(store)
    decide(store, 4)
    ranker.rerank("W2.2")
    row = waiting(store)[0]
    match(store, [make_revision(row["arxiv_id"], "Of poems", "We tell of martian poems only, in verse.")])
    shown = review_of(store).show(row["id"])
    assert shown["version"] == 2 and shown["score"] < row["score"]


def test_an_open_review_learns_of_a_new_revision_before_it_scores(store: Store) -> None:
    """What a ranker made before the night knows of a paper is not filed under the match of the paper's new text."""
    match(store, PAPERS)
    ranker = make_ranker(store)
    decide(store, 4)
    row = next(row for row in waiting(store) if LIKED in row["title"])
    match(store, [make_revision(row["arxiv_id"], "Of poems", "We tell of martian poems only, in verse.")])
    ranker.rerank("W2.2")
    assert review_of(store).show(row["id"])["score"] < 0.5 < row["score"]
    assert make_ranker(store).rerank("W2.2") == {}


def test_a_score_of_a_match_that_was_replaced_is_not_kept(store: Store) -> None:
    match(store, PAPERS)
    row = waiting(store)[0]
    with store.transaction():
        save_standing(store, [Standing(row["id"], 10**6, 0.123, "learned-0")])
    assert waiting(store)[0] == row


def test_an_open_review_learns_of_a_changed_catalogue(store: Store) -> None:
    """A claim that no night has embedded yet cannot be ranked for; nothing is scored by its old words."""
    match(store, PAPERS)
    ranker = make_ranker(store)
    decide(store, 4)
    with store.transaction():
        save_phenomena(store, [replace(GROKKING, statement="Verse is read aloud.")], LOADED)
    assert ranker.rerank("W2.2") == {}


def test_a_reopened_acceptance_is_learned_from_until_it_is_decided_anew(store: Store) -> None:
    match(store, PAPERS)
    decide(store, 4)
    accepted = [row["arxiv_id"] for row in list_verdicts(store, ["W2.2"]) if row["kind"] == "accept"]
    with store.transaction():
        assert reopen_accepted(store, accepted[0], "v2 changed the title or the abstract", now="x") == 1
    assert [row["arxiv_id"] for row in list_verdicts(store, ["W2.2"]) if row["kind"] == "accept"] == accepted


def test_a_night_without_papers_scores_anew_what_was_decided_on_since(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    match(store, PAPERS)
    before = waiting(store)
    decide(store, 8)
    match(store, [])
    assert gap(waiting(store)) > gap(before) + 0.1

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the next quiet night makes no ranker")

    monkeypatch.setattr("crawler.match.make_learner", refuse)
    match(store, [])


def test_each_night_scores_what_waits_anew(store: Store) -> None:
    match(store, PAPERS)
    before = waiting(store)
    decide(store, 8)
    match(store, [make_paper(91)])
    assert gap(waiting(store)) > gap(before) + 0.1


def test_a_night_keeps_why_each_match_was_made(store: Store) -> None:
    match(store, PAPERS, threshold=0.001)
    kept = store.rows(
        "SELECT w.terms, w.text_hash, r.text_hash AS of_revision, r.title FROM matches m JOIN revisions r"
        " USING (revision_id) LEFT JOIN match_reasons w USING (match_id) WHERE m.phenomenon_code = 'W2.2'"
    )
    assert kept and all(row["text_hash"] == row["of_revision"] for row in kept)
    words = [json.loads(row["terms"])[0]["term"] for row in kept if "rokking" in row["title"]]
    assert words and all("grokking" in word.lower() for word in words)


def test_an_audit_keeps_the_score_of_its_draw(store: Store) -> None:
    match(store, PAPERS)
    row = waiting(store)[-1]
    with store.transaction():
        store.insert(
            "audits",
            {"candidate_id": row["id"], "run_id": 1, "draw": 1, "stratum": "near", "probability": 0.5, "place": 0.9}
            | {"match_id": store.value("SELECT match_id FROM candidates WHERE candidate_id = ?", (row["id"],))},
        )
    ranker = make_ranker(store)
    assert row["id"] not in ranker.rerank("W2.2")


def test_what_was_decided_is_scored_by_what_did_not_learn_from_it(store: Store) -> None:
    """A decision that contradicts all others of its kind must not raise its own held-out score."""
    match(store, PAPERS)
    decide(store, 10)
    odd = next(row for row in waiting(store) if DISLIKED in row["title"])
    review_of(store).decide(odd["id"], Decision(Verdict.ACCEPT, Stance.MENTIONS))
    ranker = make_ranker(store)
    held_out = ranker.score_held_out("W2.2")
    assert len(held_out) == 21
    liked = [held_out[paper.arxiv_id] for paper in PAPERS if LIKED in paper.title and paper.arxiv_id in held_out]
    assert held_out[odd["arxiv_id"]] < min(liked)


def test_a_budget_queues_the_best_and_loses_none(store: Store) -> None:
    run_id, left = match(store, PAPERS, threshold=0.001, budget=5)
    first = store.rows("SELECT m.score FROM candidates JOIN matches m USING (match_id)")
    passed = store.value("SELECT count(*) FROM matches")
    assert (len(first), left) == (5, passed - 5) and find_run(store, run_id)["queued"] == 5
    best = store.rows("SELECT score FROM matches ORDER BY score DESC LIMIT 5")
    assert sorted(row["score"] for row in first) == sorted(row["score"] for row in best)
    assert match(store, [], threshold=0.001, budget=5)[1] == left  # the day's budget is spent
    assert store.value("SELECT count(*) FROM candidates") == 5
    for day in range(passed):
        if not match(store, [], threshold=0.001, budget=5, now=f"day {day:06}")[1]:
            break
    assert store.value("SELECT count(*) FROM candidates") == passed


def test_what_waits_for_a_budget_is_queued_by_what_was_decided_since(store: Store) -> None:
    match(store, PAPERS, threshold=0.001, budget=30)
    decide(store, 10)
    ranking_id = store.value("SELECT max(ranking_id) FROM rankings")
    learner = make_learner(store, HashEmbedder(), [Claim.of(GROKKING), Claim.of(RIVERS)])
    fresh = score_backlog(store, learner, ranking_id, 5)
    old = {row["match_id"]: row["score"] for row in list_backlog(store, ranking_id, limit=10_000)}
    assert fresh.keys() == old.keys()
    best, best_before = (sorted(scores, key=lambda one: (-scores[one], one))[:5] for scores in (fresh, old))
    assert best != best_before
    match(store, [], threshold=0.001, budget=5, now="next day")
    assert old.keys() - {row["match_id"] for row in list_backlog(store, ranking_id, limit=10_000)} == set(best)


def test_a_cut_on_few_papers_is_not_kept_and_does_not_move(store: Store) -> None:
    match(store, PAPERS, precision=0.5)
    for row in store.rows("SELECT candidate_id FROM candidates ORDER BY candidate_id LIMIT 30"):
        review_of(store).decide(row["candidate_id"], Decision(Verdict.REJECT))
    match(store, [make_paper(91)], precision=0.5)
    (way,) = store.rows("SELECT threshold, precision FROM rankings")
    assert way == {"threshold": round(Recalibration().score_for(0.5), 6), "precision": None}


def test_a_way_of_ranking_that_is_come_back_to_has_scores_of_now(store: Store) -> None:
    match(store, PAPERS, threshold=0.3)
    decide(store, 10)
    match(store, [], threshold=0.2)
    run_id, _ = match(store, [], threshold=0.3)
    rankings = store.rows("SELECT ranker_version, threshold FROM rankings ORDER BY ranking_id")
    assert [row["threshold"] for row in rankings] == [0.3, 0.2, 0.3]
    assert rankings[2]["ranker_version"] == find_run(store, run_id)["ranker_version"]
    made = store.rows("SELECT ranking_id, score, revision_id FROM matches WHERE phenomenon_code = 'W2.2'")
    first, last = ({row["revision_id"]: row["score"] for row in made if row["ranking_id"] == one} for one in (1, 3))
    assert first and last and first != last
    match(store, [make_paper(91)], threshold=0.3)
    assert store.value("SELECT count(*) FROM rankings") == 3  # the next night goes on in it


def test_a_text_that_does_not_pass_any_more_leaves_its_candidates_score_as_it_was(store: Store) -> None:
    """The new text was not queued; the candidate still stands for the old one, and is scored by neither."""
    match(store, PAPERS, threshold=0.5)
    row = waiting(store)[0]
    match(
        store, [make_revision(row["arxiv_id"], "Of poems", "We tell of martian poems only, in verse.")], threshold=0.5
    )
    decide(store, 3)
    assert make_ranker(store).rerank("W2.2")
    assert review_of(store).show(row["id"])["score"] == row["score"]


def test_a_withdrawn_paper_is_not_scored_anew_and_asks_for_no_ranker(store: Store) -> None:
    match(store, PAPERS)
    row = waiting(store)[0]
    decide(store, 3)
    paper = next(one for one in PAPERS if one.arxiv_id == row["arxiv_id"])
    match(store, [replace(paper, version=2, withdrawn=True, updated_at=NOW, datestamp=date(2026, 11, 24))])
    before = review_of(store).show(row["id"])["score"]
    make_ranker(store).rerank("W2.2")
    assert review_of(store).show(row["id"])["score"] == before
    assert not is_outdated(store, HashEmbedder().identity, [Claim.of(GROKKING), Claim.of(RIVERS)])


def test_what_is_held_out_is_no_negative(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    match(store, PAPERS)
    decide(store, 10)
    ranker, learned = make_ranker(store), list[Decided]()
    learn = Ranker.learn

    def spy(self: Ranker, place: int, decided: Decided) -> None:
        learned.append(decided)
        learn(self, place, decided)

    monkeypatch.setattr(Ranker, "learn", spy)
    ranker.score_held_out("W2.2")
    everything = learned[-1]
    for fold in learned[:-1]:
        assert {*fold.accepted, *fold.rejected, *fold.aside} >= {*everything.accepted, *everything.rejected}


def test_a_cut_is_worked_out_anew_when_enough_was_decided(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What scored high was rejected throughout: the same precision needs a higher score from then on."""
    monkeypatch.setattr("crawler.cutting.FEWEST_PAPERS", 50)
    match(store, PAPERS, precision=0.5)
    (first,) = store.rows("SELECT threshold, decided FROM rankings")
    assert first["decided"] == 0
    match(store, [], precision=0.5)
    assert store.value("SELECT count(*) FROM rankings") == 1
    rows = store.rows("SELECT candidate_id FROM candidates ORDER BY candidate_id LIMIT 30")
    assert len(rows) >= FEWEST_DECISIONS
    for row in rows:
        review_of(store).decide(row["candidate_id"], Decision(Verdict.REJECT))
    match(store, [], precision=0.5)
    ranking = find_newest_ranking(store)
    assert ranking and ranking.cut.decided == len(rows) and ranking.cut.threshold > first["threshold"]


def test_a_wanted_precision_becomes_a_threshold_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.cutting.FEWEST_PAPERS", 50)
    match(store, PAPERS, precision=0.5)
    match(store, [make_paper(number) for number in range(91, 121)], precision=0.5)
    (way,) = store.rows("SELECT threshold, precision FROM rankings")
    assert way["precision"] == 0.5 and way["threshold"] <= Recalibration().score_for(0.5)
    assert store.value("SELECT min(score) FROM matches") >= way["threshold"]
    match(store, [], precision=0.9)
    assert store.value("SELECT count(*) FROM rankings") == 2


def test_the_command_scores_anew(bmp: Bmp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMP_DB", str(tmp_path / "bmp.db"))
    assert bmp("init").code == 0
    nothing = bmp("queue", "rerank")
    assert nothing.code == 2 and "nothing has been matched yet" in nothing.err
    with open_store(tmp_path / "bmp.db") as store:
        match(store, PAPERS)
        decide(store, 6)
        before = waiting(store)
    told = bmp("queue", "rerank", "--phenomenon", "W2.2", "--json").json
    with open_store(tmp_path / "bmp.db") as store:
        old, after = {row["id"]: row["score"] for row in before}, waiting(store)
    changed = sum(row["score"] != old[row["id"]] for row in after)
    assert changed and told == {"scored": changed, "phenomena": {"W2.2": changed}}
    assert gap(after) > gap(before) + 0.1
    assert bmp("queue", "rerank", "--phenomenon", "W2.2", "--json").json["scored"] == 0  # nothing was decided since
    assert bmp("queue", "rerank", "--phenomenon", "X9").code == 2
