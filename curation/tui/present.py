"""Builds what is shown from rows of the queue: pure text with styles, cleaned, and never read as markup.

Styles name variables of the theme, so that the same text serves the dark and the light one. Nothing rests on colour
alone: what matters is also said in words, in bold or underlined.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from textual.content import Content

from curation.difference import Op, Piece, mark, shorten
from curation.reopening import changed_parts, say_difference
from curation.tui.progress import Progress
from db.records import Stance, Status
from db.store import Row
from db.text import clean_line, show_score

EVIDENCE = "bold $evidence-ink on $evidence"
HEADING = "bold $primary"
MUTED = "$muted"
FLAG = "bold $warning"
KEY = "bold $accent"
KEYWORD = "underline"
CHANGED = {Op.SAME: "", Op.REMOVED: "strike", Op.ADDED: "bold underline"}

STANCE_NOUNS = {
    Stance.SUPPORTS: "for it",
    Stance.CONTRADICTS: "against it",
    Stance.QUALIFIES: "with limits",
    Stance.MENTIONS: "in passing",
}

SHOWN_AUTHORS = 4
SHOWN_KNOWN = 8
CODE_WIDTH = 8
WORDS_ABOUT_A_CHANGE = 6

Part = tuple[str, str]


def plain(text: object) -> str:
    """Return text from outside as one line that can do the terminal no harm; empty for None."""
    return "" if text is None else clean_line(str(text))


def score_text(row: Row) -> str:
    """Return the score in four characters; `hand` for what a person brought in, dashes where it is not to be seen."""
    if row.get("score_hidden"):
        return " -- "
    return "hand" if row["score"] is None else show_score(row["score"])


def flags(row: Row) -> list[str]:
    """Return in words what sets a candidate apart from a new one."""
    found = ["re-opened"] if row["status"] == "reopened" else []
    return [*found, "withdrawn"] if row["withdrawn"] else found


def queue_lines(row: Row, *, tall: bool) -> list[Content]:
    """Return a candidate's row in the list: one line, or two (score, code and flags over the title)."""
    title = plain(row["title"]) or "(no title)"
    code = plain(row["phenomenon"])
    flagged = " ".join(flags(row))
    heads = row.get("heads_group", False)
    if tall:
        group = f"  {plain(row['phenomenon_title'])}" if heads else ""
        first = [
            (score_text(row), KEY),
            (f"  {code}", "bold"),
            (group, HEADING),
            (f"  {flagged}" if flagged else "", FLAG),
        ]
        return [_join(first), Content(title)]
    line = [
        (score_text(row), KEY),
        (f"{'▸' if heads else ' '} {code.ljust(CODE_WIDTH)}", HEADING if heads else "bold"),
        (f" {flagged}:" if flagged else "", FLAG),
    ]
    return [_join([*line, (f" {title}", "")])]


def paper_head(row: Row) -> Content:
    """Return title, authors, and a line of date, id and categories, with the flags before it."""
    authors = [plain(author) for author in row["authors"]]
    byline = ", ".join(authors[:SHOWN_AUTHORS])
    if len(authors) > SHOWN_AUTHORS:
        byline += f" and {len(authors) - SHOWN_AUTHORS} more"
    facts = [row["published"], f"{row['arxiv_id']}v{row['version']}", " ".join(row["categories"])]
    flagged = " · ".join(flags(row)).upper()
    return _join(
        [
            (plain(row["title"]) or "(no title)", "bold"),
            (f"\n{byline or '(no authors)'}\n", MUTED),
            (f"{flagged} · " if flagged else "", FLAG),
            (" · ".join(plain(fact) for fact in facts), MUTED),
        ]
    )


def paper_body(row: Row, keywords: Sequence[str] = ()) -> Content:
    """Return the abstract with the evidence sentence lit and the keywords underlined, then what else is known.

    Before it stands, for a re-opened paper, why it is here again and what changed.
    """
    abstract = underline(lit_abstract(row), keywords)
    if not abstract.plain:
        abstract = Content.styled("(no abstract)", MUTED)
    if row["sentence"] and row["sentence_start"] is None:
        lead = _join([("In an earlier revision: ", MUTED), (plain(row["sentence"]), EVIDENCE), ("\n\n", "")])
        abstract = lead.append(abstract)
    if row["difference"]:
        abstract = _join([*_difference(row), ("\n\n", "")]).append(abstract)
    return abstract.append(_join(_paper_tail(row)))


def _difference(row: Row) -> list[Part]:
    """Return why a paper is re-opened, and its changes between wdiff's signs, which need no colour."""
    parts = [(f"Re-opened: {plain(row['difference']['reason'])}", FLAG), (f"\n{plain(say_difference(row))}", "")]
    for name, pieces in changed_parts(row["difference"]).items():
        parts += [(f"\n{name.capitalize()}:", MUTED), *_marked(shorten(pieces, words=WORDS_ABOUT_A_CHANGE))]
    return parts


