"""The ranker on made papers: what the text finds, what feedback and decisions add, and what must change nothing."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from word_vectors import embed, embed_documents

from crawler.ranking.background import Background, Lexicon
from crawler.ranking.features import COUNTING, Counted, Vocabulary, count_terms
from crawler.ranking.ranker import Claim, Decided, Document, Ranker, Seen

TOPIC = "grokking delayed generalization memorization modular arithmetic weight decay".split()
HIDDEN = "circuit fourier phase clean slingshot".split()  # words that relevant papers share and no claim says
OTHER = "protein graph robot speech image video market river climate poem tensor query index".split()
CLAIM = Claim("W2.2", "Grokking", "Networks generalize long after memorization.", ("delayed generalization",))
LEXICON = Lexicon(1_000, {word: 60 for word in [*TOPIC, *HIDDEN, *OTHER]})


def make_documents(relevant: int, others: int, seed: int = 1) -> list[Document]:
    """Make papers: the relevant ones come first, each with a few of the topic's words and of the hidden ones."""
    chance = random.Random(seed)
    made = []
    for number in range(relevant + others):
        about = [*chance.sample(TOPIC, 2), *chance.sample(HIDDEN, 3)] if number < relevant else []
        words = [*about, *chance.sample(OTHER, 7)]
        chance.shuffle(words)
        made.append(Document(" ".join(words[:3]), " ".join(words) + "."))
    return made


def see(documents: Sequence[Document], published: Sequence[str] | None = None) -> Seen:
    vectors = embed_documents(documents)
    return Seen(documents, vectors, published or ["2026-11-24"] * len(documents))


def make(seen: Seen | None, *claims: Claim, decided: Sequence[Decided] = (), fit: str = "") -> Ranker:
    claims = claims or (CLAIM,)
    vectors = [embed(claim.texts()) for claim in claims]
    return Ranker(claims, vectors, Background(LEXICON, None), seen, decided, fit=fit)


def average_precision(scores: npt.NDArray[np.float64], relevant: int) -> float:
    order = np.argsort(-scores, kind="stable")
    found = np.flatnonzero(order < relevant)
    return float(np.mean([(number + 1) / (place + 1) for number, place in enumerate(found)]))


def test_the_text_alone_puts_what_it_says_first_without_any_paper_at_hand() -> None:
    seen = see(make_documents(20, 400))
    logits = make(None).evidence(seen.documents, seen.vectors)[:, 0]
    assert average_precision(logits, 20) > 0.3
    assert average_precision(np.random.default_rng(1).normal(size=420), 20) < 0.15


def test_what_fits_best_finds_what_shares_its_words() -> None:
    seen = see(make_documents(20, 400))
    plain = make(None).evidence(seen.documents, seen.vectors)[:, 0]
    fed = make(seen).evidence(seen.documents, seen.vectors)[:, 0]
    assert average_precision(fed, 20) > average_precision(plain, 20)


def test_decisions_find_what_the_claim_does_not_say() -> None:
    """The papers that are accepted share words that no claim says, and the next ones are found by them."""
    seen = see(make_documents(40, 400))
    late = see(make_documents(20, 200, seed=2))
    day_zero = make(seen).evidence(late.documents, late.vectors)[:, 0]
    decided = [Decided(range(30), range(40, 80))]
    learned = make(seen, decided=decided).evidence(late.documents, late.vectors)[:, 0]
    assert average_precision(learned, 20) > average_precision(day_zero, 20)


def test_rejected_papers_sink() -> None:
    seen = see(make_documents(40, 400))
    for number in range(40, 60):  # near misses: all of the topic's words, none of the hidden ones
        seen.documents[number] = Document("grokking", " ".join([*TOPIC, *OTHER[:3]]))  # type: ignore[index]
    near = see(seen.documents)
    before = make(near, decided=[Decided(range(20))]).score(near.documents, near.vectors)[40:60, 0]
    after = make(near, decided=[Decided(range(20), range(40, 60))]).score(near.documents, near.vectors)[40:60, 0]
    assert after.mean() < before.mean()


