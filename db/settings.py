"""Settings: option, then environment, then `config.toml`, then default. The only reader of the last three."""

from __future__ import annotations

import getpass
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from dataclasses import field as dataclass_field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from db.errors import SettingsError

APPLICATION = "bmprinciples"
OFF = "off"  # in place of an address that is not to be asked

SMTP_SECURITIES = ("starttls", "tls", "none")
ENGINES = ("auto", "torch", "openvino", "float32")  # what computes vectors

_CUTS = ("queue_threshold", "queue_precision")  # of which one at most is set

_HOST = re.compile(r"(?:[A-Za-z0-9:](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?)?")
# No more than what needs no quoting in a header: RFC 5322, 3.2.3 (dot-atom), on both sides of the @.
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9@:.%_~-]+(?:[/?#]\S*)?")
_KEY = re.compile(r"[a-z-]+=\S+")
_TOKEN = re.compile(r"(?:[A-Za-z0-9_-]{20,200})?")
_CATEGORY = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]+(?:-[a-z]+)*)?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default; `db` and `reviewer` have defaults of the machine.

    Times are in seconds, `model_prompt` is a text (None: the model's own), `queue_threshold` is a score from 0 to 1
    (None: the ranker's own), `queue_precision` a share above 0 and below 1, `queue_budget` counts
    candidates of a day, `audit_per_night` those of a night, `arxiv_holidays` are days as 2026-12-24, in their order.
    """

    db: Path
    config: Path
    cache: Path
    reviewer: str
    blind: bool = False
    keys: tuple[str, ...] = ()
    contact: str = ""
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    model_prompt: str | None = None
    engine: str = "auto"
    categories: tuple[str, ...] = ("cs.LG", "cs.CL", "cs.AI", "stat.ML")
    queue_threshold: float | None = None
    queue_precision: float | None = None
    queue_budget: int | None = None
    audit_per_night: int = 2
    first_night_days: int = 7
    nightly_at: str = "06:30"
    arxiv_oai_url: str = "https://oaipmh.arxiv.org/oai"
    arxiv_api_url: str = "https://export.arxiv.org/api/query"
    arxiv_rss_url: str = "https://rss.arxiv.org/rss"
    arxiv_delay_seconds: float = 3.0
    arxiv_max_wait_seconds: float = 1800.0
    arxiv_read_timeout_seconds: float = 240.0
    arxiv_holidays: tuple[str, ...] = ()
    reconcile_days: int = 7
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = dataclass_field(default="", repr=False)
    mail_from: str = ""
    mail_to: tuple[str, ...] = ()
    webhook_url: str = dataclass_field(default="", repr=False)
    serve_token: str = dataclass_field(default="", repr=False)

    def holidays(self) -> frozenset[date]:
        """Return the days that were added to arXiv's holidays."""
        return frozenset(date.fromisoformat(day) for day in self.arxiv_holidays)


@dataclass(frozen=True, slots=True)
class SettingsOrigin:
    """One setting, its value, and where the value comes from."""

    name: str
    value: Any
    origin: str


def load_settings(environment: Mapping[str, str], *, db: Path | None = None) -> Settings:
    """Return the settings in force.

    Args:
        environment: variables such as `BMP_DB`; `BMP_CONFIG` names another configuration file.
        db: the path given as an option, which goes before all else.

    Raises:
        SettingsError: the file cannot be read, a name is unknown, or a value does not fit; names the place.
    """
    path = environment.get("BMP_CONFIG")
    if path and not _path(path).exists():
        raise SettingsError(f"there is no file {path}, which BMP_CONFIG names", "make it, or take the variable away")
    return _build(list_origins(environment, db=db))


def list_origins(environment: Mapping[str, str], *, db: Path | None = None) -> list[SettingsOrigin]:
    """Return every setting with its value and origin, in the order of `Settings`.

    Raises:
        SettingsError: as `load_settings`.
    """
    defaults = _defaults(environment)
    from_file = _read_file(defaults.config)
    origins = []
    for field in fields(Settings):
        variable = f"BMP_{field.name.upper()}"
        value, origin = getattr(defaults, field.name), "default"
        if field.name in from_file:
            value, origin = from_file[field.name], str(defaults.config)
        if environment.get(variable):
            value, origin = environment[variable], variable
        if field.name == "db" and db is not None:
            value, origin = db, "--db"
        origins.append(SettingsOrigin(field.name, _coerce(field.name, value, origin), origin))
    return _drop_overruled(origins, environment)


def _drop_overruled(origins: list[SettingsOrigin], environment: Mapping[str, str]) -> list[SettingsOrigin]:
    """Let the environment's cut stand in place of the file's other one: of the two one is meant to be set."""
    by_name = {one.name: one for one in origins}
    told = [name for name in _CUTS if environment.get(f"BMP_{name.upper()}")]
    if len(told) != 1:
        return origins
    (other,) = set(_CUTS) - set(told)
    dropped = SettingsOrigin(other, None, f"set aside by {by_name[told[0]].origin}")
    return [dropped if one.name == other and one.value is not None else one for one in origins]


def _defaults(environment: Mapping[str, str]) -> Settings:
    data_folder = platformdirs.user_data_path(APPLICATION)
    config_folder = platformdirs.user_config_path(APPLICATION)
    return Settings(
        db=data_folder / "bmprinciples.db",
        config=_coerce("config", environment.get("BMP_CONFIG") or config_folder / "config.toml", "BMP_CONFIG"),
        cache=platformdirs.user_cache_path(APPLICATION),
        reviewer=_user_name(),
    )


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "reviewer"


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read the settings in {path}: {error}", "mend or remove that file") from error
    known = {field.name for field in fields(Settings)} - {"config"}
    for name in content:
        if name not in known:
            raise SettingsError(f"unknown setting {name!r} in {path}", f"known are: {', '.join(sorted(known))}")
    return content


def _build(origins: list[SettingsOrigin]) -> Settings:
    values = {origin.name: origin.value for origin in origins}
    if all(values[name] is not None for name in _CUTS):
        where = " and ".join(dict.fromkeys(one.origin for one in origins if one.name in _CUTS))
        raise SettingsError(f"queue_threshold and queue_precision are both set ({where})", "take one of them away")
    base = Settings(db=values["db"], config=values["config"], cache=values["cache"], reviewer=values["reviewer"])
    return replace(base, **values)


def _coerce(name: str, value: Any, origin: str) -> Any:
    """Return the value in its field's type, checked; None, which only a default can be, stays."""
    if value is None:
        return None
    try:
        return _COERCERS.get(name, _text)(value)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"setting '{name}' ({origin}) {error}", "mend or remove it there") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"must be text, not {value!r}")
    return value.strip()


