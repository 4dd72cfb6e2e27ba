"""The curated database for others: every format is a pure function of what is stored."""
