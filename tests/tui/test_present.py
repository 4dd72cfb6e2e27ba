"""What is shown, built without a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from curation.tui import present


def row(**changes: Any) -> dict[str, Any]:
    base = {
        "title": "A title", "abstract": "One. Two loses. Three.", "sentence_start": 5, "sentence_end": 15,
        "sentence": "Two loses.", "score": 0.912, "phenomenon": "H1.2", "phenomenon_title": "T", "status": "pending",
        "withdrawn": False, "authors": ["A", "B"], "published": "2026-11-20", "arxiv_id": "2611.00001", "version": 1,
        "categories": ["cs.LG"], "comments": None, "journal_ref": None, "doi": None, "claim": "It is so.",
        "criteria": {"counts": [], "excludes": [], "precedents": []}, "reasons": [], "history": [],
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


@pytest.mark.parametrize("width", [10, 40, 76, 200])
def test_the_key_line_fits_and_always_ends_with_the_list_of_keys(width: int) -> None:
    keys = [("s", "supports"), ("c", "contradicts"), ("r", "reject"), ("?", "keys")]
    line = present.key_line(keys, width).plain
    assert line.endswith("? keys") and len(line) <= width


@given(st.text(max_size=80))
def test_plain_text_is_one_printable_line(text: str) -> None:
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in present.plain(text))
