"""The command line: one file a noun."""

from curation.cli.root import main

__all__ = ["main"]
