"""Which papers the entries of a list are: by their ids, else by what is stored under the same DOI or title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curation.intake.records import Listed
from db.naming import find_ids_by_doi, find_ids_by_title, fold_title
from db.store import Store

_SHORTEST_TITLE = 12  # folded characters; a shorter one, such as `Introduction`, names nothing


@dataclass(frozen=True, slots=True)
class Resolved:
    """The papers of a list, each once and in its order, by id; entries that name none; and how many came again."""

    papers: dict[str, Listed]
    without_id: tuple[Listed, ...]
    repeated: int


def resolve(store: Store, entries: Sequence[Listed]) -> Resolved:
    """Settle which papers a list names. Of several entries for one paper the first one counts."""
    open_ones = [entry for entry in entries if entry.arxiv_id is None]
    by_doi = find_ids_by_doi(store, {entry.doi for entry in open_ones if entry.doi})
    titles = {fold_title(entry.title) for entry in open_ones if entry.doi not in by_doi}
    by_title = find_ids_by_title(store, {title for title in titles if len(title) >= _SHORTEST_TITLE})
    papers: dict[str, Listed] = {}
    without_id: list[Listed] = []
    for entry in entries:
        arxiv_id = entry.arxiv_id or by_doi.get(entry.doi or "") or by_title.get(fold_title(entry.title))
        if arxiv_id is None:
            without_id.append(entry)
        else:
            papers.setdefault(arxiv_id, entry)
    return Resolved(papers, tuple(without_id), len(entries) - len(papers) - len(without_id))