@pytest.mark.parametrize("feeds_back", [True, False])
def test_rejections_alone_let_what_is_like_them_sink(feeds_back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what they feed back no more and, where they did not feed back, by the head alone."""
    monkeypatch.setattr("crawler.ranking.priors.FED", 50 if feeds_back else 30)
    seen = see(make_documents(40, 400))
    for number in range(40, 70):
        text = " ".join([*TOPIC[: 9 if feeds_back else 3], *OTHER[:3]]) + f" in {number} novels"
        seen.documents[number] = Document("grokking", text)  # type: ignore[index]
    near = see(seen.documents)
    plain, told = (
        make(near, decided=[decided]).evidence(near.documents, near.vectors)[:, 0]
        for decided in (Decided(), Decided((), range(40, 60)))
    )
    sunk = (plain - told)[60:70]  # none of these was decided on
    assert sunk.mean() > 0.1 and sunk.mean() > (plain - told)[:40].mean()


def test_a_dozen_rejections_tell_all_that_rejections_alone_can() -> None:
    seen = see(make_documents(40, 400))
    scored = [
        make(seen, decided=[Decided((), range(40, 40 + count))]).evidence(seen.documents, seen.vectors)[300:, 0]
        for count in (0, 3, 12, 48)
    ]
    steps = [float(np.abs(later - scored[0]).mean()) for later in scored[1:]]
    assert 0 < steps[0] < steps[1] and steps[2] < 4 * steps[1]


def test_what_is_set_aside_is_no_negative() -> None:
    seen = see(make_documents(20, 40))
    decided = [Decided(range(10), range(50, 60), aside) for aside in ((), range(10, 20))]
    counted, aside = (make(seen, decided=[one]).evidence(seen.documents, seen.vectors) for one in decided)
    assert aside[10:20].mean() > counted[10:20].mean()


@pytest.mark.parametrize("decided", [Decided(), Decided([0]), Decided((), [0])])
def test_a_claim_without_a_word_is_ranked_by_its_vector_alone(decided: Decided) -> None:
    claim = Claim("W1.1", "Why is it so?", "", ())
    alone = see([Document("On robots", "On robots.")])
    vectors = [np.repeat(alone.vectors, len(claim.texts()), axis=0)]
    ranker = Ranker([claim], vectors, Background(LEXICON, None), alone, [decided])
    assert np.isfinite(ranker.evidence(alone.documents, alone.vectors)).all()


def test_a_claims_scores_depend_neither_on_other_claims_nor_on_the_batch() -> None:
    seen = see(make_documents(20, 300))
    other = Claim("H9.9", "Rivers", "A climate of robots.", ("never seen anywhere",))
    decided = [Decided(range(5), range(30, 40)), Decided(range(50, 60), range(5))]
    alone = make(seen, decided=decided[:1]).score(seen.documents, seen.vectors)[:, 0]
    beside = make(seen, CLAIM, other, decided=decided).score(seen.documents, seen.vectors)[:, 0]
    assert np.array_equal(alone, beside)
    one_by_one = make(seen, decided=decided[:1])
    single = [one_by_one.score([seen.documents[row]], seen.vectors[row : row + 1])[0, 0] for row in range(0, 320, 40)]
    assert np.array_equal(alone[::40], single)


def test_the_same_papers_and_decisions_give_the_same_scores() -> None:
    seen = see(make_documents(20, 300))
    first, second = (make(seen, decided=[Decided(range(4), range(30, 50))]) for _ in range(2))
    assert np.array_equal(first.evidence(seen.documents, seen.vectors), second.evidence(seen.documents, seen.vectors))


def test_where_nothing_fits_little_is_taken_from_what_fits_best() -> None:
    seen = see(make_documents(0, 60))
    plain = make(None).score(seen.documents, seen.vectors)
    fed = make(seen).score(seen.documents, seen.vectors)
    assert float(np.abs(plain - fed).max()) < 0.05


def test_a_paper_that_feeds_back_does_not_raise_itself() -> None:
    """A paper of nearly the same words that is not at hand is raised by it; the paper itself only by others."""
    seen = see([Document("grokking", " ".join(TOPIC)), *make_documents(1, 200)])
    twin = Document("grokking", " ".join([*TOPIC, "tensor"]))
    own, other = make(seen).evidence([seen.documents[0], twin], seen.vectors[[0, 0]])[:, 0]
    assert own < other - 0.1


def test_unread_papers_of_later_days_are_no_negatives() -> None:
    """Only what was out when the newest decision's paper was can have been passed over."""
    documents = make_documents(30, 300)
    late = ["2026-11-24" if row < 20 or row >= 30 else "2027-01-01" for row in range(330)]
    decided = [Decided(range(20), range(40, 60))]
    passed_over = make(see(documents), decided=decided)
    not_out = make(see(documents, late), decided=decided)
    seen = see(documents)
    assert (
        not_out.score(seen.documents, seen.vectors)[20:30, 0].mean()
        >= passed_over.score(seen.documents, seen.vectors)[20:30, 0].mean()
    )


def test_scores_are_probabilities_even_of_strange_papers() -> None:
    strange = see([Document("", ""), Document("x" * 10_000, ""), Document("grokking " * 5_000, "grokking " * 5_000)])
    scores = make(see(make_documents(5, 50))).score(strange.documents, strange.vectors)
    assert scores.shape == (3, 1)
    assert np.isfinite(scores).all() and (scores >= 0).all() and (scores <= 1).all()


def test_without_claims_or_documents_there_is_nothing_to_score() -> None:
    seen = see(make_documents(3, 10))
    assert Ranker([], [], Background(LEXICON, None)).score([], np.zeros((0, 0), dtype=np.float32)).shape == (0, 0)
    assert make(seen).score([], seen.vectors[:0]).shape == (0, 1)
    with pytest.raises(ValueError, match="texts but"):
        Ranker([CLAIM], [seen.vectors[:1]], Background(LEXICON, None))
    with pytest.raises(ValueError, match="documents but"):
        make(seen).score(seen.documents, seen.vectors[:2])


@pytest.mark.parametrize("decided", [(), (Decided(range(20), range(40, 60)),)])
def test_no_paper_scores_more_than_its_words_allow(decided: Sequence[Decided]) -> None:
    """Nor one that is not at hand, unless its vector adds more than any of those does; and most reach less by far."""
    seen, late = see(make_documents(40, 400)), see(make_documents(20, 200, seed=2))
    ranker = make(seen, decided=decided)
    for papers in (seen, late):
        reached = ranker.reach(papers.documents)
        assert (ranker.evidence(papers.documents, papers.vectors) <= reached + 1e-9).all()
    assert np.median(reached[20:]) < np.median(reached[:20])


def test_what_is_within_reach_follows_what_is_learned() -> None:
    seen = see(make_documents(40, 400))
    ranker, decided = make(seen), Decided(range(30), range(40, 80))
    before = ranker.reach(seen.documents)
    ranker.learn(0, decided)
    after = ranker.reach(seen.documents)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, make(seen, decided=[decided]).reach(seen.documents))


