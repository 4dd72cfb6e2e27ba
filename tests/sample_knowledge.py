"""Some years of a catalogue's life in a database, for tests of what is published of it; no paper in it is real.

Papers of all stances from 2017 on, some for several claims; revisions and a withdrawal that re-opened decisions, two
reviewers who differ, maturities set and set again, an entry split into others, a claim reworded, and texts that try
to be more than text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from curation.catalogue import load_catalogue
from curation.review import Decision, Review
from db.carrying import carry_acceptances, list_acceptances
from db.papers import save_papers
from db.phenomena import find_phenomenon
from db.records import Aspect, CatalogueChange, ChangeKind, Maturity, Paper, Phenomenon, Stance, Verdict
from db.runs import start_run
from db.store import Store
from db.times import to_text
from db.upkeep import retire_phenomenon, save_phenomena

BEGAN = datetime(2026, 7, 3, 8, 0, tzinfo=UTC)
FEATURED = "W2.2"
RETIRED = Phenomenon(
    "W2.10", Aspect.WHAT, "Training dynamics", "Sudden jumps of any kind",
    "Losses and accuracies jump in training, whatever the cause.", maturity=Maturity.CONTESTED,
)  # fmt: skip
HOSTILE = (
    "</script><script>alert(1)</script> ]]> <!-- \u2028 and \u2029 'quotes' \"doubled\" \\u003c",
    "Costs of $5 and \\input{/etc/passwd} & more {{ 7 * 7 }} {% raw %}",
    "\u202egnirts desrever\u202c a \u0007bell, a tab\tand 漢字, العربية, é",
    "javascript:alert(1) [x](http://evil.example) <img src=//evil.example/x onerror=alert(1)>",
)
_GIVEN = (
    "Ada Benedikt Chandra Dolores Ewa Farid Grace Hana Ivo Jia Kwame Lena Mateo Ngozi Oskar Priya Quentin Rosa Sven"
    " Tomoko Umar Vera Wei Ximena Yusuf Zofia"
).split()
_FAMILY = (
    "Alvarez Byron Chen Demir Eriksen Farouk Gupta Haddad Ito Jansen Kobayashi Lindqvist Mensah Nowak Obi Petrov Quist"
    " Rao Sokolova Torres Ueda Vogt Wolska Xu Yilmaz Zhang"
).split()
_ROW = tuple[str, str, Stance, str, str]  # day of v1, title, stance, sentence, note
_S, _C, _Q, _M = Stance.SUPPORTS, Stance.CONTRADICTS, Stance.QUALIFIES, Stance.MENTIONS
_GROKKING: tuple[_ROW, ...] = (
    ("2021-05-04", "Delayed generalisation on small algorithmic tables", _S,
     "Validation accuracy rises from chance to 100 % about a thousand times later than training accuracy does.", ""),
    ("2022-03-17", "A mechanism for late generalisation in modular arithmetic", _S,
     "The circuit that generalises forms slowly under weight decay while memorised answers are still in use.",
     "Three seeds, all alike."),
    ("2022-10-11", "Late generalisation without weight decay", _Q,
     "Without weight decay the delay shrinks to a factor of two, and in a third of our runs there is none.",
     "Only for small initialisation."),
    ("2023-02-09", "Does late generalisation happen outside algorithmic data?", _S,
     "On images and molecules we induce the same delay by starting from large weights.", ""),
    ("2023-06-22", "Delayed generalisation is an artefact of the split", _C,
     "With splits that keep every symbol in training, test accuracy follows training accuracy at once.",
     "Their tables are ten times larger."),
    ("2023-11-30", "From lazy to rich: one account of delayed generalisation", _S,
     "Delay appears just where the kernel regime lasts longer than it takes to fit the training set.", ""),
    ("2024-04-18", "Measuring progress before the jump", _S,
     "Hidden progress measures rise steadily for the whole plateau of the test accuracy.", "See Appendix C."),
    ("2024-09-02", "A survey of phases in training", _M,
     "We review phase changes in training, delayed generalisation among them.", ""),
    ("2025-01-20", "No delay in language models of a billion parameters", _C,
     "In none of 24 pre-training runs do we see generalisation that comes after the training loss has settled.",
     "Asks whether the claim holds at scale, not whether it holds at all."),
    ("2025-03-12", "Late generalisation in two-hop reasoning", _S,
     "Two-hop questions are answered only after training twenty times longer than fitting takes.", ""),
    ("2025-08-26", "Delayed generalisation during pre-training of expert mixtures", _S,
     "Held-out tasks are solved long after the loss on their training data has become flat.", ""),
    ("2026-02-05", "When the delay disappears", _Q,
     "The delay falls as one over the share of the table that is shown, and is gone above 80 %.", ""),
)  # fmt: skip
_BUDGET: tuple[_ROW, ...] = (
    ("2020-04-02", "One best size for every budget", _S,
     "For each budget the loss has one minimum in model size, and the minimum moves as the root of compute.", ""),
    ("2022-06-14", "Tokens and parameters should grow alike", _S,
     "Fits by three methods agree: parameters and tokens grow in about equal proportion.", "400 runs."),
    ("2023-05-25", "The best ratio moves with the quality of data", _Q,
     "On filtered text the best ratio falls from about 20 tokens a parameter to 12.", ""),
    ("2024-01-16", "A replication of compute-optimal training", _S,
     "We recover the published exponents within their intervals on open data.", ""),
    ("2024-07-08", "Optimal sizes under a fixed wall clock", _Q,
     "When time instead of compute is fixed, the optimum moves to wider and shallower models.", ""),
    ("2025-05-19", "Compute-optimal training of state-space models", _S,
     "The same law holds for recurrent models, with an exponent that differs by 0.02.", ""),
)  # fmt: skip
_EMERGENCE: tuple[_ROW, ...] = (
    ("2023-05-01", "Smooth under the right metric", _S,
     "Nine in ten abrupt curves become smooth when exact match is replaced by edit distance.", ""),
    ("2023-09-19", "Jumps that stay under continuous metrics", _C,
     "On four of eleven tasks the jump remains under the log probability of the right answer.", "Clear."),
    ("2024-03-05", "Loss thresholds and abrupt abilities", _C,
     "Below a loss of 2.2 performance rises, above it stays at chance, whatever the metric.", ""),
    ("2024-06-27", "Bimodal seeds look like emergence", _Q,
     "Across seeds performance is bimodal, so that averages look smooth and single models do not.", ""),
    ("2025-02-11", "Resolution of test sets and apparent jumps", _S,
     "With ten times as many test items every jump resolves into a steady rise.", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Piece:
    """A paper's bearing on a claim, and when who decided it."""

    paper: Paper
    code: str
    decision: Decision
    reviewer: str
    at: datetime


