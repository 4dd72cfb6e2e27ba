"""A database in the middle of its life, a night of all kinds of news for it, and what that night comes down to."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import certifi
from bmp import Result
from crash_process import Ended, Mother, Running, Strace, mother, without_libraries
from fakes import HashEmbedder, oai_source, run_night
from final_state import Row, final_state, find_faults, read
from loopback.papers import MadePaper, make_papers
from loopback.server import ArxivServer

from crawler.embed import SentenceTransformerEmbedder
from crawler.models import find_model
from curation.cli import main
from db.runs import KILLED
from db.store import open_store

PAGE_SIZE = 12
WANTED = ("cs.LG", "stat.ML")
THRESHOLD = 0.2  # low, so that the queue fills
NIGHT = ("nightly",)

_CATALOGUE = """
[[phenomenon]]
code = "{code}"
aspect = "how"
group = "Made"
title = "{title}"
statement = "{title}, wherever it was looked for."
keywords = ["{keyword}", "loss curves"]
"""
_CLAIMS = (
    ("H1.1", "Loss is a power law of compute", "power law in compute"),
    ("H1.2", "Sparse attention needs less memory", "sparse attention"),
    ("H2.1", "Weight decay speeds grokking up", "weight decay"),
    ("H2.2", "Data mixtures decide emergent skills", "data mixtures"),
)


@dataclass(frozen=True, slots=True)
class World:
    """A database before its night, the server with what waits for it, and the state that the night leads to."""

    server: ArxivServer
    mother: Mother
    prepared: Path
    environment: dict[str, str]
    decisions: list[Row]
    expected: dict[str, list[Row]]

    def copy(self, folder: Path) -> Path:
        """Return a fresh copy of the prepared database in a new folder."""
        folder.mkdir(parents=True)
        return Path(shutil.copy(self.prepared, folder / "bmp.db")).resolve()

    def bmp(self, path: Path, *words: object) -> Result:
        """Run `bmp` in this process."""
        return _bmp({**self.environment, "BMP_DB": str(path)}, *words)

    def start(self, path: Path, strace: Strace | None = None, **environment: str) -> Running:
        """Start a night as a process of its own."""
        environment = {**self.environment, "BMP_DB": str(path), **environment}
        return self.mother.start(path.with_name("said"), environment, NIGHT, traced=strace is not None)

    def trace(self, strace: Strace) -> Ended:
        """Run a night as a process of its own under strace."""
        running = self.start(strace.path, strace)
        with strace.attached_to(running.pid):
            return running.wait()

    def find_faults(self, path: Path) -> list[str]:
        """Return what does not hold in a database, which is looked at in a copy: it stays as the kill left it."""
        with _set_aside(path) as aside:
            return find_faults(aside, self.decisions, self.server, WANTED)

    def make_up(self, path: Path) -> list[str]:
        """Run an undisturbed night on what a disturbed one left; return what does not hold before and after it."""
        faults = [f"before the next night: {fault}" for fault in self.find_faults(path)]
        with _set_aside(path) as aside:
            open_runs = read(aside, "SELECT run_id FROM runs WHERE status = 'running'")
        night = self.bmp(path, *NIGHT)
        if night.code != 0:
            faults.append(f"the next night ends with {night.code}: {night.err}")
        faults += [f"after the next night: {fault}" for fault in self.find_faults(path)]
        return faults + self._compare(path) + _judge_ledger(path, open_runs)

    def _compare(self, path: Path) -> list[str]:
        state = final_state(path)
        return [
            f"{name} differ: {[row for row in rows if row not in state[name]][:3]} were expected,"
            f" {[row for row in state[name] if row not in rows][:3]} found"
            for name, rows in self.expected.items()
            if rows != state[name]
        ]


def _judge_ledger(path: Path, open_runs: list[Row]) -> list[str]:
    """Tell which runs that were open when their process died are not told as killed, and as partial if papers came."""
    rows = {
        row[0]: row[1:]
        for row in read(path, "SELECT run_id, status, error, received - malformed + fetched > 0 FROM runs")
    }
    killed = [("failed", KILLED, 0), ("partial", KILLED, 1)]
    lies = [f"run {run_id} says {rows[run_id]}" for (run_id,) in open_runs if rows[run_id] not in killed]
    return lies + [f"run {run_id} is still open" for run_id, row in rows.items() if row[0] == "running"]


@contextmanager
def _set_aside(path: Path) -> Iterator[Path]:
    """Give a copy of a database with its journal."""
    folder = path.with_name(f"{path.name}.aside")
    folder.mkdir()
    try:
        for suffix in ("", "-journal", "-wal"):
            if (file := path.with_name(path.name + suffix)).exists():
                shutil.copy(file, folder / file.name)
        yield folder / path.name
    finally:
        shutil.rmtree(folder)


def _bmp(environment: dict[str, str], *words: object) -> Result:
    out, err, code = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO(), 0
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BMP_")}
    with (
        patch.dict(os.environ, {**kept, **environment}, clear=True),
        without_libraries(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    out.flush()
    return Result(code, out.buffer.getvalue().decode(), err.getvalue())


@contextmanager
def crash_world(folder: Path, *, new: int = 15) -> Iterator[World]:
    """Give a world in which a night of some days ago was decided on, and news of all kinds wait, `new` papers among it.

    What waits: pages of two sets over three days, papers that only the feeds tell of, and of the accepted papers one
    with another abstract and one that was withdrawn.
    """
    today = datetime.now(UTC).date()
    # Texts hang on the day; of so many enough are queued on any: with 18 there were five on one, and fewer requests.
    old = make_papers(24, day=today - timedelta(days=5), days=3, categories=_LINES, start=1)
    with ArxivServer(old, page_size=PAGE_SIZE, today=today - timedelta(days=3)) as server, mother() as forked_from:
        environment = _environment(server, folder)
        prepared = folder / "prepared.db"
        bmp = _Caller({**environment, "BMP_DB": str(prepared)})
        bmp("init", "--catalogue", _write_catalogue(folder))
        _run_first_night(server, prepared, environment["BMP_MODEL"])
        accepted = _decide(bmp, prepared)
        _let_time_pass(server, today, accepted, new)
        decisions = read(prepared, "SELECT * FROM decisions ORDER BY decision_id")
        undisturbed = Path(shutil.copy(prepared, folder / "undisturbed.db"))
        _Caller({**environment, "BMP_DB": str(undisturbed)})(*NIGHT)
        yield World(server, forked_from, prepared, environment, decisions, final_state(undisturbed))


def _run_first_night(server: ArxivServer, prepared: Path, model: str) -> None:
    """Run the night of the server's day, with the clock of that day and the model of the command line."""
    with without_libraries():
        embedder = HashEmbedder(identity=SentenceTransformerEmbedder(find_model(model, {})).identity)
    source = oai_source(server.oai_url, clock=lambda: server.now)
    with open_store(prepared) as store:
        outcome = run_night(
            store, source, embedder=embedder, clock=lambda: server.now, categories=WANTED, threshold=THRESHOLD
        )
    assert outcome.run["status"] == "complete", outcome.run["error"]