def test_without_papers_at_hand_everything_is_within_reach() -> None:
    assert np.isposinf(make(None).reach(make_documents(2, 2))).all()


def test_the_matrices_by_hand() -> None:
    counted = [count_terms(Document("Grokking", "grokking robot"))]
    vocabulary = Vocabulary(LEXICON, counted, ["fourier"])
    # Terms: fourier (of the claim alone), grokking (1 + 2 of the title), robot; the pair is in no lexicon.
    columns = [vocabulary.column(term) for term in ("fourier", "grokking", "robot")]
    assert len(vocabulary) == 3 and sorted(columns) == [0, 1, 2] and vocabulary.column("grokking robot") is None
    looked_for, learned = (matrix.toarray()[0][columns] for matrix in vocabulary.encode(counted))
    by_text, by_title = 1 / math.sqrt(3), 1 / math.sqrt(1 + 2)
    assert looked_for == pytest.approx([0, (1 + math.log(3)) * by_text + by_title, by_text])
    idf = math.log(1001 / 61) + 1
    length = math.hypot((1 + math.log(3)) * idf, idf)
    assert learned == pytest.approx([0, (1 + math.log(3)) * idf / length, idf / length])


def test_what_was_counted_can_be_kept() -> None:
    """Kept counts are read as they were written; the bytes are pinned, so that no change leaves `COUNTING` as it is."""
    counted = count_terms(
        Document("Grokking is back", "Grokking $\\mu$P, grokking; pre-training: robots. " + "loss " * 300)
    )
    kept = Counted.from_bytes(counted.to_bytes())
    for name in ("terms", "counts", "titled"):
        assert np.array_equal(getattr(kept, name), getattr(counted, name))
    assert (kept.text_words, kept.title_words) == (counted.text_words, counted.title_words) == (307, 2)
    assert int(kept.counts.max()) == 255
    assert (COUNTING, hashlib.sha256(counted.to_bytes()).hexdigest()[:12]) == (1, "4427f49fd02d")
    empty = count_terms(Document("", ""))
    assert len(Counted.from_bytes(empty.to_bytes()).terms) == 0


def test_kept_counts_rank_as_their_texts_do() -> None:
    seen = see(make_documents(20, 200))
    counted = [count_terms(document) for document in seen.documents if isinstance(document, Document)]
    told = make(Seen(counted, seen.vectors, seen.published), decided=[Decided([0, 1], [50])])
    read = make(seen, decided=[Decided([0, 1], [50])])
    assert np.array_equal(told.evidence(counted, seen.vectors), read.evidence(seen.documents, seen.vectors))