def _marked(pieces: Sequence[Piece]) -> list[Part]:
    return [part for piece in pieces for part in ((" ", ""), (mark(piece.op, plain(piece.text)), CHANGED[piece.op]))]


def _paper_tail(row: Row) -> list[Part]:
    authors = row["authors"]
    known = {
        "Authors": ", ".join(authors) if len(authors) > SHOWN_AUTHORS else None,
        "Comments": row["comments"],
        "Journal": row["journal_ref"],
        "DOI": row["doi"],
    }
    lines = [(f"\n{name}: {plain(value)}", MUTED) for name, value in known.items() if plain(value)]
    return [("\n", ""), *lines] if lines else []


def lit_abstract(row: Row) -> Content:
    """Return the abstract with the sentence `sentence_start:sentence_end` lit, if that is a span of it."""
    abstract = row["abstract"] or ""
    start, end = row["sentence_start"], row["sentence_end"]
    if start is None or end is None or not 0 <= start < end <= len(abstract):
        return Content(plain(abstract))
    before, sentence, after = abstract[:start], abstract[start:end], abstract[end:]
    # The parts are cleaned apart, so that the light stays on the sentence whatever cleaning takes away.
    lead, tail = plain(before), plain(after)
    gap_before = " " if lead and (before[-1:].isspace() or sentence[:1].isspace()) else ""
    gap_after = " " if tail and (after[:1].isspace() or sentence[-1:].isspace()) else ""
    return _join([(lead + gap_before, ""), (plain(sentence), EVIDENCE), (gap_after + tail, "")])