_LINES = ("cs.LG", "cs.CL stat.ML", "stat.ML", "cs.AI cs.CL", "stat.ML cs.LG", "cs.CV")


@dataclass(frozen=True, slots=True)
class _Caller:
    """Runs `bmp` and insists that it does well."""

    environment: dict[str, str]

    def __call__(self, *words: object) -> Result:
        result = _bmp(self.environment, *words)
        assert result.code == 0, result.err
        return result


def _environment(server: ArxivServer, folder: Path) -> dict[str, str]:
    model = folder / "model"
    model.mkdir(parents=True)
    certificates = folder / "certificates.pem"  # one is loaded sooner than all of the world's
    certificates.write_text(
        certifi.contents().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
    )
    (model / "modules.json").write_text("[]")
    (model / "model.safetensors").write_bytes(b"nothing learned")
    return {
        "BMP_CATEGORIES": " ".join(WANTED),
        "BMP_AUDIT_PER_NIGHT": "2",
        "BMP_ARXIV_OAI_URL": server.oai_url,
        "BMP_ARXIV_API_URL": server.api_url,
        "BMP_ARXIV_RSS_URL": server.rss_url,
        "BMP_ARXIV_DELAY_SECONDS": "0",
        "BMP_ARXIV_MAX_WAIT_SECONDS": "5",
        "BMP_CONTACT": "tests@example.org",
        "BMP_MODEL": str(model),
        "BMP_QUEUE_THRESHOLD": str(THRESHOLD),
        "BMP_REVIEWER": "ada",
        "SSL_CERT_FILE": str(certificates),
    }


def _write_catalogue(folder: Path) -> Path:
    path = folder / "catalogue.toml"
    entries = [_CATALOGUE.format(code=code, title=title, keyword=keyword) for code, title, keyword in _CLAIMS]
    path.write_text("".join(entries), encoding="utf-8")
    return path


def _decide(bmp: _Caller, prepared: Path) -> list[str]:
    """Decide in every way, and return the papers that were accepted, three at least."""
    queued = bmp("queue", "list", "--json").json
    ids = list({row["arxiv_id"]: row["id"] for row in queued}.items())
    (first, second, third, fourth, fifth, sixth), accepted = [key for _, key in ids[:6]], [key for key, _ in ids[:3]]
    bmp("queue", "decide", first, "accept")
    bmp("queue", "decide", second, "accept", "--stance", "contradicts", "--note", "read twice")
    bmp("queue", "decide", third, "accept", "--stance", "qualifies")
    bmp("queue", "decide", fourth, "reject", "--note", "no")
    bmp("queue", "decide", fifth, "accept")
    bmp("queue", "undo", fifth)
    bmp("queue", "decide", sixth, "snooze", "--until", "2999-01-01")
    return accepted


def _let_time_pass(server: ArxivServer, today: date, accepted: Sequence[str], new: int) -> None:
    yesterday = datetime.combine(today - timedelta(days=1), datetime.min.time(), UTC)
    others = [key for key in server.papers if key not in accepted]
    server.today = today
    server.rss_day = today - timedelta(days=max(0, today.weekday() - 4))  # the feeds are empty at week-ends
    server.put(*make_papers(new, day=today - timedelta(days=2), days=3, categories=_LINES, start=1000))
    server.put(
        server.papers[accepted[0]].revised(
            yesterday + timedelta(hours=1), abstract="Grokking needs weight decay here."
        ),
        server.papers[accepted[1]].withdrawn(yesterday + timedelta(hours=2)),
        server.papers[accepted[2]].revised(yesterday + timedelta(hours=3)),  # the text is the same
        server.papers[others[0]].revised(yesterday + timedelta(hours=4), title="Another title altogether"),
        server.papers[others[1]].touched(yesterday + timedelta(hours=5)),
        *(_told_by_the_feeds_alone(paper, server.rss_day) for paper in _late(today)),
    )


def _late(today: date) -> list[MadePaper]:
    return make_papers(3, day=today - timedelta(days=40), categories=("cs.LG",), start=5000)


def _told_by_the_feeds_alone(paper: MadePaper, day: date) -> MadePaper:
    """Return the paper as announced on a day, though its record is too old for the lists."""
    return MadePaper(**{**{name: getattr(paper, name) for name in MadePaper.__dataclass_fields__}, "announced": day})
