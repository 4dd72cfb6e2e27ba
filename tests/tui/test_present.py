"""What is shown, built without a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from curation.difference import Op
from curation.tui import present


def row(**changes: Any) -> dict[str, Any]:
    base = {
        "title": "A title", "abstract": "One. Two loses. Three.", "sentence_start": 5, "sentence_end": 15,
        "sentence": "Two loses.", "score": 0.912, "phenomenon": "H1.2", "phenomenon_title": "T", "status": "pending",
        "withdrawn": False, "authors": ["A", "B"], "published": "2026-11-20", "arxiv_id": "2611.00001", "version": 1,
        "categories": ["cs.LG"], "comments": None, "journal_ref": None, "doi": None, "claim": "It is so.",
        "criteria": {"counts": [], "excludes": [], "precedents": []}, "reasons": [], "history": [], "others": [],
        "difference": None, "known": [], "sides": [],
    }  # fmt: skip
    return base | changes


def styled(content: Content, style: str) -> list[str]:
    return [content.plain[span.start : span.end] for span in content.spans if span.style == style]


def test_the_evidence_sentence_and_nothing_else_is_lit() -> None:
    body = present.paper_body(row())
    assert body.plain == "One. Two loses. Three."
    assert styled(body, present.EVIDENCE) == ["Two loses."]


@pytest.mark.parametrize(("start", "end"), [(None, None), (5, None), (9, 5), (-1, 4), (0, 99), (3, 3)])
def test_a_span_that_is_none_lights_nothing(start: int | None, end: int | None) -> None:
    body = present.lit_abstract(row(sentence_start=start, sentence_end=end))
    assert body.plain == "One. Two loses. Three."
    assert styled(body, present.EVIDENCE) == []


def test_cleaning_does_not_move_the_light() -> None:
    abstract = "\x1b\u202eOne.\n\n  Two\u200b loses.\n Three."
    start, end = abstract.index("Two"), abstract.index("\n Three")
    body = present.lit_abstract(row(abstract=abstract, sentence_start=start, sentence_end=end))
    assert body.plain == "One. Two loses. Three."
    assert styled(body, present.EVIDENCE) == ["Two loses."]


@given(abstract=st.text(max_size=60), start=st.integers(0, 60), end=st.integers(0, 60))
def test_lighting_a_sentence_changes_no_letter(abstract: str, start: int, end: int) -> None:
    lit = present.lit_abstract(row(abstract=abstract, sentence_start=start, sentence_end=end))
    assert lit.plain.replace(" ", "") == present.plain(abstract).replace(" ", "")


def test_evidence_of_an_earlier_revision_is_shown_as_such() -> None:
    body = present.paper_body(row(sentence_start=None, sentence_end=None))
    assert body.plain.startswith("In an earlier revision: Two loses.")


def reopened(**changes: Any) -> dict[str, Any]:
    words = {
        "title": [{"op": "same", "text": "A title"}],
        "abstract": [
            {"op": "same", "text": "a b c d e f g h"}, {"op": "removed", "text": "wins."},
            {"op": "added", "text": "loses."}, {"op": "same", "text": "Three."},
        ],
    }  # fmt: skip
    facts = {"reason": "v2 changed it", "from_version": 1, "to_version": 2, "withdrawn": False}
    return row(status="reopened", difference=facts | words | changes)


def test_what_changed_stands_before_the_abstract_and_needs_no_colour() -> None:
    body = present.paper_body(reopened())
    assert body.plain == (
        "Re-opened: v2 changed it\nv1, which was accepted, and v2 differ.\n"
        "Abstract: … c d e f g h [-wins.-] {+loses.+} Three.\n\nOne. Two loses. Three."
    )
    assert styled(body, present.CHANGED[Op.REMOVED]) == ["[-wins.-]"]
    assert styled(body, present.CHANGED[Op.ADDED]) == ["{+loses.+}"]
    assert styled(body, present.EVIDENCE) == ["Two loses."]


def test_a_title_that_changed_is_shown_too() -> None:
    title = [{"op": "removed", "text": "Old"}, {"op": "added", "text": "New"}, {"op": "same", "text": "title"}]
    assert "\nTitle: [-Old-] {+New+} title\nAbstract:" in present.paper_body(reopened(title=title)).plain


def test_a_mere_withdrawal_is_said_with_the_comment_of_arxiv() -> None:
    same = [{"op": "same", "text": "One."}]
    gone = reopened(abstract=same, withdrawn=True, reason="v2 was withdrawn") | {"comments": "An error."}
    said = "v2 is WITHDRAWN. Title and abstract are still those of v1, which was accepted. arXiv's comment: An error."
    assert present.paper_body(gone).plain.startswith(f"Re-opened: v2 was withdrawn\n{said}\n\nOne.")
    silent = present.paper_body(gone | {"comments": None}).plain
    assert "arXiv has no comment on it." in silent
    back = reopened(abstract=same, to_version=3)
    assert "those of v1, which was accepted. v3 is not withdrawn." in present.paper_body(back).plain


@given(st.lists(st.tuples(st.sampled_from(["same", "removed", "added"]), st.text(max_size=20)), max_size=8))
def test_a_difference_of_any_text_sends_the_terminal_letters_only(pieces: list[tuple[str, str]]) -> None:
    body = present.paper_body(reopened(abstract=[{"op": op, "text": text} for op, text in pieces])).plain
    assert present.plain(body) == present.plain(body.replace("\n", " "))
    assert not any((ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160 for letter in body)


def test_an_empty_abstract_is_said() -> None:
    body = present.paper_body(row(abstract="", sentence=None, sentence_start=None, sentence_end=None))
    assert body.plain == "(no abstract)"


@pytest.mark.parametrize(
    ("keyword", "found"),
    [("scaling law", ["Scaling laws", "scaling-law"]), ("law", []), ("loss (", []), ("", []), ("two", ["two"])],
)
def test_keywords_are_underlined_as_whole_words(keyword: str, found: list[str]) -> None:
    text = Content("Scaling laws of two lawns, scaling-law; unlawful.")
    marked = styled(present.underline(text, [keyword]), present.KEYWORD)
    assert [word for word in marked if word.lower() not in ("laws", "law")] == found


def test_flags_are_words() -> None:
    flagged = row(status="reopened", withdrawn=True)
    assert "RE-OPENED · WITHDRAWN" in present.paper_head(flagged).plain
    assert "re-opened withdrawn" in present.queue_lines(flagged, tall=False)[0].plain
    assert "re-opened withdrawn" in present.queue_lines(flagged, tall=True)[0].plain


def test_a_paper_brought_in_by_hand_has_no_score() -> None:
    assert present.queue_lines(row(score=None), tall=False)[0].plain.startswith("hand  H1.2")


def test_many_authors_are_counted_above_and_named_below() -> None:
    many = row(authors=list("ABCDEFG"))
    assert "A, B, C, D and 3 more" in present.paper_head(many).plain
    assert "Authors: A, B, C, D, E, F, G" in present.paper_body(many).plain


def test_the_claim_side_leaves_out_what_there_is_none_of() -> None:
    assert present.claim_side(row()).plain == "H1.2  T\nIt is so."
    full = row(
        criteria={"counts": ["a"], "excludes": ["b"], "precedents": ["c"]},
        reasons=["scored"],
        history=[{"kind": "snooze", "stance": None, "until": "2026-12-01", "note": "wait", "reviewer": "ada",
                  "decided_at": "2026-11-20T00:00:00Z"}],
    )  # fmt: skip
    text = present.claim_side(full, note="mine").plain
    for part in ("mine", "+ a", "- b", "c", "scored", "2026-11-20 snoozed until 2026-12-01, ada: wait"):
        assert part in text


def test_reasons_stand_in_a_block_and_hostile_words_do_it_no_harm() -> None:
    reasons = [
        "scored 0.97",
        "words: \x1b[31mred\x1b[2J, [@click=app.quit]press[/], a\u202eb\nc",
        "near: 2001.08361 (0.71)",
    ]
    shown = present.claim_side(row(reasons=reasons))
    block = shown.plain.split("\n\n")[-1].splitlines()
    words = "words: [31mred[2J, [@click=app.quit]press[/], ab c"
    assert block == ["Why it is here", "scored 0.97", words, "near: 2001.08361 (0.71)"]
    assert not any("click" in str(span.style) for span in shown.spans)


@pytest.mark.parametrize("width", [10, 40, 76, 200])
def test_the_key_line_fits_and_always_ends_with_the_list_of_keys(width: int) -> None:
    keys = [("s", "supports"), ("c", "contradicts"), ("r", "reject"), ("?", "keys")]
    line = present.key_line(keys, width).plain
    assert line.endswith("? keys") and len(line) <= width


@given(st.text(max_size=80))
def test_plain_text_is_one_printable_line(text: str) -> None:
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in present.plain(text))
