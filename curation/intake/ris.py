"""RIS, as Zotero, EndNote, Mendeley and databases of papers export it."""

from __future__ import annotations

from curation.intake.records import Listed, Reading, make_listed
from curation.screening.files import read_ris
from curation.screening.records import Fields

_TITLES = ("title", "primary_title", "short_title", "translated_title")
# Where an id may stand, the surest first.
_TELLING = (
    "urls", "url", "link", "volume", "file_attachments1", "file_attachments2", "number", "accession_number",
    "call_number", "journal_name", "secondary_title", "alternate_title1", "publisher", "id", "custom1", "custom2",
    "custom3", "custom4", "custom5", "custom6", "custom7", "custom8",
)  # fmt: skip
_BARE = ("accession_number", "number", "id", "volume")  # the volume of a CoRR article is `abs/` and its id


def parse_ris(text: str, name: str) -> Reading:
    """Return the papers of a RIS file.

    Raises:
        UsageError: a record has no end, or there is none; names the line.
    """
    return Reading(tuple(_read_record(place, fields) for place, fields in read_ris(text, name)))


def _read_record(place: str, fields: Fields) -> Listed:
    return make_listed(
        place,
        title=next((fields[name] for name in _TITLES if fields.get(name)), ""),
        bare=[fields.get(name, "").removeprefix("abs/") for name in _BARE],
        telling=[fields[name] for name in _TELLING if name in fields],
        prose=[fields[name] for name in ("note", "notes") if name in fields],
        doi=fields.get("doi", ""),
        key=fields.get("id", ""),
        notes=[fields[name] for name in ("notes", "research_notes") if name in fields],
        labels=fields.get("keywords", "").split(";"),
    )