def _path(value: Any) -> Path:
    path = value if isinstance(value, Path) else _text(value)
    if not path:
        raise ValueError("must be a path, not nothing")
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no such user
        raise ValueError(f"must be a path, but {str(path)!r} is in no known home folder") from None


def _keys(value: Any) -> tuple[str, ...]:
    """Return what the review's keys are to be, as `name=key`: of a table, or of such words in a line."""
    if isinstance(value, str):
        items = value.split()
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value.values()):
        items = [f"{name}={key}" for name, key in value.items()]
    elif value == ():
        items = []
    else:
        raise TypeError(f'must be a table such as reject = "x", not {value!r}')
    if wrong := [item for item in items if not _KEY.fullmatch(item)]:
        raise ValueError(f"must hold names and keys such as reject=x, not {wrong[0]!r}")
    return tuple(items)


def _yes_or_no(value: Any) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"must be yes or no, not {value!r}")
    return found


def _address(value: Any) -> str:
    address = _text(value)
    if not _is_web_address(address):
        raise ValueError(f"must be an http or https address with a host, not {address!r}")
    return address


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        found = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False
    return found and address.isprintable() and " " not in address


def _address_or_off(value: Any) -> str:
    return OFF if _text(value).lower() == OFF else _address(value)


def _seconds(value: Any) -> float:
    try:
        seconds = _number(value)
    except (TypeError, ValueError):
        raise ValueError(f"must be a number of seconds, not {value!r}") from None
    if not 0 <= seconds < 1e7:
        raise ValueError(f"must be a number of seconds from 0 on, not {value!r}")
    return seconds


def _number(value: Any) -> float:
    if isinstance(value, bool):  # Python counts it among the numbers
        raise TypeError(value)
    return float(value)


def _days(value: Any) -> int:
    text = str(value)
    if not text.isdecimal() or not 1 <= int(text) <= 3650:
        raise ValueError(f"must be a whole number of days from 1 to 3650, not {value!r}")
    return int(text)


def _count(value: Any) -> int:
    return _whole_number(value, 0, 1000)


def _budget(value: Any) -> int:
    return _whole_number(value, 1, 100_000)


def _whole_number(value: Any, least: int, most: int) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise ValueError(f"must be a whole number from {least} to {most}, not {value!r}")
    return int(text)


def _share(value: Any) -> float:
    return _number_from(value, "above 0 and below 1", lambda share: 0 < share < 1)


def _score(value: Any) -> float:
    return _number_from(value, "from 0 to 1", lambda score: 0 <= score <= 1)


def _number_from(value: Any, words: str, holds: Callable[[float], bool]) -> float:
    try:
        number = _number(value)
    except (TypeError, ValueError):
        number = math.nan
    if not holds(number):
        raise ValueError(f"must be a number {words}, not {value!r}")
    return number