def fill_with_years(store: Store, *, backwards: bool = False, claims: int = 40, hostile: bool = True) -> None:
    """Fill an empty database.

    Args:
        backwards: bring in papers and decisions in the opposite order; what is known comes to the same.
        claims: how many claims get evidence beside the featured ones.
        hostile: let some texts try to be markup, script, TeX or templates.
    """
    catalogue = [*load_catalogue(), RETIRED]
    with store.transaction():
        save_phenomena(store, catalogue, CatalogueChange(ChangeKind.LOAD, "bmp", to_text(BEGAN)))
    pieces = list(_pieces(catalogue, claims, hostile))
    ordered = pieces[::-1] if backwards else pieces
    _save(store, {piece.paper.arxiv_id: piece.paper for piece in ordered}.values(), BEGAN)
    for piece in ordered:
        _decide(store, piece)
    _live_on(store, catalogue, pieces)


def _decide(store: Store, piece: _Piece, *, blind: bool = False) -> None:
    review = Review(store, reviewer=piece.reviewer, clock=lambda: piece.at, blind=blind)
    review.decide_paper(piece.paper.arxiv_id, piece.code, piece.decision)


def _save(store: Store, papers: Iterable[Paper], at: datetime) -> None:
    with store.transaction():
        now = to_text(at)
        run_id = start_run(store, kind="nightly", source="oai", categories=[], started_at=now, program_version="test")
        save_papers(store, papers, run_id=run_id, now=now)


def _pieces(catalogue: Sequence[Phenomenon], claims: int, hostile: bool) -> Iterable[_Piece]:
    rng = Random(7)
    number = 0
    for code, rows in (("W2.2", _GROKKING), ("H1.2", _BUDGET), ("W1.4", _EMERGENCE)):
        for row in rows:
            number += 1
            yield _piece(rng, number, code, row)
    others = [one for one in catalogue if one.code not in {"W2.2", "H1.2", "W1.4", RETIRED.code}]
    for phenomenon in rng.sample(others, claims):
        for row in _make_rows(rng, phenomenon):
            number += 1
            made = _piece(rng, number, phenomenon.code, row)
            yield made
            if rng.random() < 0.06:  # the same paper, for another claim
                yield replace(made, code=rng.choice(("W2.2", "H1.2")), decision=Decision(Verdict.ACCEPT, _M))
    for title in HOSTILE if hostile else ():
        number += 1
        yield _piece(rng, number, "W2.10", ("2024-02-29", title, _Q, f"We say {title}", f"note {title}"), (title,))


