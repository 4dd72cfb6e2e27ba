"""`python -m curation` is `bmp`."""

from curation.cli.root import main

main()
