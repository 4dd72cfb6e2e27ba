"""The catalogue's upkeep: nothing is lost, no code is given twice, and evidence goes along by decisions."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bmp import Bmp
from conftest import LOADED, NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.catalogue import load_catalogue, parse_catalogue, render_catalogue
from curation.evidence import Evidence, load_evidence
from curation.review import Decision, Review
from curation.upkeep import Upkeep
from db.candidates import find_candidate_id
from db.carrying import find_stranded
from db.decisions import append_verdict, list_decisions
from db.errors import CatalogueError, UsageError
from db.merging import merge
from db.papers import save_papers
from db.phenomena import find_phenomenon, list_phenomena
from db.records import Aspect, Criteria, Maturity, Paper, Phenomenon, Stance, Status, Verdict
from db.runs import start_run
from db.store import Store, open_copy, open_store
from db.text import clean_line
from db.times import to_text
from db.upkeep import list_changes, load_phenomena, save_phenomena

LOSS = Phenomenon(
    "H1.1", Aspect.HOW, "Scaling", "Loss falls", "Loss falls as a power law.", maturity=Maturity.REPLICATED
)
SPLIT = Phenomenon("H1.2", Aspect.HOW, "Scaling", "Best split", "A budget has one best split.")
GROKKING = Phenomenon("W2.2", Aspect.WHAT, "Dynamics", "Grokking", "Late generalisation.")
CATALOGUE = [LOSS, SPLIT, GROKKING]
PAPERS = [f"2610.{number:05d}" for number in range(1, 7)]
SUPPORTS = Decision(Verdict.ACCEPT, Stance.SUPPORTS)
CONTRADICTS = Decision(Verdict.ACCEPT, Stance.CONTRADICTS, "<not> so")


def paper(arxiv_id: str, version: int = 1) -> Paper:
    """Return a version of a paper, each with an abstract of its own."""
    moment = datetime(2026, 10, version, tzinfo=UTC)
    return Paper(
        arxiv_id, version, f"Title of {arxiv_id}", f"First sentence {version}. Second one.", ("Ada",), ("cs.LG",),
        moment, moment, moment.date(), tells_type=True,
    )  # fmt: skip


def bring(store: Store, *papers: Paper) -> None:
    """Save papers as a night does."""
    now = to_text(NOW)
    with store.transaction():
        run_id = start_run(store, kind="nightly", source="oai", categories=[], started_at=now, program_version="test")
        save_papers(store, papers, run_id=run_id, now=now)


def fill(path: Path) -> None:
    """Make a database with three entries and six papers."""
    with open_store(path, create=True) as store:
        with store.transaction():
            save_phenomena(store, CATALOGUE, LOADED)
        bring(store, *(paper(one) for one in PAPERS))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a filled database, closed."""
    fill(tmp_path / "bmp.db")
    return tmp_path / "bmp.db"


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    """Give a filled database."""
    with open_store(place) as opened:
        yield opened


def decide(store: Store, arxiv_id: str, code: str, decision: Decision, by: str = "ada", minute: int = 0) -> int:
    """Decide on a paper, and return the candidate's id."""
    review = Review(store, reviewer=by, clock=lambda: NOW + timedelta(minutes=minute))
    return int(review.decide_paper(arxiv_id, code, decision)["id"])


def upkeep(store: Store, *, dry_run: bool = False) -> Upkeep:
    """Return the catalogue in ben's hands, a day later."""
    return Upkeep(store, author="ben", clock=lambda: NOW + timedelta(days=1), dry_run=dry_run)


def evidence(store: Store, code: str) -> dict[str, Evidence]:
    """Return an entry's evidence by paper."""
    return {piece.arxiv_id: piece for piece in load_evidence(store).get(code, ())}


def waiting(store: Store, code: str) -> set[str]:
    """Return the papers that wait for an entry."""
    return {row["arxiv_id"] for row in Review(store, reviewer="ada", clock=lambda: NOW).waiting(phenomenon=code)}


# Merging


