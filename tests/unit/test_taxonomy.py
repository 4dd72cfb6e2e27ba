"""Categories: all that arXiv has are known, and no other."""

from __future__ import annotations

import pytest
from loopback import taxonomy

from crawler.sources.oai import category_set, group_sets
from crawler.sources.taxonomy import find_group
from db.errors import UsageError


def test_every_category_of_the_stand_in_is_known_by_its_set() -> None:
    specs = [spec for spec in taxonomy.list_sets() if spec.count(":") == 2]
    assert len(specs) > 140
    for spec in specs:
        _, archive, subject = spec.split(":")
        assert category_set(f"{archive}.{subject}") == spec
    assert category_set("hep-th") == "physics:hep-th"


@pytest.mark.parametrize("category", ["cs.XX", "cs.LGG", "cs", "math", "hep-th.AB", "foo", "cs.", "cs.lg"])
def test_a_mistyped_category_is_refused(category: str) -> None:
    assert find_group(category) is None
    with pytest.raises(UsageError, match="not an arXiv category"):
        group_sets(["cs.LG", category])
