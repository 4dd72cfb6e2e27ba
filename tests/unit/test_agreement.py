"""How far reviewers agree: published examples, what is undefined, and whose verdict counts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from bmp import Bmp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from tui.sample_queue import fill_with_sample, review_of

from curation.agreement import Agreement, cohen_kappa, compare, krippendorff_alpha, measure_agreement
from curation.review import Decision
from db.decisions import append_verdict, list_reviewer_verdicts, reopen_accepted
from db.records import Stance, Verdict
from db.store import Store, open_store

ACCEPT = Decision(Verdict.ACCEPT, Stance.SUPPORTS)
AGAINST = Decision(Verdict.ACCEPT, Stance.CONTRADICTS)
REJECT = Decision(Verdict.REJECT)
MAYBE = Decision(Verdict.MAYBE)


def _pairs(*counts: tuple[str, str, int]) -> list[tuple[str, str]]:
    return [(one, other) for one, other, times in counts for _ in range(times)]


def test_kappa_of_the_textbooks_fifty_proposals() -> None:
    """Both yes 20, both no 15, 5 and 10 apart: 0.7 observed, 0.5 by chance (Fleiss, Statistical Methods, ch. 18)."""
    fifty = _pairs(("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15))
    assert cohen_kappa(fifty) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)],
)
def test_kappa_tells_apart_what_observed_agreement_does_not(counts: Sequence[int], kappa: float) -> None:
    cells = zip(("yes", "yes", "no", "no"), ("yes", "no", "yes", "no"), counts, strict=True)
    pairs = _pairs(*cells)
    assert sum(one == other for one, other in pairs) == 60
    assert cohen_kappa(pairs) == pytest.approx(kappa, abs=5e-5)


@given(st.lists(st.tuples(*[st.sampled_from(["accept", "reject", "maybe"])] * 2), min_size=1))
def test_kappa_is_what_scikit_learn_says(pairs: list[tuple[str, str]]) -> None:
    kappa = cohen_kappa(pairs)
    if kappa is None:
        assert len({label for pair in pairs for label in pair}) == 1
    else:
        assert kappa == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_alpha_of_krippendorffs_own_example() -> None:
    """Four observers, twelve units, values missing (Computing Krippendorff's Alpha-Reliability, 2011, C): 0.743."""
    observers = ("1233214 12...", "123322412 5.3", ".33323422 51.", "123324412 51.")
    told = [observer.replace(" ", "") for observer in observers]
    labels = {
        unit: {f"observer {who}": values[unit] for who, values in enumerate(told) if values[unit] != "."}
        for unit in range(12)
    }
    assert krippendorff_alpha(labels) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha({unit: said for unit, said in labels.items() if len(said) > 1}) == pytest.approx(
        0.743, abs=5e-4
    )


def test_what_cannot_be_told_is_undefined() -> None:
    same = {unit: {"ada": "accept", "bo": "accept"} for unit in range(3)}
    told = compare(same)
    assert (told.candidates, told.observed, told.alpha) == (3, 1.0, None)
    assert [pair.kappa for pair in told.pairs] == [None]
    assert compare({}) == Agreement(0, None, None, ())


def test_full_agreement_on_different_labels_is_one_and_full_disagreement_is_below_chance() -> None:
    agreed = compare({1: {"ada": "accept", "bo": "accept"}, 2: {"ada": "reject", "bo": "reject"}})
    assert agreed.alpha == agreed.pairs[0].kappa == 1.0
    apart = compare({1: {"ada": "accept", "bo": "reject"}, 2: {"ada": "reject", "bo": "accept"}})
    assert apart.observed == 0.0 and apart.alpha is not None and apart.alpha < 0 and apart.pairs[0].kappa == -1.0


@pytest.fixture
def queue(store: Store) -> Store:
    """Give a database with the sample's queue."""
    fill_with_sample(store)
    return store


def _decide(store: Store, paper: str, **said: Decision) -> int:
    candidate = store.value("SELECT candidate_id FROM candidates WHERE arxiv_id = ?", (paper,))
    for reviewer, decision in said.items():
        review_of(store, reviewer).decide(candidate, decision)
    return int(candidate)


def test_each_reviewers_newest_verdict_counts_unless_it_was_undone(queue: Store) -> None:
    first = _decide(queue, "0001.00031", ada=ACCEPT, bo=REJECT)
    _decide(queue, "0001.00031", ada=AGAINST)
    _decide(queue, "0001.00031", bo=MAYBE)
    review_of(queue, "bo").undo(first)
    rows = [(row["reviewer"], row["kind"], row["stance"]) for row in list_reviewer_verdicts(queue)]
    assert rows == [("ada", "accept", "contradicts"), ("bo", "reject", None)]


def test_snoozes_reopenings_and_the_program_are_no_verdicts(queue: Store) -> None:
    _decide(queue, "0001.00031", ada=ACCEPT)
    with queue.transaction():
        reopen_accepted(queue, "0001.00031", "its text changed", now="2026-11-22T00:00:00Z")
        append_verdict(queue, 1, Verdict.REJECT, reviewer="bmp", now="2026-11-22T00:00:00Z")
    assert [(row["reviewer"], row["kind"]) for row in list_reviewer_verdicts(queue)] == [("ada", "accept")]


def test_agreement_is_told_by_phenomenon_and_in_total(queue: Store) -> None:
    _decide(queue, "0001.00031", ada=ACCEPT, bo=AGAINST, cy=REJECT)  # W1.4
    _decide(queue, "0001.00044", ada=REJECT, bo=REJECT)  # W1.4
    _decide(queue, "0001.00018", ada=MAYBE, bo=ACCEPT)  # W2.2
    _decide(queue, "0001.00001", cy=ACCEPT)  # nobody else's
    told = measure_agreement(queue)
    assert told.reviewers == ("ada", "bo", "cy")
    assert list(told.phenomena) == ["W1.4", "W2.2"]
    assert told.total.verdicts.candidates == 3
    # Of five pairs of verdicts two are equal: ada's and bo's on the first and on the second paper.
    assert told.total.verdicts.observed == pytest.approx(2 / 5)
    assert {pair.reviewers: pair.candidates for pair in told.total.verdicts.pairs} == {
        ("ada", "bo"): 3,
        ("ada", "cy"): 1,
        ("bo", "cy"): 1,
    }
    assert told.phenomena["W2.2"].verdicts.observed == 0.0
    assert (told.total.stances.candidates, told.total.stances.observed) == (1, 0.0)
    assert told.phenomena["W2.2"].stances.candidates == 0


@pytest.fixture
def filled(bmp: Bmp) -> Bmp:
    """Give the command line on a database with the sample's queue."""
    with open_store(Path(os.environ["BMP_DB"]), create=True) as store:
        fill_with_sample(store)
    return bmp


def test_stats_tell_agreement_and_say_what_is_undefined(filled: Bmp) -> None:
    alone = filled("queue", "stats", "--json").json["agreement"]
    empty = {"candidates": 0, "observed": None, "alpha": None, "pairs": []}
    assert alone == {"reviewers": [], "total": {"verdict": empty, "stance": empty}, "phenomena": {}}
    assert "agreement" not in filled("queue", "stats").out
    with open_store(Path(os.environ["BMP_DB"])) as store:
        _decide(store, "0001.00031", ada=ACCEPT)
        _decide(store, "0001.00044", bo=REJECT)
        assert "no candidate that two of them decided" in filled("queue", "stats").out
        _decide(store, "0001.00044", ada=REJECT)
        assert "undefined" in filled("queue", "stats").out
        _decide(store, "0001.00031", bo=AGAINST)
    told = filled("queue", "stats", "--json").json["agreement"]
    assert told["total"]["verdict"] == told["phenomena"]["W1.4"]["verdict"] == {
        "candidates": 2, "observed": 1.0, "alpha": 1.0,
        "pairs": [{"reviewers": ["ada", "bo"], "candidates": 2, "observed": 1.0, "kappa": 1.0}],
    }  # fmt: skip
    assert told["total"]["stance"]["observed"] == 0.0
    shown = filled("queue", "stats").out
    assert "ada and bo" in shown and "1.00" in shown


def test_a_reviewers_name_cannot_steer_the_terminal(filled: Bmp) -> None:
    with open_store(Path(os.environ["BMP_DB"])) as store, store.transaction():
        for reviewer in ("\x1b[2Jeve", "bo"):
            append_verdict(store, 1, Verdict.REJECT, reviewer=reviewer, now="2026-11-22T00:00:00Z")
    shown = filled("queue", "stats").out
    assert "eve" in shown and "\x1b" not in shown


@pytest.mark.parametrize("reviewers", [1, 2])
def test_stats_load_the_librarys_alpha_only_for_two_and_never_a_model(tmp_path: Path, reviewers: int) -> None:
    db = tmp_path / "a.db"
    with open_store(db, create=True) as store:
        fill_with_sample(store)
        for reviewer in ("ada", "bo")[:reviewers]:
            _decide(store, "0001.00031", **{reviewer: ACCEPT})
            _decide(store, "0001.00044", **{reviewer: REJECT})
    code = "import sys\nfrom curation.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    words = [sys.executable, "-c", code, "--db", str(db), "queue", "stats"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert ("krippendorff" in loaded) == (reviewers == 2)
    assert not loaded & {"sklearn", "torch"}
