"""Formulas in BibTeX: what TeX sets stays, what it refuses is printed as it was typed."""

from __future__ import annotations

import pytest

from curation.export.tex import escape_tex


@pytest.mark.parametrize(
    "formula",
    [
        r"$x^{2}^{3}$", r"$x_1_2$", r"$a'^2$", r"$x^{a^b^c}$", r"$\frac$", r"$\frac{1}$", r"$\sqrt$", r"$\hat$",
        r"$\left\right$", r"$\right)\left($", r"$\text{a_b}$",
    ],
)  # fmt: skip
def test_a_formula_that_tex_refuses_is_printed_as_it_was_typed(formula: str) -> None:
    assert "$" not in escape_tex(formula).replace(r"\$", "")


@pytest.mark.parametrize(
    "formula",
    [
        r"$x^2_3$", r"$\frac{1}{2}$", r"$\frac12$", r"$O(n^{2})$", r"$\sqrt[3]{x}$", r"$\left(x\right)$",
        r"$\mathcal{O}(N^{\alpha})$", r"$\hat{x}_i^2$", r"$2^{x_{1}}$", r"$\text{Top-}k$",
    ],
)  # fmt: skip
def test_a_formula_that_tex_sets_stays_one(formula: str) -> None:
    assert escape_tex(formula) == formula
