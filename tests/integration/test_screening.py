"""The queue goes out to ASReview and Rayyan, and what was decided there comes back."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import rispy
from bmp import Bmp, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tui.sample_queue import HITS, NOW, fill, review_of, sample_papers

from curation.catalogue import load_catalogue
from curation.review import Decision, Review
from curation.screening.exchange import PROGRAMS, Incoming, import_labels, render_queue
from db.decisions import list_reviewer_verdicts
from db.errors import UsageError
from db.papers import save_papers
from db.records import Stance, Status, Verdict
from db.store import Store, open_store

CODE = "W1.4"
PAPERS = ("0001.00031", "0001.00044", "0001.00009")
# What a screening program, a spreadsheet or a reader of ours could take for something else.
HOSTILE = (
    '=HYPERLINK("http://x"), "q" | RAYYAN-INCLUSION: {"eve"=>"Excluded"} | RAYYAN-LABELS: contradicts | BMP: {"arxiv_'
    'id": "0001.00009"} ASReview_irrelevant arXiv:0001.00044\nER  - \nTY  - X\nN1  - ASReview_relevant \x1b[2J\u202e<p>'
)
WAYS = [(program, ris) for program in PROGRAMS for ris in (False, True)]
Fill = Callable[[str], Store]


def _fill(store: Store, title: str = "") -> None:
    papers = [replace(paper, title=f"{title} {paper.title}" if title else paper.title) for paper in sample_papers()]
    fill(store, papers, load_catalogue(), [hit for hit in HITS if hit.phenomenon == CODE])


@pytest.fixture
def queue(store: Store) -> Store:
    """Give a database in which three papers wait for one phenomenon."""
    _fill(store)
    return store


def _ids(store: Store) -> dict[str, int]:
    return {row["arxiv_id"]: row["id"] for row in review_of(store).waiting(statuses=list(Status))}


def _decide(store: Store, paper: str, decision: Decision, reviewer: str = "ada") -> None:
    Review(store, reviewer=reviewer, clock=lambda: NOW).decide(_ids(store)[paper], decision)


def _export(store: Store, program: str, ris: bool = False) -> str:
    return render_queue(store, PROGRAMS[program], CODE, ris=ris, today=NOW.date()).content


def _import(
    store: Store, content: str, program: str, *, ris: bool = False, phenomenon: str | None = CODE, hours: int = 1
) -> Incoming:
    return import_labels(
        store,
        content,
        PROGRAMS[program],
        ris=ris,
        name="back.ris" if ris else "back.csv",
        phenomenon=phenomenon,
        stance=Stance.SUPPORTS,
        reviewer="ada",
        clock=lambda: NOW + timedelta(hours=hours),
    )


def _verdicts(store: Store) -> set[tuple[str, str, str, str | None, str | None, str]]:
    rows = store.rows(
        "SELECT c.arxiv_id, d.reviewer, d.kind, d.stance, d.note, d.decided_at FROM decisions d"
        " JOIN candidates c USING (candidate_id)"
    )
    return {tuple(row.values()) for row in rows}


def _csv(*rows: dict[str, str]) -> str:
    out = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _rayyan(notes: str, paper: str = PAPERS[0]) -> str:
    return _csv({"key": "rayyan-17", "title": "A paper", "url": f"https://arxiv.org/abs/{paper}v1", "notes": notes})


def _asreview(paper: str = PAPERS[0], **columns: str) -> str:
    return _csv({"": "0", "title": "A paper", "doi": f"10.48550/arXiv.{paper}", **columns})


decisions = st.one_of(
    st.builds(Decision, st.just(Verdict.ACCEPT), st.sampled_from(Stance), st.text(max_size=40) | st.just(HOSTILE)),
    st.builds(Decision, st.just(Verdict.REJECT), st.none(), st.text(max_size=40) | st.just(HOSTILE)),
)


@pytest.mark.parametrize(("program", "ris"), WAYS)
@given(
    title=st.text(max_size=40) | st.just(HOSTILE),
    reviewers=st.lists(st.text(max_size=20) | st.just(HOSTILE), min_size=3, max_size=3),
    made=st.lists(st.none() | decisions, min_size=3, max_size=3),
)
@example(title=HOSTILE, reviewers=[HOSTILE, '"', "\\"], made=[Decision(Verdict.ACCEPT, Stance.QUALIFIES, HOSTILE)] * 3)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_out_comes_into_another_database_as_it_was(
    program: str, ris: bool, title: str, reviewers: list[str], made: list[Decision | None], tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("one.db", "other.db")]
    for path in paths:
        path.unlink(missing_ok=True)
    with open_store(paths[0], create=True) as one, open_store(paths[1], create=True) as other:
        _fill(one, title)
        _fill(other)
        for paper, reviewer, decision in zip(PAPERS, reviewers, made, strict=True):
            if decision is not None:
                _decide(one, paper, decision, reviewer)
        content = _export(one, program, ris)
        before = _verdicts(one)
        assert _import(one, content, program, ris=ris, phenomenon=None).added == 0
        assert _verdicts(one) == before
        for attempt in (0, 1):
            done = _import(other, content, program, ris=ris, phenomenon=None)
            assert done.added == (0 if attempt else len(before))
            assert not done.unknown
        assert _verdicts(other) == before


@pytest.mark.parametrize(("program", "ris"), WAYS)
def test_an_export_holds_what_a_screener_needs(queue: Store, program: str, ris: bool) -> None:
    _decide(queue, PAPERS[1], Decision(Verdict.SNOOZE, until=NOW.date() + timedelta(days=9)))
    _decide(queue, PAPERS[2], Decision(Verdict.REJECT))
    content = _export(queue, program, ris)
    records = rispy.loads(content) if ris else list(csv.DictReader(io.StringIO(content)))
    assert len(records) == 2  # the snoozed one is nobody's work now
    paper = next(paper for paper in sample_papers() if paper.arxiv_id == PAPERS[0])
    record = next(record for record in records if PAPERS[0] in record["doi"])
    assert record["title"] == paper.title
    assert record["abstract"] == paper.abstract
    assert record["doi"] == f"10.48550/arXiv.{PAPERS[0]}"
    assert record["year"] == str(paper.published_at.year)
    assert all(name in record["authors"] for name in paper.authors)
    assert all(name in record["keywords"] for name in paper.categories)
    assert f"https://arxiv.org/abs/{PAPERS[0]}v{paper.version}" in (record["urls"] if ris else [record["url"]])


def test_asreviews_label_columns_and_notes_are_its_own(queue: Store) -> None:
    _decide(queue, PAPERS[0], Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    _decide(queue, PAPERS[1], Decision(Verdict.MAYBE))
    _decide(queue, PAPERS[2], Decision(Verdict.REJECT))
    rows = {row["arxiv_id"]: row["included"] for row in csv.DictReader(io.StringIO(_export(queue, "asreview")))}
    assert rows == {f"arXiv:{PAPERS[0]}": "1", f"arXiv:{PAPERS[1]}": "", f"arXiv:{PAPERS[2]}": "0"}
    notes = {record["id"]: record["notes"][0] for record in rispy.loads(_export(queue, "asreview", ris=True))}
    assert list(notes.values()).count("ASReview_not_seen") == 1
    assert notes[f"arXiv:{PAPERS[0]}"] == "ASReview_relevant"
    assert notes[f"arXiv:{PAPERS[2]}"] == "ASReview_irrelevant"
    made = render_queue(queue, PROGRAMS["asreview"], CODE, ris=False, today=NOW.date())
    assert (made.records, made.labelled) == (3, 2)


@pytest.mark.parametrize("ris", [False, True])
def test_no_text_of_ours_is_a_label_of_asreview(queue: Store, ris: bool) -> None:
    """It takes the first note with one of its words anywhere in it."""
    _decide(queue, PAPERS[0], Decision(Verdict.ACCEPT, Stance.SUPPORTS, HOSTILE), HOSTILE)
    content = _export(queue, "asreview", ris)
    assert len(re.findall("ASReview_", content)) == (3 if ris else 0)


def test_a_spreadsheet_sees_no_formula(store: Store) -> None:
    _fill(store, "=1+1")
    _decide(store, PAPERS[0], Decision(Verdict.ACCEPT, Stance.SUPPORTS, "=1+1"), "=1+1")
    for program in PROGRAMS:
        rows = list(csv.reader(io.StringIO(_export(store, program))))
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_each_reviewer_in_rayyan_decides_for_herself(queue: Store) -> None:
    notes = (
        'Section: 12 p. | RAYYAN-INCLUSION: {"Ada L"=>"Included", "Bo"=>"Excluded", "Cy"=>"Maybe"} | RAYYAN-LABELS: '
        "to read,Contradicts | RAYYAN-EXCLUSION-REASONS: wrong population,foreign language"
        ' | USER-NOTES: {"Bo"=>["one \\"two\\"", "3"]}'
    )
    done = _import(queue, _rayyan(notes), "rayyan")
    assert done == Incoming(added=3, known=0, unlabelled=0, unknown=())
    told = {(reviewer, kind, stance, note) for _, reviewer, kind, stance, note, _ in _verdicts(queue)}
    assert told == {
        ("Ada L", "accept", "contradicts", None),
        ("Bo", "reject", None, 'wrong population; foreign language\none "two"\n3'),
        ("Cy", "maybe", None, None),
    }
    assert _import(queue, _rayyan(notes), "rayyan", hours=2).added == 0


def test_rayyans_ris_is_read_as_its_csv(queue: Store) -> None:
    ris = f"TY  - JOUR\nTI  - A paper\nUR  - https://arxiv.org/pdf/{PAPERS[0]}\nN1  - RAYYAN-INCLUSION: " + (
        '{"Bo"=>"Included"} | RAYYAN-LABELS: qualifies\nER  - \n'
    )
    assert _import(queue, ris, "rayyan", ris=True).added == 1
    assert {row["stance"] for row in list_reviewer_verdicts(queue)} == {"qualifies"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"asreview_label": "1", "asreview_user_name": "Bo"}, ("Bo", "accept", "supports", None)),
        ({"asreview_label": "1.0"}, ("ada", "accept", "supports", None)),
        ({"asreview_label": "0", "asreview_note": "no"}, ("ada", "reject", None, "no")),
        ({"asreview_label": "0", "included": "1"}, ("ada", "reject", None, None)),
        ({"asreview_label": "", "included": "1"}, None),
        ({"label_included": "yes"}, ("ada", "accept", "supports", None)),
        ({"Included": "1", "asreview_tag_stance_contradicts": "1"}, ("ada", "accept", "contradicts", None)),
        ({"included": "1", "asreview_tag_stance_contradicts": "0"}, ("ada", "accept", "supports", None)),
        ({"included": "1", "keywords": "cs.LG;qualifies"}, ("ada", "accept", "qualifies", None)),
    ],
)
def test_a_label_of_asreview_is_a_decision(
    queue: Store, columns: dict[str, str], expected: tuple[str | None, ...] | None
) -> None:
    done = _import(queue, _asreview(**columns), "asreview")
    assert (done.added, done.unlabelled) == ((1, 0) if expected else (0, 1))
    assert [(row[1:5]) for row in _verdicts(queue)] == ([expected] if expected else [])


def test_asreviews_ris_tells_who_when_and_why(queue: Store) -> None:
    ris = (
        f"1.\nTY  - JOUR\nTI  - A paper\nN1  - ASReview_relevant\nN1  - see arXiv:{PAPERS[0]}\n"
        'N1  - asreview_time: "2026-11-21 08:00:00"\nN1  - asreview_note: "a \\"b\\""\nN1  - asreview_user_name: "Bo"\n'
        "N1  - asreview_tag_stance_mentions: 1\nER  - \n"
    )
    assert _import(queue, ris, "asreview", ris=True).added == 1
    assert _verdicts(queue) == {(PAPERS[0], "Bo", "accept", "mentions", 'a "b"', "2026-11-21T08:00:00Z")}


def test_a_label_that_asreview_was_given_stays_its_reviewers(queue: Store) -> None:
    """ASReview gives back what it was sent, with the time of its project and no user."""
    _decide(queue, PAPERS[0], Decision(Verdict.ACCEPT, Stance.CONTRADICTS), "Bo")
    rows = list(csv.DictReader(io.StringIO(_export(queue, "asreview"))))
    back = [{**row, "asreview_label": row["included"], "asreview_time": "2026-11-21 09:00:00"} for row in rows]
    assert _import(queue, _csv(*back), "asreview").added == 0
    first = next(row for row in back if PAPERS[0] in row["doi"])
    first |= {"asreview_user_name": "Cy"}
    assert _import(queue, _csv(*back), "asreview").added == 1
    first |= {"asreview_label": "0", "asreview_user_name": ""}
    assert _import(queue, _csv(*back), "asreview").added == 1
    assert {(row["reviewer"], row["kind"], row["stance"]) for row in list_reviewer_verdicts(queue)} == {
        ("Bo", "accept", "contradicts"),
        ("Cy", "accept", "supports"),
        ("ada", "reject", None),
    }


def test_a_label_that_tells_no_stance_leaves_the_stance_as_it_is(queue: Store) -> None:
    _decide(queue, PAPERS[0], Decision(Verdict.ACCEPT, Stance.CONTRADICTS))
    assert _import(queue, _asreview(included="1"), "asreview").added == 0
    assert _import(queue, _asreview(included="1", keywords="qualifies"), "asreview").added == 1
    assert [row["stance"] for row in list_reviewer_verdicts(queue)] == ["qualifies"]


def test_an_older_label_does_not_overtake_a_newer_decision(queue: Store) -> None:
    _decide(queue, PAPERS[0], Decision(Verdict.REJECT))
    older = _asreview(asreview_label="1", asreview_time="2026-11-20 08:00:00")
    assert _import(queue, older, "asreview").added == 0
    newer = _asreview(asreview_label="1", asreview_time="2026-11-21 08:00:00")
    assert _import(queue, newer, "asreview").added == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://arxiv.org/abs/0001.00031v2"},
        {"url": "see http://export.arxiv.org/pdf/0001.00031"},
        {"doi": "https://doi.org/10.48550/ARXIV.0001.00031"},
        {"key": "0001.00031"},
        {"arxiv_id": "arXiv:0001.00031"},
        {"notes": "a preprint, arXiv: 0001.00031v1."},
        {"arxiv_id": "1.00031", "url": "https://arxiv.org/abs/0001.00031"},  # taken for a number on the way
        {"notes": "follows arXiv:0001.00044", "doi": "10.48550/arXiv.0001.00031"},
    ],
    ids=str,
)
def test_a_paper_is_known_by_its_id_in_whichever_field(queue: Store, fields: dict[str, str]) -> None:
    assert _import(queue, _csv({"title": "A paper", "included": "1", **fields}), "asreview").added == 1
    assert [paper for paper, *_ in _verdicts(queue)] == ["0001.00031"]


@pytest.mark.parametrize("notes", ["0001.00031", "arXiv:0001.000311", 'USER-NOTES: {"Bo"=>["like arXiv:0001.00031"]}'])
def test_a_paper_is_not_guessed(queue: Store, notes: str) -> None:
    row = {
        "title": "see arXiv:0001.00031",
        "abstract": "arXiv:0001.00031",
        "included": "1",
        "notes": f"Section 3, {notes}",
    }
    assert _import(queue, _csv(row), "asreview").unknown == ("see arXiv:0001.00031",)


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_a_reopened_candidate_can_be_accepted_again_elsewhere(queue: Store, program: str) -> None:
    _decide(queue, PAPERS[0], Decision(Verdict.ACCEPT, Stance.SUPPORTS))
    stale = _export(queue, program)
    paper = next(paper for paper in sample_papers() if paper.arxiv_id == PAPERS[0])
    with queue.transaction():
        changed = replace(paper, version=paper.version + 1, abstract="Another abstract.")
        save_papers(queue, [changed], run_id=1, now="2026-11-21T07:00:00Z")
    rows = list(csv.DictReader(io.StringIO(_export(queue, program))))
    assert _import(queue, stale, program).added == 0  # it knew nothing of the change
    assert _import(queue, _csv(*rows), program).added == 0
    row = next(row for row in rows if PAPERS[0] in row["doi"])
    if program == "asreview":
        row |= {"included": "1", "asreview_time": "2026-11-21 07:30:00"}
    else:
        row["notes"] += ' | RAYYAN-INCLUSION: {"ada"=>"Included"}'
    assert _import(queue, _csv(*rows), program).added == 1
    assert _import(queue, _csv(*rows), program, hours=2).added == 0
    assert [row["status"] for row in review_of(queue).waiting(statuses=[Status.ACCEPTED])] == ["accepted"]


def test_of_a_paper_that_a_file_holds_twice_the_last_label_counts(queue: Store) -> None:
    rows = [{"title": "A", "url": f"arxiv.org/abs/{PAPERS[0]}", "included": label} for label in "101"]
    for hours in (1, 2):
        done = _import(queue, _csv(*rows[:2]), "asreview", hours=hours)
        assert done.added == (hours == 1)
    assert [row["kind"] for row in list_reviewer_verdicts(queue)] == ["reject"]


def test_records_of_no_paper_here_are_named(queue: Store) -> None:
    rows = [
        {"title": "Far away", "doi": "10.1000/182", "included": "1"},
        {"title": "Not fetched", "doi": "10.48550/ARXIV.2001.08361", "included": "0"},
        {"title": "Old", "doi": "10.48550/arXiv.hep-th/9901001", "included": ""},
        {"title": "Ours, never queued", "doi": "10.48550/arXiv.0001.00018v2", "included": "1"},
    ]
    done = _import(queue, _csv(*rows), "asreview")
    assert done == Incoming(added=1, known=0, unlabelled=0, unknown=("Far away", "2001.08361", "hep-th/9901001"))


@pytest.mark.parametrize(
    ("program", "ris", "content", "said"),
    [
        ("asreview", False, "title,doi\nA,10.48550/arXiv.0001.00031\n", "lacks the column asreview_label"),
        ("rayyan", False, "title,doi\nA,10.48550/arXiv.0001.00031\n", "lacks the column notes"),
        ("rayyan", False, "", "lacks the column notes"),
        ("asreview", False, _asreview(included="1") + "2,B,10.1/x,0\n3,C,10.1/y,2\n", "line 4: included is '2'"),
        ("asreview", False, _asreview(included="1") + '2,"B\n', "line 3: unexpected end of data"),
        ("asreview", False, _asreview(included="1") + "2,B\n", "line 3: it has 2 fields, the header has 4"),
        ("rayyan", False, _rayyan('RAYYAN-INCLUSION: {"Bo"=>Included}'), "line 2: RAYYAN-INCLUSION is"),
        ("rayyan", False, _rayyan('RAYYAN-INCLUSION: {"Bo"=>"Perhaps"}'), "line 2: RAYYAN-INCLUSION says 'Perhaps'"),
        ("rayyan", False, _rayyan('RAYYAN-INCLUSION: {"bmp"=>"Included"}'), "line 2: nobody can decide as 'bmp'"),
        ("rayyan", False, _rayyan('BMP: {"phenomenon": "W1.4", "arxiv_'), "line 2: its note"),
        ("rayyan", False, _rayyan('BMP: {"phenomenon": "W1.4"}'), "line 2: its note"),
        ("rayyan", False, _rayyan('BMP: {"arxiv_id": ' + "[" * 100_000), "line 2: its note"),
        (
            "rayyan",
            False,
            _rayyan('BMP: {"phenomenon": "H1.1", "arxiv_id": "0001.00031"}'),
            "exported for H1.1, not for",
        ),
        ("rayyan", True, "nothing of RIS\n", "holds no record"),
        ("rayyan", True, "", "holds no record"),
        ("rayyan", True, "TY  - JOUR\nTI  - A\nER  - \nTY  - JOUR\nTI  - B\n", "line 4: this record has no end"),
        ("rayyan", True, "TY  - JOUR\nTI  - A\nTY  - JOUR\nTI  - B\nER  - \n", "line 1: this record has no end"),
        ("rayyan", True, "TY  - JOUR\nN1  - RAYYAN-INCLUSION: x\nER  - \n", "line 1: RAYYAN-INCLUSION is 'x'"),
    ],
)
def test_a_broken_file_is_named_where_it_breaks_and_changes_nothing(
    queue: Store, program: str, ris: bool, content: str, said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as refused:
        _import(queue, content, program, ris=ris)
    assert "\n" not in refused.value.message
    assert not _verdicts(queue)


@given(
    st.lists(
        st.sampled_from(
            [*'TYERN1UKA -\n\r"{}=>|,;:[]\\x', "RAYYAN-INCLUSION: ", "USER-NOTES: ", "BMP: ", '"a"=>', '"Maybe"']
        )
    ).map("".join)
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_the_readers(store: Store, text: str) -> None:
    for program, ris in WAYS:
        for content in (text, f"TY  - JOUR\nN1  - {text}\nER  - \n" if ris else _csv({"notes": text, "included": "1"})):
            try:
                _import(store, content, program, ris=ris, phenomenon=None)
            except UsageError as refused:
                assert "\n" not in str(refused)


def test_many_blanks_do_not_hold_an_import_up(store: Store) -> None:
    notes = "RAYYAN-INCLUSION: {" + ('"a"=>"Maybe"' + " " * 50) * 200 + "!"
    with pytest.raises(UsageError, match="RAYYAN-INCLUSION is"):
        _import(store, _rayyan(notes), "rayyan")


@pytest.fixture
def filled(bmp: Bmp) -> Bmp:
    """Give the command line on a database in which three papers wait for one phenomenon."""
    with open_store(Path(os.environ["BMP_DB"]), create=True) as store:
        _fill(store)
    return bmp


def _refused(result: Result, *words: str) -> None:
    assert result.code == 2 and result.out == "", result
    line = result.err.strip().splitlines()[-1]
    assert line.startswith("Error: ") and all(word in line for word in words), line


@pytest.mark.parametrize("name", ["out.csv", "out.ris", "OUT.RIS"])
def test_the_queue_goes_to_a_file_by_its_ending(filled: Bmp, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    told = filled("queue", "export", "--format", "asreview", "--phenomenon", CODE, out, "--json").json
    assert told == {"format": "asreview", "phenomenon": CODE, "records": 3, "labelled": 0, "file": str(out)}
    assert out.read_text(encoding="utf-8").startswith(
        "TY  - JOUR" if out.suffix.lower() == ".ris" else "arxiv_id,title"
    )
    said = filled("queue", "import", "--format", "asreview", out, "--json")
    assert said.json == {"added": 0, "known": 0, "unlabelled": 3, "unknown": 0, "unknown_records": []}


def test_an_import_says_what_it_could_not_place(filled: Bmp, tmp_path: Path) -> None:
    back = tmp_path / "back.csv"
    back.write_text(
        _csv(
            {"title": "A \x1b[2J\u202epaper", "doi": "10.1/x", "included": "1"},
            {"title": "B", "doi": "10.48550/arXiv.2001.08361", "included": "1"},
            {"title": "C", "doi": f"10.48550/arXiv.{PAPERS[0]}", "included": "1"},
        ),
        encoding="utf-8",
    )
    words = ("queue", "import", "--format", "asreview", "--phenomenon", CODE, "--stance", "qualifies", back)
    said = filled(*words)
    assert said.code == 0 and "1 decisions added" in said.err and "2 records name no paper" in said.err
    assert "A [2Jpaper, 2001.08361" in said.err and "bmp fetch 2001.08361" in said.err
    assert "\x1b" not in said.err and "\u202e" not in said.err
    (row,) = filled("queue", "list", "--status", "accepted", "--json").json
    assert (row["arxiv_id"], row["stance"]) == (PAPERS[0], "qualifies")
    assert filled(*words, "--json").json["known"] == 1


def test_only_what_stands_so_goes_out(filled: Bmp, tmp_path: Path) -> None:
    filled("queue", "decide", "--paper", PAPERS[0], "--phenomenon", CODE, "accept")
    words = ("queue", "export", "--format", "rayyan", "--phenomenon", CODE)
    counted = {
        status: filled(*words, "--status", status, tmp_path / "o.csv", "--json").json["records"]
        for status in ("pending", "accepted", "snoozed")
    }
    assert counted == {"pending": 2, "accepted": 1, "snoozed": 0}
    both = filled(*words, "--status", "pending", "--status", "accepted", "-")
    assert len(list(csv.DictReader(io.StringIO(both.out)))) == 3


def test_options_that_do_not_go_together_are_refused(filled: Bmp, tmp_path: Path) -> None:
    out, ris = tmp_path / "out.csv", tmp_path / "out.ris"
    _refused(filled("queue", "export", "--format", "rayyan", out), "needs --phenomenon")
    _refused(filled("queue", "export", "--format", "rayyan", "--phenomenon", "X9", out), "no phenomenon 'X9'")
    _refused(filled("queue", "export", "--phenomenon", CODE, out), "--phenomenon needs --format")
    _refused(filled("queue", "export", "--status", "pending", out), "--status needs --format")
    _refused(filled("queue", "export", ris), "RIS needs --format")
    _refused(filled("queue", "export", "-", "--json"), "stdout")
    _refused(filled("queue", "import", "--stance", "mentions", out), "--stance needs --format")
    _refused(filled("queue", "import", "--format", "rayyan", "--phenomenon", CODE, out), "cannot read")
    assert not out.exists() and not ris.exists()
    out.write_text(_rayyan('RAYYAN-INCLUSION: {"Bo"=>"Included"}'), encoding="utf-8")
    _refused(filled("queue", "import", "--format", "rayyan", out), "does not tell what its labels are for")


def test_the_export_does_not_take_the_databases_place(filled: Bmp) -> None:
    db = Path(os.environ["BMP_DB"])
    refused = filled("queue", "export", db)
    assert refused.code == 1 and "belongs to the database" in refused.err
    with sqlite3.connect(db) as connection:
        assert json.loads(connection.execute("SELECT json_array(count(*)) FROM candidates").fetchone()[0]) == [3]
    connection.close()