def test_a_merge_carries_every_piece_by_a_decision_of_its_own(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    decide(store, PAPERS[1], "H1.1", CONTRADICTS)
    before = evidence(store, "H1.1")
    moved = upkeep(store).merge("H1.1", "H1.2", note="one claim")
    assert (moved.accepted, moved.known, moved.queued, moved.differing) == (2, 0, 0, ())
    after = evidence(store, "H1.2")
    for arxiv_id, piece in before.items():
        carried = after[arxiv_id]
        assert (carried.stance, carried.version, carried.sentence) == (piece.stance, piece.version, piece.sentence)
        assert carried.reviewer == "ben"
        assert "carried along from H1.1 (Loss falls), accepted there by ada on 2026-11-24" in (carried.note or "")
    assert (after[PAPERS[1]].note or "").startswith("<not> so")
    assert [one.code for one in list_phenomena(store)] == ["H1.2", "W2.2"]
    assert find_phenomenon(store, "H1.1", retired=True).superseded_by == ("H1.2",)


def test_a_merge_that_is_said_again_adds_only_what_came_since(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    upkeep(store).merge("H1.1", "H1.2")
    log = store.value("SELECT count(*) FROM decisions")
    again = upkeep(store).merge("H1.1", "H1.2")
    assert (again.accepted, again.known) == (0, 1)
    assert store.value("SELECT count(*) FROM decisions") == log
    assert len(list_changes(store, "H1.1")) == 2


def test_what_was_decided_there_already_stays(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    decide(store, PAPERS[1], "H1.1", SUPPORTS)
    decide(store, PAPERS[0], "H1.2", Decision(Verdict.REJECT), by="cy")
    decide(store, PAPERS[1], "H1.2", CONTRADICTS, by="cy")
    moved = upkeep(store).merge("H1.1", "H1.2")
    assert (moved.accepted, moved.known, moved.differing) == (0, 0, (PAPERS[0], PAPERS[1]))
    assert {one: piece.reviewer for one, piece in evidence(store, "H1.2").items()} == {PAPERS[1]: "cy"}


def test_what_waited_waits_there_and_what_was_rejected_does_not(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", Decision(Verdict.MAYBE))
    decide(store, PAPERS[1], "H1.1", Decision(Verdict.REJECT))
    moved = upkeep(store).merge("H1.1", "H1.2")
    assert moved.queued == 1
    assert waiting(store, "H1.2") == {PAPERS[0]}


def test_a_piece_rests_on_the_revision_that_was_decided_on_and_is_re_opened_where_that_is_old(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    bring(store, paper(PAPERS[0], 2))
    assert evidence(store, "H1.1")[PAPERS[0]].status is Status.REOPENED
    upkeep(store).merge("H1.1", "H1.2")
    carried = evidence(store, "H1.2")[PAPERS[0]]
    assert (carried.version, carried.status) == (1, Status.REOPENED)
    assert waiting(store, "H1.2") == {PAPERS[0]}


def test_a_merge_may_leave_every_decision_to_be_made_anew(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    moved = upkeep(store).merge("H1.1", "H1.2", queue=True)
    assert (moved.accepted, moved.queued) == (0, 1)
    assert (evidence(store, "H1.2"), waiting(store, "H1.2")) == ({}, {PAPERS[0]})


def test_a_dry_run_tells_and_writes_nothing(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    before = "\n".join(store.connection.iterdump())
    assert upkeep(store, dry_run=True).merge("H1.1", "H1.2").accepted == 1
    assert "\n".join(store.connection.iterdump()) == before


def test_a_retired_entry_takes_no_decision_and_shows_nowhere(store: Store) -> None:
    found = decide(store, PAPERS[0], "H1.1", SUPPORTS)
    decide(store, PAPERS[1], "H1.1", Decision(Verdict.MAYBE))
    upkeep(store).merge("H1.1", "H1.2")
    review = Review(store, reviewer="ada", clock=lambda: NOW)
    with pytest.raises(UsageError, match=r"H1\.1 was retired.*H1\.2"):
        review.decide(found, CONTRADICTS)
    with pytest.raises(UsageError, match=r"H1\.1 was retired"):
        review.decide_paper(PAPERS[2], "H1.1", SUPPORTS)
    rows = review.waiting(statuses=tuple(Status))
    assert "H1.1" not in {row["phenomenon"] for row in [*rows, *review.counts()]}
    assert [event["kind"] for event in list_decisions(store, found)] == ["accept"]


def test_merges_one_after_the_other_lead_to_the_last(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    upkeep(store).merge("H1.1", "H1.2")
    upkeep(store).merge("H1.2", "W2.2")
    assert set(evidence(store, "W2.2")) == {PAPERS[0]}
    assert upkeep(store).merge("H1.1", "W2.2").known == 1


@pytest.mark.parametrize(("code", "into"), [("H1.1", "H1.1"), ("H9.9", "H1.1"), ("H1.1", "H9.9")])
def test_a_merge_that_cannot_be_changes_nothing(store: Store, code: str, into: str) -> None:
    with pytest.raises(UsageError):
        upkeep(store).merge(code, into)
    assert [one.code for one in list_phenomena(store)] == ["H1.1", "H1.2", "W2.2"]


# Splitting


def parts(*codes: str) -> list[Phenomenon]:
    """Return new entries."""
    return [Phenomenon(code, Aspect.HOW, "Scaling", f"Title {code}", f"Claim {code}.") for code in codes]


def test_a_split_gives_each_piece_where_it_was_decided_to_go(store: Store) -> None:
    for one in PAPERS[:3]:
        decide(store, one, "H1.1", SUPPORTS)
    decide(store, PAPERS[3], "H1.1", Decision(Verdict.MAYBE))
    moved = upkeep(store).split("H1.1", parts("H1.3", "H1.4"), given={PAPERS[0]: "H1.3"}, rest="H1.4")
    assert [(one.phenomenon, one.accepted, one.queued) for one in moved] == [("H1.3", 1, 1), ("H1.4", 2, 1)]
    assert set(evidence(store, "H1.3")) == {PAPERS[0]}
    assert set(evidence(store, "H1.4")) == {PAPERS[1], PAPERS[2]}
    assert waiting(store, "H1.3") == waiting(store, "H1.4") == {PAPERS[3]}
    assert find_phenomenon(store, "H1.1", retired=True).superseded_by == ("H1.3", "H1.4")


def test_what_a_split_gives_to_none_waits_for_all_parts(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    upkeep(store).split("H1.1", parts("H1.3", "H1.4"), given={})
    assert waiting(store, "H1.3") == waiting(store, "H1.4") == {PAPERS[0]}


@pytest.mark.parametrize(
    ("codes", "given", "rest"),
    [
        (["H1.3"], {}, None),
        (["H1.3", "H1.2"], {}, None),
        (["H1.3", "H1.1"], {}, None),
        (["H1.3", "H1.4"], {PAPERS[0]: "H1.2"}, None),
        (["H1.3", "H1.4"], {PAPERS[5]: "H1.3"}, None),
        (["H1.3", "H1.4"], {}, "H1.9"),
    ],
)
def test_a_split_that_cannot_be_changes_nothing(
    store: Store, codes: list[str], given: dict[str, str], rest: str | None
) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    before = "\n".join(store.connection.iterdump())
    with pytest.raises((UsageError, CatalogueError)):
        upkeep(store).split("H1.1", parts(*codes), given=given, rest=rest)
    assert "\n".join(store.connection.iterdump()) == before


# Codes, log, loading


def test_a_code_is_never_given_twice(store: Store) -> None:
    upkeep(store).merge("H1.1", "H1.2")
    for code in ("H1.1", "H1.2"):
        with pytest.raises(CatalogueError, match="never given twice"):
            upkeep(store).add(parts(code))
    with pytest.raises(CatalogueError, match="not given again"):
        upkeep(store).load([LOSS])
    with store.transaction():
        load_phenomena(store, CATALOGUE, LOADED)
    assert [one.code for one in list_phenomena(store)] == ["H1.2", "W2.2"]


def test_an_edit_keeps_the_evidence_and_its_history(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    before = evidence(store, "H1.1")
    edited = replace(LOSS, title="Loss falls smoothly", group="Laws", maturity=Maturity.ESTABLISHED)
    assert upkeep(store).edit(LOSS, edited, "clearer")
    assert evidence(store, "H1.1") == before
    newest = list_changes(store, "H1.1")[-1]
    assert (newest["kind"], newest["author"], newest["note"]) == ("edit", "ben", "clearer")
    assert (newest["before"]["title"], newest["after"]["title"]) == ("Loss falls", "Loss falls smoothly")
    assert not upkeep(store).edit(edited, edited)
    assert len(list_changes(store, "H1.1")) == 2
    with pytest.raises(CatalogueError, match="the code of"):
        upkeep(store).edit(edited, replace(edited, code="H1.7"))


def test_the_history_cannot_be_changed_or_deleted(store: Store) -> None:
    for statement in ("UPDATE catalogue_changes SET note = 'x'", "DELETE FROM catalogue_changes"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.connection.execute(statement)


def test_what_a_person_changed_is_not_overwritten_by_loading_again(store: Store) -> None:
    upkeep(store).edit(LOSS, replace(LOSS, maturity=Maturity.CONTESTED))
    newer = [replace(LOSS, statement="New words."), replace(SPLIT, statement="New words."), GROKKING]
    with store.transaction():
        loaded = load_phenomena(store, newer, LOADED)
    assert (loaded.changed, loaded.kept) == (1, ("H1.1",))
    assert find_phenomenon(store, "H1.1").statement == LOSS.statement
    assert find_phenomenon(store, "H1.2").statement == "New words."


def test_a_new_entry_stands_after_its_group_and_a_whole_list_sets_the_order(store: Store) -> None:
    upkeep(store).add(parts("H1.3"))
    assert [one.code for one in list_phenomena(store)] == ["H1.1", "H1.2", "H1.3", "W2.2"]
    upkeep(store).load(list_phenomena(store)[::-1])
    assert [one.code for one in list_phenomena(store)] == ["W2.2", "H1.3", "H1.2", "H1.1"]


def test_nobody_changes_the_catalogue_under_the_programs_own_name(store: Store) -> None:
    with pytest.raises(UsageError, match="own name"):
        Upkeep(store, author="bmp", clock=lambda: NOW).add(parts("H1.3"))


# Two databases


def test_decisions_on_an_entry_that_was_retired_here_are_told_and_can_be_carried(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        fill(tmp_path / name)
    with open_store(tmp_path / "b.db") as theirs:
        decide(theirs, PAPERS[0], "H1.1", SUPPORTS, by="cy")
    with open_store(tmp_path / "a.db") as store:
        upkeep(store).merge("H1.1", "H1.2")
        with open_copy(tmp_path / "b.db") as theirs:
            merged = merge(store, theirs, now=to_text(NOW), program_version="test")
        assert merged.differing == ("H1.1",)
        assert find_stranded(store) == {"H1.1": (PAPERS[0],)}
        upkeep(store).merge("H1.1", "H1.2")
        assert find_stranded(store) == {}
        assert set(evidence(store, "H1.2")) == {PAPERS[0]}


def test_a_retired_entry_comes_with_a_merge_as_retired(tmp_path: Path) -> None:
    fill(tmp_path / "b.db")
    with open_store(tmp_path / "b.db") as theirs:
        upkeep(theirs).merge("H1.1", "H1.2")
    with open_store(tmp_path / "a.db", create=True) as store, open_copy(tmp_path / "b.db") as theirs:
        merge(store, theirs, now=to_text(NOW), program_version="test")
        assert [one.code for one in list_phenomena(store)] == ["H1.2", "W2.2"]
        assert [one.code for one in list_phenomena(store, retired=True)] == ["H1.1"]


# The file

LINE = st.text(max_size=40).map(clean_line).filter(bool)
LINES = st.lists(LINE, max_size=3).map(tuple)
IDS = st.lists(st.sampled_from(PAPERS), max_size=2, unique=True).map(tuple)


def _entries(codes: list[str]) -> st.SearchStrategy[list[Phenomenon]]:
    def entry(code: str) -> st.SearchStrategy[Phenomenon]:
        criteria = st.builds(Criteria, LINES, LINES, LINES)
        live = st.builds(
            Phenomenon, st.just(code), st.sampled_from(Aspect), LINE, LINE, LINE, LINES, IDS, criteria,
            st.sampled_from(Maturity),
        )  # fmt: skip
        gone = live.map(lambda one: replace(one, retired=True, superseded_by=(codes[0],)))
        return live if code == codes[0] else st.one_of(live, live, gone)

    return st.tuples(*(entry(code) for code in codes)).map(list)


CATALOGUES = st.lists(st.from_regex(r"[A-Z][1-9](\.[1-9])?", fullmatch=True), min_size=1, max_size=5, unique=True)


@given(CATALOGUES.flatmap(_entries))
def test_a_catalogue_that_is_written_is_read_back_as_it_was(entries: list[Phenomenon]) -> None:
    assert parse_catalogue(render_catalogue(entries), "a dump") == entries


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CATALOGUES.flatmap(_entries))
def test_dump_then_import_is_the_identity(tmp_path_factory: pytest.TempPathFactory, entries: list[Phenomenon]) -> None:
    folder = tmp_path_factory.mktemp("dumps")

    def dump(store: Store) -> str:
        return render_catalogue([*list_phenomena(store), *list_phenomena(store, retired=True)])

    with open_store(folder / "a.db", create=True) as one, open_store(folder / "b.db", create=True) as other:
        upkeep(one).load(entries)
        text = dump(one)
        upkeep(other).load(parse_catalogue(text, "a dump"))
        assert dump(other) == text
        assert upkeep(one).load(parse_catalogue(text, "a dump")) == 0
        assert dump(one) == text


def test_the_shipped_catalogue_is_written_and_read_back() -> None:
    assert parse_catalogue(render_catalogue(load_catalogue()), "a dump") == load_catalogue()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("retired = true", "names what took its place"),
        ('superseded_by = ["H1.2"]', "names what took its place"),
        ('retired = "yes"', "true or false"),
        ('retired = true\nsuperseded_by = ["no code"]', "is not a code"),
    ],
)
def test_a_retired_entry_is_checked(line: str, said: str) -> None:
    with pytest.raises(CatalogueError, match=said):
        parse_catalogue(render_catalogue([LOSS]) + line, "a file")


# The commands

Editor = Callable[[str], None]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Return what makes $EDITOR run a line of shell on the file, named `$1`."""

    def install(line: str) -> None:
        script = tmp_path / "editor.sh"
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", str(script))

    return install


def test_an_entry_is_edited_in_the_editor(bmp: Bmp, place: Path, editor: Editor) -> None:
    editor("""sed -i 's/Late generalisation/Generalisation comes late/' "$1" """)
    assert bmp("phenomena", "edit", "W2.2", "--note", "plainer").code == 0
    shown = bmp("phenomena", "show", "W2.2", "--json").json
    assert shown["statement"] == "Generalisation comes late."
    assert (shown["history"][-1]["kind"], shown["history"][-1]["note"]) == ("edit", "plainer")
    assert place.exists()


@pytest.mark.usefixtures("place")
def test_an_editor_that_changes_nothing_changes_nothing(bmp: Bmp, editor: Editor) -> None:
    editor(":")
    for words in (("edit", "W2.2"), ("add",)):
        result = bmp("phenomena", *words)
        assert (result.code, "Nothing was" in result.err) == (0, True)
    assert len(bmp("phenomena", "log", "--json").json) == 3


def test_what_does_not_hold_is_kept_and_the_entry_stays(bmp: Bmp, place: Path, editor: Editor) -> None:
    editor("""sed -i 's/^title = .*/title = ""/; s/Late/Very late/' "$1" """)
    result = bmp("phenomena", "edit", "W2.2")
    assert result.code == 2
    (kept,) = (place.parent / "edits").iterdir()
    assert str(kept) in result.err
    assert "Very late" in kept.read_text(encoding="utf-8")
    assert bmp("phenomena", "show", "W2.2", "--json").json["statement"] == GROKKING.statement


@pytest.mark.usefixtures("place")
def test_an_editor_cannot_move_an_entry_to_another_code(bmp: Bmp, editor: Editor) -> None:
    editor("""sed -i 's/W2.2/W2.9/' "$1" """)
    result = bmp("phenomena", "edit", "W2.2")
    assert (result.code, "the code of W2.2 stays" in result.err) == (2, True)
    assert "W2.9" not in bmp("phenomena", "list").out


@pytest.mark.usefixtures("place")
def test_a_person_sets_the_maturity_and_it_stays_through_init(bmp: Bmp, tmp_path: Path) -> None:
    assert bmp("phenomena", "edit", "H1.1", "--maturity", "contested", "--note", "two groups disagree").code == 0
    file = tmp_path / "catalogue.toml"
    file.write_text(render_catalogue(CATALOGUE), encoding="utf-8")
    again = bmp("init", "--catalogue", file)
    assert "H1.1" in again.err
    shown = bmp("phenomena", "show", "H1.1", "--json").json
    assert shown["maturity"] == "contested"
    assert [(step["maturity"], step["by"], step["note"]) for step in shown["maturity_history"]] == [
        ("contested", "ada", "two groups disagree")
    ]


@pytest.mark.usefixtures("place")
def test_entries_are_added_by_options_and_from_a_file(bmp: Bmp, tmp_path: Path) -> None:
    given = (
        "--aspect",
        "how",
        "--group",
        "Scaling",
        "--title",
        "T",
        "--statement",
        "S.",
        "--reference",
        "2001.08361v2",
    )
    assert bmp("phenomena", "add", "--code", "H1.3", *given, "--keyword", "k").code == 0
    file = tmp_path / "more.toml"
    file.write_text(render_catalogue(parts("H1.4", "H1.5")), encoding="utf-8")
    assert bmp("phenomena", "add", file).code == 0
    listed = bmp("phenomena", "list", "--json").json
    assert [row["code"] for row in listed] == ["H1.1", "H1.2", "H1.3", "H1.4", "H1.5", "W2.2"]
    assert (listed[2]["references"], listed[2]["keywords"]) == (["2001.08361"], ["k"])


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "words",
    [
        ("add", "--code", "H1.3"),
        ("add", "--code", "not a code", "--aspect", "how", "--group", "g", "--title", "t", "--statement", "s"),
        ("add", "--code", "H1.1", "--aspect", "how", "--group", "g", "--title", "t", "--statement", "s"),
        ("edit", "H9.9", "--title", "t"),
        ("edit", "H1.1", "--title", " \u200b "),
        ("edit", "H1.1", "--reference", "no id"),
        ("merge", "H1.1", "H1.1"),
        ("split", "H1.1", "nowhere.toml"),
        ("split", "H1.1", "--give", "2610.00001"),
        ("import", "nowhere.toml"),
        ("log", "H9.9"),
        ("add", "nowhere.toml"),
    ],
    ids=" ".join,
)
def test_wrong_words_get_one_line_and_change_nothing(bmp: Bmp, words: tuple[str, ...], editor: Editor) -> None:
    editor(":")
    result = bmp("phenomena", *words)
    assert (result.code, result.out) == (2, "")
    assert len([line for line in result.err.splitlines() if line.startswith("Error")]) == 1
    assert len(bmp("phenomena", "log", "--json").json) == 3


def test_merge_and_split_on_the_command_line(bmp: Bmp, place: Path, tmp_path: Path) -> None:
    with open_store(place) as store:
        decide(store, PAPERS[0], "H1.1", SUPPORTS)
        decide(store, PAPERS[1], "H1.1", SUPPORTS)
    dry = bmp("phenomena", "merge", "H1.1", "H1.2", "--dry-run", "--json").json
    assert (dry["dry_run"], dry["moved"][0]["accepted"]) == (True, 2)
    assert bmp("phenomena", "merge", "H1.1", "H1.2").code == 0
    file = tmp_path / "parts.toml"
    file.write_text(render_catalogue(parts("H1.3", "H1.4")), encoding="utf-8")
    done = bmp("phenomena", "split", "H1.2", file, "--give", f"{PAPERS[0]}=H1.3", "--rest", "H1.4", "--json").json
    assert [(one["phenomenon"], one["accepted"]) for one in done["moved"]] == [("H1.3", 1), ("H1.4", 1)]
    listed = bmp("phenomena", "list", "--json").json
    assert {row["code"]: row["evidence"]["supports"] for row in listed} == {"H1.3": 1, "H1.4": 1, "W2.2": 0}
    told = bmp("phenomena", "log").out
    assert "merged into H1.2 by ada" in told
    assert "split into H1.3, H1.4 by ada" in told


@pytest.mark.usefixtures("place")
def test_dump_and_import_on_the_command_line(bmp: Bmp, tmp_path: Path) -> None:
    file = tmp_path / "dump.toml"
    assert bmp("phenomena", "dump", "-o", file).code == 0
    assert bmp("phenomena", "dump").out == file.read_text(encoding="utf-8")
    assert json.loads(bmp("phenomena", "import", file, "--json").out) == {"phenomena": 3, "changed": 0}
    assert bmp("--db", tmp_path / "other.db", "init", "--catalogue", file).code == 0
    assert bmp("--db", tmp_path / "other.db", "phenomena", "dump").out == file.read_text(encoding="utf-8")


def test_a_dump_never_takes_the_databases_place(bmp: Bmp, place: Path) -> None:
    content = place.read_bytes()
    assert bmp("phenomena", "dump", "-o", place).code == 1
    assert place.read_bytes() == content


def test_decisions_on_a_retired_entry_go_out_and_come_back_in_bulk(bmp: Bmp, place: Path, tmp_path: Path) -> None:
    with open_store(place) as store:
        decide(store, PAPERS[0], "H1.1", SUPPORTS)
        upkeep(store).merge("H1.1", "H1.2")
    file = tmp_path / "decisions.csv"
    assert bmp("queue", "export", file).code == 0
    assert file.read_text(encoding="utf-8").count(PAPERS[0]) == 2
    assert bmp("queue", "import", file).code == 0


# What must not get lost


def test_what_is_disputed_waits_where_it_goes(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        fill(tmp_path / name)
    with open_store(tmp_path / "b.db") as theirs:
        decide(theirs, PAPERS[0], "H1.1", Decision(Verdict.REJECT), by="cy")
    with open_store(tmp_path / "a.db") as store:
        decide(store, PAPERS[0], "H1.1", SUPPORTS, minute=1)
        with open_copy(tmp_path / "b.db") as theirs:
            merge(store, theirs, now=to_text(NOW), program_version="test")
        moved = upkeep(store).merge("H1.1", "H1.2")
        assert (moved.accepted, moved.queued, waiting(store, "H1.2")) == (0, 1, {PAPERS[0]})


def test_what_was_carried_and_taken_back_is_not_carried_again(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    upkeep(store).merge("H1.1", "H1.2")
    Review(store, reviewer="ben", clock=lambda: NOW + timedelta(days=2)).undo()
    assert upkeep(store).merge("H1.1", "H1.2").accepted == 0
    assert evidence(store, "H1.2") == {}


def test_what_was_re_opened_is_re_opened_there_though_the_text_came_back(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    bring(store, paper(PAPERS[0], 2))
    bring(store, replace(paper(PAPERS[0], 3), abstract=paper(PAPERS[0], 1).abstract))
    assert evidence(store, "H1.1")[PAPERS[0]].status is Status.REOPENED
    upkeep(store).merge("H1.1", "H1.2")
    assert evidence(store, "H1.2")[PAPERS[0]].status is Status.REOPENED


def test_a_decision_after_all_others_on_a_retired_entry_is_told_though_the_paper_waits_elsewhere(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", Decision(Verdict.MAYBE))
    decide(store, PAPERS[1], "H1.1", SUPPORTS)
    upkeep(store).merge("H1.1", "H1.2")
    for arxiv_id, verdict, stance in ((PAPERS[0], Verdict.ACCEPT, SUPPORTS.stance), (PAPERS[1], Verdict.REJECT, None)):
        candidate_id = find_candidate_id(store, arxiv_id, "H1.1")
        assert candidate_id is not None
        with store.transaction():  # as a merge of databases brings it
            append_verdict(
                store, candidate_id, verdict, stance=stance, reviewer="cy", now=to_text(NOW + timedelta(days=3))
            )
    assert find_stranded(store) == {"H1.1": (PAPERS[0], PAPERS[1])}


def test_loading_retires_no_entry_that_anything_was_decided_for(store: Store) -> None:
    decide(store, PAPERS[0], "H1.1", SUPPORTS)
    gone = [replace(one, retired=True, superseded_by=("W2.2",)) for one in (LOSS, SPLIT)]
    with store.transaction():
        loaded = load_phenomena(store, [*gone, GROKKING], LOADED)
    assert loaded.kept == ("H1.1",)
    assert [one.code for one in list_phenomena(store)] == ["H1.1", "W2.2"]


@pytest.mark.parametrize("successor", ["Z9.9", "H1.1"])
def test_a_retired_entry_leads_to_another_one(store: Store, successor: str) -> None:
    with pytest.raises(CatalogueError, match="cannot take its place"):
        upkeep(store).load([replace(LOSS, retired=True, superseded_by=(successor,))])


def test_codes_differ_by_more_than_case(store: Store) -> None:
    with pytest.raises(CatalogueError, match="never given twice"), store.transaction():
        load_phenomena(store, parts("h1.1"), LOADED)


def test_an_edit_over_somebody_elses_is_refused(store: Store) -> None:
    upkeep(store).edit(LOSS, replace(LOSS, maturity=Maturity.CONTESTED))
    with pytest.raises(CatalogueError, match="changed meanwhile"):
        upkeep(store).edit(LOSS, replace(LOSS, title="Other"))
    assert find_phenomenon(store, "H1.1").maturity is Maturity.CONTESTED


def test_what_was_written_for_a_split_is_kept_where_it_cannot_be_done(bmp: Bmp, place: Path, editor: Editor) -> None:
    editor("""sed -i '0,/H1.1/s//H1.8/; s/^code = "H1.1"/code = "H1.2"/' "$1" """)
    result = bmp("phenomena", "split", "H1.1")
    assert result.code == 2
    (kept,) = (place.parent / "edits").iterdir()
    assert str(kept) in result.err


def test_a_blind_reviewer_carries_nothing_unseen(bmp: Bmp, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(place) as store:
        decide(store, PAPERS[0], "H1.1", SUPPORTS, by="cy")
    monkeypatch.setenv("BMP_BLIND", "yes")
    assert bmp("phenomena", "merge", "H1.1", "H1.2").code == 2
    assert bmp("phenomena", "merge", "H1.1", "H1.2", "--queue").code == 0


@pytest.mark.usefixtures("place")
def test_without_an_editor_and_a_terminal_one_line_says_so(bmp: Bmp, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    for words in (("edit", "W2.2"), ("add",), ("edit", "W2.2", "--title", "")):
        result = bmp("phenomena", *words)
        assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)


@pytest.mark.usefixtures("place")
def test_only_what_matching_reads_is_matched_anew(bmp: Bmp) -> None:
    assert "anew" not in bmp("phenomena", "edit", "H1.1", "--maturity", "contested").err
    assert "anew" in bmp("phenomena", "edit", "H1.1", "--title", "Loss falls and falls").err
