"""Every error that a user can meet; each says what is wrong and what to do.

BmpError
├── UsageError          wrong words or values on the command line (exit 2)
├── SettingsError       a setting that cannot be read or used (exit 2)
├── CatalogueError      an entry of the catalogue that does not hold (exit 2)
├── StoreError          the database cannot be opened, read or written
│   └── BusyError       another process holds the night's lock
├── DecisionError       a decision that does not fit its candidate
├── SourceError         a source did not answer, or not properly
│   ├── AnswerError     an answer that is not what the protocol says; worth another try
│   ├── RejectedError   the source answers, but not this request
│   ├── RestingError    the source asks for a longer pause than there is time for
│   └── RefusedError    the source forbids going on; final for the night
├── EmbeddingError      the model cannot be found, trusted or run
├── ExportError         the export cannot be written
└── NotifyError         people could not be told: mail or webhook
"""

from __future__ import annotations


class BmpError(Exception):
    """An error with one line for the user and, where there is one, the way out.

    Args:
        message: what is wrong, one line, no full stop needed.
        hint: what to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(BmpError):
    """Wrong words or values on the command line."""

    exit_code = 2


class SettingsError(BmpError):
    """A setting that cannot be read or used."""

    exit_code = 2


class CatalogueError(BmpError):
    """An entry of the catalogue that does not hold."""

    exit_code = 2


class StoreError(BmpError):
    """The database cannot be opened, read or written."""


class BusyError(StoreError):
    """Another process holds the night's lock."""


class DecisionError(BmpError):
    """A decision that does not fit its candidate."""


class SourceError(BmpError):
    """A source did not answer, or not properly; `answer` is what it said where that could not be used."""

    answer: bytes | None = None


class AnswerError(SourceError):
    """An answer that is not what the protocol says; worth another try."""


class RejectedError(SourceError):
    """The source answers, but not this request: another one may do."""


class RestingError(SourceError):
    """The source asks for a longer pause than there is time for: until it is over no request is made."""


class RefusedError(SourceError):
    """The source forbids going on; final for the night."""


class EmbeddingError(BmpError):
    """The model cannot be found, trusted or run."""


class ExportError(BmpError):
    """The export cannot be written."""


class NotifyError(BmpError):
    """People could not be told: the mail server or the webhook did not take it."""