def _piece(rng: Random, number: int, code: str, row: _ROW, authors: tuple[str, ...] = ()) -> _Piece:
    day, title, stance, sentence, note = row
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    paper = Paper(
        arxiv_id=f"{day[2:4]}{day[5:7]}.9{number:04d}",
        version=1 + rng.randrange(3),
        title=title,
        abstract=f"We look again. {sentence} We tell what follows.",
        authors=authors
        or tuple(f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}" for _ in range(rng.choice((1, 2, 2, 3, 5)))),
        categories=("cs.LG",),
        published_at=moment,
        updated_at=moment,
        datestamp=moment.date(),
    )
    decision = Decision(Verdict.ACCEPT, stance, note or None, sentence=" ".join(sentence.split()))
    at = BEGAN + timedelta(hours=number * 7, minutes=number)
    return _Piece(paper, code, decision, rng.choice(("ada", "ada", "grace")), at)


def _make_rows(rng: Random, phenomenon: Phenomenon) -> Iterable[_ROW]:
    subject = phenomenon.title[0].lower() + phenomenon.title[1:]
    openings = ("Revisiting", "A controlled study of", "Evidence on", "New measurements of", "Open questions on")
    weights = (2, 5, 3, 2) if phenomenon.maturity is Maturity.CONTESTED else (8, 1, 2, 2)
    for opening in openings[: rng.randrange(1, 6)]:
        stance = rng.choices((_S, _C, _Q, _M), weights)[0]
        day = f"{rng.randrange(2018, 2027)}-{rng.randrange(1, 7):02d}-{rng.randrange(1, 28):02d}"
        sentence = f"Over {rng.randrange(3, 60)} runs we find what the claim says of '{subject}' to be so in part."
        yield day, f"{opening} the claim that {subject}", stance, sentence, rng.choice(("", "", "Seen in Table 2."))


def _live_on(store: Store, catalogue: Sequence[Phenomenon], pieces: Sequence[_Piece]) -> None:
    """Let papers change, reviewers differ, and the catalogue be kept."""
    later = BEGAN + timedelta(days=100)
    grokking = [piece for piece in pieces if piece.code == FEATURED]
    changed = grokking[3].paper
    _save(store, [replace(changed, version=9, abstract="Its claim is another one now.")], later)
    _save(store, [replace(grokking[6].paper, version=9, withdrawn=True, tells_type=True)], later + timedelta(hours=1))
    emergence = [piece for piece in pieces if piece.code == "W1.4"]
    for number, (name, stance) in enumerate((("ben", _C), ("grace", _Q))):
        decision = Decision(Verdict.ACCEPT, stance, f"as {name} reads it")
        at = later + timedelta(hours=2 + number)
        _decide(store, replace(emergence[2], reviewer=name, decision=decision, at=at), blind=True)
    _keep_catalogue(store, catalogue, later + timedelta(days=1))
    taken_back = Review(store, reviewer="grace", clock=lambda: later + timedelta(days=30))
    taken_back.decide_paper(grokking[7].paper.arxiv_id, FEATURED, Decision(Verdict.REJECT, note="a survey"))
    budget = next(piece for piece in pieces if piece.code == "H1.2" and piece.decision.stance is _Q)
    again = replace(budget, decision=Decision(Verdict.ACCEPT, _S, "read again"), at=later + timedelta(days=31))
    _decide(store, again)


def _keep_catalogue(store: Store, catalogue: Sequence[Phenomenon], at: datetime) -> None:
    by_code = {one.code: one for one in catalogue}
    steps = (
        (replace(by_code["H1.2"], maturity=Maturity.ESTABLISHED), "five groups over five years"),
        (replace(by_code[FEATURED], maturity=Maturity.CONTESTED), "two groups saw none at scale"),
        (replace(by_code[FEATURED], maturity=Maturity.REPLICATED), "what they saw was another regime"),
        (replace(by_code["H2.1"], statement=by_code["H2.1"].statement + " This holds for Adam too."), None),
        (Phenomenon("W2.11", Aspect.WHAT, "Training dynamics", "Loss plateaus come before jumps",
                    "Where an ability appears at once, the loss on it was flat for long before."), "split off"),
    )  # fmt: skip
    with store.transaction():
        for number, (entry, note) in enumerate(steps):
            kind = ChangeKind.EDIT if entry.code in by_code else ChangeKind.ADD
            change = CatalogueChange(kind, "ada", to_text(at + timedelta(hours=number)), note)
            save_phenomena(store, [entry], change)
        now = to_text(at + timedelta(days=2))
        retired = find_phenomenon(store, RETIRED.code)
        for target in (FEATURED, "W2.11"):
            acceptances = list_acceptances(store, RETIRED.code)
            carry_acceptances(store, acceptances, retired, target, reviewer="ada", now=now)
        change = CatalogueChange(ChangeKind.SPLIT, "ada", now, "too wide to be right or wrong")
        retire_phenomenon(store, retired, (FEATURED, "W2.11"), change)