def _categories(value: Any) -> tuple[str, ...]:
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items or not all(_is_category(item) for item in items):
        raise ValueError(f"must be a list of arXiv categories, not {value!r}")
    return tuple(dict.fromkeys(items))


def _is_category(item: Any) -> bool:
    return isinstance(item, str) and _CATEGORY.fullmatch(item) is not None


def _dates(value: Any) -> tuple[str, ...]:
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    try:
        if isinstance(items, list | tuple):
            return tuple(sorted({_date(item).isoformat() for item in items}))
    except (TypeError, ValueError):
        pass
    raise ValueError(f"must be a list of dates such as 2026-12-24, not {value!r}")


def _date(item: Any) -> date:
    """Return the date of a text, or one that TOML wrote as a date; a moment is none."""
    if isinstance(item, date) and not isinstance(item, datetime):
        return item
    return date.fromisoformat(item)


def parse_time_of_day(value: Any) -> str:
    """Return a time of day as HH:MM.

    Raises:
        TypeError: it is no text.
        ValueError: it is no time of day; the message says what it must be.
    """
    text = _text(value)
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and len(minutes) == 2 and minutes.isdecimal()):
        raise ValueError(f"must be a time of day in UTC such as 06:30, not {value!r}")
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"must be a time of day in UTC such as 06:30, not {value!r}")
    return f"{int(hours):02d}:{minutes}"


def _line(value: Any) -> str:
    line = _text(value)
    if not line.isprintable():
        raise ValueError(f"must be one line of text, not {value!r}")
    return line


def _prompt(value: Any) -> str:
    """Return the text as it is, for a blank at its end belongs to it."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > 500:
        raise ValueError("must be one line of text of at most 500 characters")
    return value


def _secret_line(value: Any) -> str:
    """Like `_line`, but blanks at the ends belong to it, and a message never holds the value."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("must be one line of text")
    return value


def _host(value: Any) -> str:
    host = _text(value)
    if not _HOST.fullmatch(host):
        raise ValueError(f"must be a host's name or address without a port, not {value!r}")
    return host


def _port(value: Any) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise ValueError(f"must be a port from 1 to 65535, not {value!r}")
    return int(text)


def _one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    def coerce(value: Any) -> str:
        word = _text(value).lower()
        if word not in words:
            raise ValueError(f"must be one of {', '.join(words)}, not {value!r}")
        return word

    return coerce


def _mail_addresses(value: Any) -> tuple[str, ...]:
    items = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(_is_mail_address(item) for item in items):
        raise ValueError(f"must be a list of e-mail addresses such as ada@example.org, not {value!r}")
    return tuple(dict.fromkeys(items))


def _optional_mail_address(value: Any) -> str:
    address = _text(value)
    if address and not _is_mail_address(address):
        raise ValueError(f"must be an e-mail address such as bmp@example.org, not {value!r}")
    return address


def _is_mail_address(item: Any) -> bool:
    return isinstance(item, str) and _MAIL_ADDRESS.fullmatch(item) is not None


def _secret_address(value: Any) -> str:
    """Like `_address`, but it may be empty, and a message never holds the value: a webhook's address lets anyone in."""
    address = _secret_line(value).strip()
    if address and not (_WEB_ADDRESS.fullmatch(address) and _is_web_address(address)):
        raise ValueError("must be an http or https address with a host")
    return address


def _token(value: Any) -> str:
    """Return what an address can hold as it is, too long to be guessed, or nothing; a message never holds the value."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ValueError("must be at least 20 letters, digits, - and _")
    return value


_COERCERS = {
    "db": _path,
    "config": _path,
    "cache": _path,
    "blind": _yes_or_no,
    "keys": _keys,
    "categories": _categories,
    "model_prompt": _prompt,
    "engine": _one_of(ENGINES),
    "queue_threshold": _score,
    "queue_precision": _share,
    "queue_budget": _budget,
    "audit_per_night": _count,
    "first_night_days": _days,
    "nightly_at": parse_time_of_day,
    "arxiv_oai_url": _address,
    "arxiv_api_url": _address,
    "arxiv_rss_url": _address_or_off,
    "arxiv_delay_seconds": _seconds,
    "arxiv_max_wait_seconds": _seconds,
    "arxiv_read_timeout_seconds": _seconds,
    "arxiv_holidays": _dates,
    "reconcile_days": _days,
    "smtp_host": _host,
    "smtp_port": _port,
    "smtp_security": _one_of(SMTP_SECURITIES),
    "smtp_user": _line,
    "smtp_password": _secret_line,
    "mail_from": _optional_mail_address,
    "mail_to": _mail_addresses,
    "webhook_url": _secret_address,
    "serve_token": _token,
}