def underline(content: Content, keywords: Sequence[str]) -> Content:
    """Underline the keywords, in upper or lower case, in the singular or plural, as whole words."""
    words = [re.escape(plain(keyword)).replace(r"\ ", r"[\s-]") for keyword in keywords if plain(keyword)]
    if not words:
        return content
    longest_first = "|".join(sorted(words, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{longest_first})(?:e?s)?(?!\w)", re.IGNORECASE)
    return content.highlight_regex(pattern, style=KEYWORD)


def claim_side(row: Row, *, note: str = "") -> Content:
    """Return the claim, what counts for it and what does not, why the paper is here, and what happened to it."""
    criteria = row["criteria"]
    blocks = [
        _listed("Decided differently", [event_text(side) for side in row["sides"]]),
        [(f"{plain(row['phenomenon'])}  {plain(row['phenomenon_title'])}\n", HEADING), (plain(row["claim"]), "")],
        _listed("Your note, kept with your decision", [note] if note else []),
        _listed("What counts", criteria["counts"], "+ "),
        _listed("What does not", criteria["excludes"], "- "),
        _listed("Decided before", criteria["precedents"]),
        known_evidence(row["known"]),
        _listed("Why it is here", row["reasons"]),
        _listed("The same paper elsewhere", [other_text(other) for other in row["others"]]),
        _listed("History", [event_text(event) for event in row["history"]]),
    ]
    return Content("\n\n").join([_join(block) for block in blocks if block])


def _listed(heading: str, items: Sequence[str], mark: str = "") -> list[Part]:
    lines = [(f"\n{mark}{plain(item)}", "") for item in items]
    return [(heading, HEADING), *lines] if lines else []


def known_evidence(known: Sequence[Row]) -> list[Part]:
    """Return what is accepted for the claim: how many papers of each stance, and the newest of them."""
    if not known:
        return []
    parts: list[Part] = [(f"Known: {count_stances(known)}", HEADING)]
    for piece in known[:SHOWN_KNOWN]:
        flag = " re-opened:" if piece["status"] == Status.REOPENED else ""
        parts += [(f"\n{piece['published']} {piece['stance']}", MUTED), (flag, FLAG), (f" {plain(piece['title'])}", "")]
    more = len(known) - SHOWN_KNOWN
    return [*parts, (f"\nand {more} more", MUTED)] if more > 0 else parts


def count_stances(known: Sequence[Row]) -> str:
    """Return how many pieces of evidence there are of each stance, in words."""
    counts = {stance: sum(piece["stance"] == stance for piece in known) for stance in Stance}
    return ", ".join(f"{count} {STANCE_NOUNS[stance]}" for stance, count in counts.items() if count)


def other_text(other: Row) -> str:
    """Return one line about another candidate of the same paper: code, score, how it stands, title."""
    score = "" if other["score"] is None else f" {show_score(other['score'])}"
    stance = f" ({other['stance']})" if other["stance"] else ""
    return f"{other['phenomenon']}{score} {other['status']}{stance}: {other['phenomenon_title']}"


def verdict_text(kind: str, stance: str | None, until: str | None) -> str:
    """Return an event in the words of a sentence: `accepted as supports`."""
    said = {
        "accept": f"accepted as {stance}",
        "reject": "rejected",
        "maybe": "put aside as maybe",
        "snooze": f"snoozed until {until}",
        "undo": "decision taken back",
        "reopen": "re-opened",
    }
    return said.get(kind, kind)


def event_text(event: Row) -> str:
    """Return one line of the history: day, what, by whom, and the note if there is one."""
    said = verdict_text(event["kind"], event["stance"], event["until"])
    note = f": {event['note']}" if event["note"] else ""
    return f"{event['decided_at'][:10]} {said}, {event['reviewer']}{note}"


def entry_line(code: str, title: str, *, marked: bool) -> Content:
    """Return a phenomenon as one line of a list; marked where the paper is a candidate for it already."""
    return _join(
        [(f"{plain(code).ljust(CODE_WIDTH)}", KEY), (f" {plain(title)}", ""), (" (is one)" if marked else "", MUTED)]
    )


def progress_text(progress: Progress, *, decided: int) -> Content:
    """Return what was decided in this session and how fast, one figure a line."""
    lines = [(count, name) for name, count in sorted(progress.made.items(), key=lambda one: -one[1]) if count]
    lines += [(progress.taken_back, "taken back")] if progress.taken_back else []
    parts: list[Part] = [(f"{decided} decided", "bold"), (f" in {_minutes(progress.seconds)}", "")]
    parts += [(f", {progress.rate:.1f} a minute", "")] if progress.rate else []
    return _join([*parts, *((f"\n{count:5d}  {name}", "") for count, name in lines)])


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes > 1 else "a minute" if minutes else "less than a minute"


def left_text(code: str, recalls: Sequence[Row], *, rate: float | None) -> Content:
    """Return how many more are to be screened for a phenomenon, by the share found of what is relevant."""
    if not recalls:
        return Content.styled(f"What is left for {plain(code)} cannot be told yet: too little is decided.", MUTED)
    lines = [(f"Left to screen for {plain(code)}, best first, to find so much of what is relevant", "")]
    for one in recalls:
        minutes = f", {one['more'] / rate:.0f} minutes at this rate" if rate else ""
        lines.append((f"\n{one['more']:5d}  for {one['recall']:.0%}{minutes}", ""))
    return _join(lines)


def status_line(
    *, reviewer: str, place: str, decided: int, scope: str, said: str, rate: float | None = None
) -> Content:
    """Return the status bar: whose desk, where in the queue, how much was decided, and what happened last."""
    parts = [(plain(reviewer), MUTED), (f"  {plain(place)}", "bold"), (f"  {plain(scope)}" if scope else "", KEY)]
    done = f"  {decided} decided" + (f", {rate:.0f}/min" if rate else "")
    return _join([*parts, (done, MUTED), (f"  {plain(said)}" if said else "", "")])


def key_line(keys: Sequence[Part], width: int) -> Content:
    """Return as many keys with their words as the width holds; the last one always, since it shows them all."""
    *others, last = keys
    room = width - len(" ".join(last))
    shown: list[Part] = []
    for key, word in others:
        room -= len(key) + len(word) + 3
        if room < 0:
            break
        shown.append((key, word))
    return Content("  ").join([_join([(key, KEY), (f" {word}", MUTED)]) for key, word in [*shown, last]])


def help_text(keys: Sequence[Part]) -> Content:
    """Return every key with what it does, one a line."""
    widest = max(len(key) for key, _ in keys)
    return Content("\n").join([_join([(key.rjust(widest), KEY), (f"  {word}", "")]) for key, word in keys])


def empty_text(*, waiting: int, words: str, phenomenon: str | None, decided: int, view: str = "waiting") -> Content:
    """Return what to say where no paper is in view, and what can be done about it."""
    if view != "waiting" and not waiting:
        return _join([(f"Nothing here: {view}", HEADING), ("\nv shows what waits, or something else.", "")])
    if waiting:
        heading, advice = f"Nothing waits with “{plain(words)}”", f"esc shows all {waiting} again."
    elif decided:
        made = "1 decision" if decided == 1 else f"{decided} decisions"
        heading, advice = f"The queue is empty: {made} made", "u takes the last one back, q leaves."
    else:
        heading, advice = "Nothing waits for you", "q leaves."
    if phenomenon and not waiting:
        heading += f" for {plain(phenomenon)}"
    commands = [("\n\nbmp nightly", KEY), ("   looks for new papers", MUTED)]
    commands += [("\nbmp status ", KEY), ("   tells how the last night went", MUTED)]
    return _join([(heading, HEADING), (f"\n{advice}", ""), *([] if waiting else commands)])


def _join(parts: Sequence[Part]) -> Content:
    return Content.assemble(*(part for part in parts if part[0]))
