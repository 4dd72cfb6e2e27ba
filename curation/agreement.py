"""How far reviewers agree: on what they decided of the same candidates, each by the own newest verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from db.decisions import list_reviewer_verdicts
from db.records import Verdict
from db.store import Store

Labels = dict[int, dict[str, str]]  # what each reviewer said of each candidate


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reviewers: the candidates that both judged, the share they agree on, and Cohen's kappa (None: undefined)."""

    reviewers: tuple[str, str]
    candidates: int
    observed: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """The candidates that two or more reviewers judged, and how far these agree.

    `observed` is the share of pairs of verdicts on the same candidate that are equal; `alpha` is Krippendorff's, for
    nominal data. Both are None where they are undefined: where nothing was judged twice, and `alpha` also where all
    said the same, for then there is nothing that chance could have got wrong.
    """

    candidates: int
    observed: float | None
    alpha: float | None
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Agreements:
    """Agreement on the verdicts (accept, reject, maybe), and on the stance of what two or more accepted."""

    verdicts: Agreement
    stances: Agreement


@dataclass(frozen=True, slots=True)
class Report:
    """Who decided anything, and how far they agree: on all candidates, and by phenomenon where two judged the same."""

    reviewers: tuple[str, ...]
    total: Agreements
    phenomena: dict[str, Agreements]


def measure_agreement(store: Store) -> Report:
    """Return how far reviewers agree, by each one's newest verdict that was not undone."""
    rows = list_reviewer_verdicts(store)
    reviewers = tuple(sorted({row["reviewer"] for row in rows}))
    phenomena = {row["candidate_id"]: row["phenomenon"] for row in rows}
    verdicts: Labels = {}
    stances: Labels = {}
    for row in rows:
        verdicts.setdefault(row["candidate_id"], {})[row["reviewer"]] = row["kind"]
        if row["kind"] == Verdict.ACCEPT:
            stances.setdefault(row["candidate_id"], {})[row["reviewer"]] = row["stance"]
    verdicts, stances = _shared(verdicts), _shared(stances)

    def agreements(code: str | None) -> Agreements:
        parts = (
            {one: said for one, said in labels.items() if code in (None, phenomena[one])}
            for labels in (verdicts, stances)
        )
        return Agreements(*map(compare, parts))

    codes = sorted({phenomena[candidate] for candidate in verdicts})
    return Report(reviewers, agreements(None), {code: agreements(code) for code in codes})


def _shared(labels: Labels) -> Labels:
    return {candidate: said for candidate, said in labels.items() if len(said) > 1}


def compare(labels: Labels) -> Agreement:
    """Return how far reviewers agree on candidates of which each was judged by two or more."""
    both: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for said in labels.values():
        for one, other in combinations(sorted(said), 2):
            both.setdefault((one, other), []).append((said[one], said[other]))
    pairs = tuple(
        Pair(reviewers, len(told), _observed(told), cohen_kappa(told)) for reviewers, told in sorted(both.items())
    )
    everything = [pair for told in both.values() for pair in told]
    return Agreement(len(labels), _observed(everything) if everything else None, krippendorff_alpha(labels), pairs)


def _observed(pairs: Sequence[tuple[str, str]]) -> float:
    return sum(one == other for one, other in pairs) / len(pairs)


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of two reviewers' labels, or None where both gave all the same single label.

    The agreement beyond what each one's habits would give by chance (Cohen 1960, Educational and Psychological
    Measurement 20:37-46).
    """
    total = len(pairs)
    first, second = (Counter(labels) for labels in zip(*pairs, strict=True))
    by_chance = sum(first[label] * second[label] for label in first)
    if by_chance == total * total:
        return None
    return (_observed(pairs) - by_chance / total**2) / (1 - by_chance / total**2)


def krippendorff_alpha(labels: Labels) -> float | None:
    """Return Krippendorff's alpha for nominal data, or None where less than two different labels were given."""
    domain = sorted({label for said in labels.values() for label in said.values()})
    if len(domain) < 2:
        return None
    import krippendorff  # only for those who have something to compare

    counts = [[list(said.values()).count(label) for label in domain] for said in labels.values()]
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
