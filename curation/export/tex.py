"""Makes text from outside safe in BibTeX: it prints as it reads, and nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from db.text import clean_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # not \{ : BibTeX counts that brace too
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "#": r"\#",
    "%": r"\%",
    "&": r"\&",
    "_": r"\_",
    "$": r"\$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}

# A formula, by pandoc's rule: no blank inside the dollars, no digit after them. So `$5 and $10` is money.
_MATH = re.compile(r"(?<![\\$])\$(?![\s$])((?:[^$\\]|\\.)*?)(?<!\s)\$(?![\d$])")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)")
_ESCAPED = re.compile(r"\\([#%&_$])")

# What a formula may call; a list of what is known to be harmless, since what can do harm cannot be listed.
_HARMLESS_NAMES = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho varrho
sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
ell hbar imath jmath Re Im aleph partial nabla infty emptyset varnothing forall exists neg prime angle
pm mp times div cdot cdots ldots dots ast star circ bullet oplus ominus otimes odot dagger ddagger
cap cup setminus in notin ni subset subseteq supset supseteq wedge vee land lor lnot top bot perp parallel mid
le leq ge geq ne neq ll gg equiv sim simeq approx cong propto prec succ preceq succeq models vdash
to gets rightarrow leftarrow leftrightarrow Rightarrow Leftarrow Leftrightarrow uparrow downarrow mapsto
longrightarrow implies iff hookrightarrow rightsquigarrow lesssim gtrsim
sum prod int oint coprod bigcup bigcap frac tfrac dfrac sqrt binom
log ln lg exp sin cos tan cot sinh cosh tanh arcsin arccos arctan min max inf sup lim limsup liminf arg deg det
dim ker gcd Pr hom
hat widehat bar overline underline tilde widetilde vec dot ddot check breve acute grave
mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr boldsymbol operatorname text textrm textbf
textit rm bf it cal left right big Big bigl bigr Bigl Bigr langle rangle lceil rceil lfloor rfloor lbrace rbrace
lVert rVert lvert rvert Vert vert backslash quad qquad colon
"""
_HARMLESS = frozenset(_HARMLESS_NAMES.split()) | frozenset(",;:! |%#&_{}")
# A call that lacks what it works on, and a script inside text.
_WITH_GROUP = (
    "hat|widehat|bar|overline|underline|tilde|widetilde|vec|dot|ddot|check|breve|acute|grave|mathrm|mathbf|mathit|mathsf"
    "|mathtt|mathcal|mathbb|mathfrak|mathscr|boldsymbol|operatorname|text|textrm|textbf|textit"
)
_BROKEN = re.compile(
    rf"\\(?:{_WITH_GROUP})(?![A-Za-z])(?!\s*[{{A-Za-z0-9])"
    r"|\\(?:[tdfr]*frac|binom)(?![A-Za-z])(?!\s*(?:\{[^{}]*\}|[A-Za-z0-9])\s*(?:\{|[A-Za-z0-9]))"
    r"|\\sqrt(?![A-Za-z])(?!\s*(?:\[[^\]]*\]\s*)?[{A-Za-z0-9])"
    r"|\\(?:left|right|[Bb]ig[lr]?)(?![A-Za-z])(?!\s*(?:[()\[\]|./<>]|\\[a-zA-Z{}|]))"
    r"|\\text(?:rm|bf|it)?\s*\{[^{}]*[\^_]"
)
_GROUP, _TWICE = "\x01", "\x02"  # what stands for a group that is sound, and for one that is not
_ATOM = r"(?:\\[A-Za-z]+|\\.|[^\^_\s])"
_SECOND = re.compile(rf"\^\s*{_ATOM}'*(?:\s*_\s*{_ATOM})?\s*\^|_\s*{_ATOM}(?:\s*\^\s*{_ATOM})?\s*_|'\s*\^|\x02")
_MATH_BRACES = {r"\{": r"\lbrace ", r"\}": r"\rbrace "}


def escape_tex(text: str) -> str:
    """Return text as the inside of a BibTeX field, on one line.

    Outside formulas every character that TeX takes for a command is escaped; the braces of what is returned are
    balanced as BibTeX counts them. A formula between dollars stays one if all its commands are known to be harmless
    and its braces are balanced; else it is printed as it was typed.
    """
    text = clean_line(text)
    pieces: list[str] = []
    position = 0
    for found in _MATH.finditer(text):
        formula = _safe_formula(found[1])
        if formula is None:
            continue
        pieces += [_escape_plain(text[position : found.start()]), f"${formula}$"]
        position = found.end()
    return "".join([*pieces, _escape_plain(text[position:])])


def _escape_plain(text: str) -> str:
    """Escape text outside formulas; what the author escaped already (`\\%`) is the character itself."""
    return "".join(_SPECIAL.get(character, character) for character in _ESCAPED.sub(r"\1", text))


def _safe_formula(formula: str) -> str | None:
    """Return a formula ready to print, or None if it calls what is not known or does not hold together."""
    calls = _COMMAND.findall(formula)
    if "^^" in formula or any(call not in _HARMLESS for call in calls):
        return None  # ^^5c is a backslash to TeX
    if re.search(r"[\^_]\s*(?:[\^_}]|$)", formula) or _BROKEN.search(formula) or _has_second_script(formula):
        return None
    if not _are_paired(calls):
        return None
    safe = re.sub(r"\\[{}]", lambda brace: _MATH_BRACES[brace[0]], formula)
    safe = re.sub(r"(?<!\\)[#%&]", lambda special: f"\\{special[0]}", safe)
    return safe if _is_balanced(safe) else None


def _has_second_script(formula: str) -> bool:
    """Tell whether some base has two superscripts or two subscripts, which TeX refuses; groups count by themselves."""
    while (inner := re.sub(r"(?<!\\)\{[^{}]*\}", _check_group, formula)) != formula:
        formula = inner
    return _SECOND.search(formula) is not None


def _check_group(group: re.Match[str]) -> str:
    return _TWICE if _SECOND.search(group[0]) else _GROUP


def _are_paired(calls: Sequence[str]) -> bool:
    """Tell whether each `left` has its `right` behind it."""
    depth = 0
    for call in calls:
        depth += (call == "left") - (call == "right")
        if depth < 0:
            return False
    return depth == 0


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0
