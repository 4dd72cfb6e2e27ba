"""arXiv's categories (https://arxiv.org/category_taxonomy): a mistyped one would make every night a quiet one."""

from __future__ import annotations

_GROUPS = {
    "cs": "cs",
    "econ": "econ",
    "eess": "eess",
    "math": "math",
    "q-bio": "q-bio",
    "q-fin": "q-fin",
    "stat": "stat",
    "astro-ph": "physics",
    "cond-mat": "physics",
    "gr-qc": "physics",
    "hep-ex": "physics",
    "hep-lat": "physics",
    "hep-ph": "physics",
    "hep-th": "physics",
    "math-ph": "physics",
    "nlin": "physics",
    "nucl-ex": "physics",
    "nucl-th": "physics",
    "physics": "physics",
    "quant-ph": "physics",
}

# The subjects of each archive; one that is missing here is its own only category, as hep-th is.
_SUBJECTS = {
    "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA NE NI OH OS PF PL RO SC"
    " SD SE SI SY",
    "econ": "EM GN TH",
    "eess": "AS IV SP SY",
    "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA RA RT SG SP ST",
    "q-bio": "BM CB GN MN NC OT PE QM SC TO",
    "q-fin": "CP EC GN MF PM PR RM ST TR",
    "stat": "AP CO ME ML OT TH",
    "astro-ph": "CO EP GA HE IM SR",
    "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
    "nlin": "AO CD CG PS SI",
    "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an ed-ph flu-dyn gen-ph"
    " geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
}


def find_group(category: str) -> str | None:
    """Return the group of a category, `physics` for `hep-th`, or None if arXiv has no such category."""
    archive, dot, subject = category.partition(".")
    subjects = _SUBJECTS.get(archive, "").split()
    known = subject in subjects if dot else not subjects
    return _GROUPS.get(archive) if known else None
