"""The record: one SQLite file, and what is stored in it."""
