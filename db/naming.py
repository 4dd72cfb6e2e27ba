"""Papers by what else names them than their id: a DOI, or the title."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from db.store import Store

_TEX = re.compile(r"\\(?:text|math)[a-z]*|\\emph|\\(?:it|bf|sc|rm|tt)\b")
_APART = re.compile(r"[\W_]+")


def fold_title(title: str) -> str:
    """Return a title as it is compared: without case, accents, punctuation, white space and markup of TeX."""
    plain = unicodedata.normalize("NFKD", _TEX.sub("", title)).casefold()
    return _APART.sub("", "".join(char for char in plain if not unicodedata.combining(char)))


def find_ids_by_doi(store: Store, dois: Iterable[str]) -> dict[str, str]:
    """Return the stored papers that have these DOIs, given in small letters; one that two papers have is left out."""
    wanted = set(dois)
    found: dict[str, set[str]] = defaultdict(set)
    rows = store.connection.execute("SELECT arxiv_id, doi FROM papers WHERE doi IS NOT NULL") if wanted else ()
    for arxiv_id, told in rows:
        for doi in wanted.intersection(told.lower().split()):  # arXiv tells several in one field
            found[doi].add(arxiv_id)
    return _only_ones(found)


def find_ids_by_title(store: Store, titles: Iterable[str]) -> dict[str, str]:
    """Return the stored papers that have these titles, given as `fold_title` folds them; what two have is left out.

    It reads all titles of present revisions.
    """
    wanted = set(titles) - {""}
    found: dict[str, set[str]] = defaultdict(set)
    query = "SELECT p.arxiv_id, r.title FROM papers p JOIN revisions r USING (revision_id)"
    for arxiv_id, title in store.connection.execute(query) if wanted else ():
        if (folded := fold_title(title)) in wanted:
            found[folded].add(arxiv_id)
    return _only_ones(found)


def _only_ones(found: dict[str, set[str]]) -> dict[str, str]:
    return {name: next(iter(ids)) for name, ids in found.items() if len(ids) == 1}
