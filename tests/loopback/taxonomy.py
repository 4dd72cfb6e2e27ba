"""arXiv's groups, archives and categories, as far as the sets of OAI-PMH and the query API need them."""

from __future__ import annotations

from collections.abc import Iterator

_GROUPS: dict[str, tuple[str, ...]] = {
    "cs": ("cs",),
    "econ": ("econ",),
    "eess": ("eess",),
    "math": ("math",),
    "physics": (
        *("astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th"),
        *("math-ph", "nlin", "nucl-ex", "nucl-th", "physics", "quant-ph"),
    ),
    "q-bio": ("q-bio",),
    "q-fin": ("q-fin",),
    "stat": ("stat",),
}

# An archive that is missing here is its own only category, as hep-th is.
_SUFFIXES: dict[str, str] = {
    "astro-ph": "CO EP GA HE IM SR",
    "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
    "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA NE NI OH OS PF PL RO "
    "SC SD SE SI SY",
    "econ": "EM GN TH",
    "eess": "AS IV SP SY",
    "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA RA RT SG SP ST",
    "nlin": "AO CD CG PS SI",
    "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an ed-ph flu-dyn gen-ph "
    "geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
    "q-bio": "BM CB GN MN NC OT PE QM SC TO",
    "q-fin": "CP EC GN MF PM PR RM ST TR",
    "stat": "AP CO ME ML OT TH",
}

_ALIASES: tuple[tuple[str, str], ...] = (
    ("cs.IT", "math.IT"),
    ("cs.NA", "math.NA"),
    ("cs.SY", "eess.SY"),
    ("math-ph", "math.MP"),
    ("math.ST", "stat.TH"),
    ("econ.GN", "q-fin.EC"),
)
_OTHER_NAME = {one: other for pair in _ALIASES for one, other in (pair, pair[::-1])}
_GROUP_OF = {archive: group for group, archives in _GROUPS.items() for archive in archives}


def list_sets() -> Iterator[str]:
    """Yield every set: groups, then archives, then categories; a set that is two of these comes once."""
    archives = [f"{group}:{archive}" for archive, group in _GROUP_OF.items()]
    categories = [spec for archive in _GROUP_OF for spec in map(set_of, _categories_of(archive))]
    yield from dict.fromkeys([*_GROUPS, *archives, *categories])


def set_of(category: str) -> str:
    """Return the set of a category, group:archive:CATEGORY, or group:archive where the archive has no parts."""
    archive = category.partition(".")[0]
    return f"{_GROUP_OF[archive]}:{category.replace('.', ':')}"


def sets_of(categories: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sets in which a paper of these categories lies, with cross-lists and second names of categories."""
    named = [name for category in categories for name in (category, _OTHER_NAME.get(category)) if name is not None]
    return tuple(dict.fromkeys(set_of(name) for name in named))


def is_member(categories: tuple[str, ...], wanted: str) -> bool:
    """Tell whether a paper of these categories lies in a set; groups and archives hold what is below them."""
    return any(spec == wanted or spec.startswith(f"{wanted}:") for spec in sets_of(categories))


def find_categories(name: str) -> frozenset[str]:
    """Return what an archive or a category stands for, with second names; empty for a name that is neither.

    The case of the letters does not count.
    """
    archive = name.partition(".")[0].lower()
    if archive not in _GROUP_OF:
        return frozenset()
    inside = {category.lower(): category for category in [*_OTHER_NAME, *_categories_of(archive)]}
    wanted = _categories_of(archive) if name.lower() == archive else [inside.get(name.lower(), "")]
    return frozenset(wanted) - {""} | {_OTHER_NAME[category] for category in wanted if category in _OTHER_NAME}


def _categories_of(archive: str) -> list[str]:
    suffixes = _SUFFIXES.get(archive, "").split()
    return [f"{archive}.{suffix}" for suffix in suffixes] or [archive]
