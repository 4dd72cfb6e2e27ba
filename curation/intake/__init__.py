"""Brings existing lists of papers in: ids, BibTeX, RIS, a Zotero library, an awesome list."""
