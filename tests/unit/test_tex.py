"""TeX accents become letters; what is not an accent stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.sources.tex import decode_accents


@pytest.mark.parametrize(
    ("tex", "letters"),
    [
        (r"M\"uller", "Müller"),
        (r"M{\"u}ller", "Müller"),
        (r"M\"{u}ller", "Müller"),
        (r"\'Edgar Rold\'an", "Édgar Roldán"),
        (r"Fran\c{c}ois", "François"),
        (r"Erd\H{o}s", "Erdős"),
        (r"\v{S}koda, Dvo\v r", "Škoda, Dvoř"),
        (r"Mar\'{\i}a", "María"),
        (r"Mart\'\i nez", "Martínez"),
        (r"na\"{\i}ve", "naïve"),
        (r"S\o rensen", "Sørensen"),
        (r"S{\o}rensen", "Sørensen"),
        (r"{\L}ukasz", "Łukasz"),
        (r"Stra\ss{}e", "Straße"),
        (r"{\AA}ngstr{\"o}m", "Ångström"),
        (r"Nguy\~{\^e}n", "Nguyễn"),
        (r"Nguy{\~{\^{e}}}n", "Nguyễn"),
        (r"Ti\'{\^e}n", "Tiến"),
        (r"\'{\o}", "ǿ"),
        (r"caf{\'e}", "café"),
        (r"\.Zak", "Żak"),
        (r"\=a \u{g} \r{u} \k{a} \d{s}", "ā ğ ů ą ṣ"),
    ],
)
def test_an_accent_becomes_a_letter(tex: str, letters: str) -> None:
    assert decode_accents(tex) == letters


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Müller",
        r"when $\'e \to \"o$ holds",
        r"\alpha, \beta and \odot",
        r"10\% of R\&D",
        r"\textit{set} and \cite{x}",
        r"x_{n} and {braces}",
        "a back\\",
        r"\'",
    ],
)
def test_what_is_no_accent_is_left_alone(text: str) -> None:
    assert decode_accents(text) == text


def test_accents_beside_mathematics_are_decoded() -> None:
    assert decode_accents(r"R\'enyi entropy $\'e$ of na\"ive models") == r"Rényi entropy $\'e$ of naïve models"


@given(st.text(alphabet="\\'\"`^~={}$ aeioucvHo.\u0301é", max_size=40))
def test_any_text_is_decoded_without_an_error_and_twice_is_once(text: str) -> None:
    once = decode_accents(text)
    assert len(once) <= len(text)
    if "\\" not in once:
        assert decode_accents(once) == once
