"""`bmp evaluate`: the ranking, beside another one if there is one, held against labelled papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curation.cli.context import AWAITED, AppContext, json_option, name_some, pass_app, say, write_json
from db.errors import UsageError

if TYPE_CHECKING:
    from crawler.evaluation import Topic
    from crawler.ranking.ranker import Claim
    from crawler.trec import Qrels, RunFile
    from curation.cli.evaluation_report import Other, Report
    from db.store import Store

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("qrels", type=_FILE)
@click.option(
    "--topics", type=_FILE, help='Topics that the catalogue lacks: JSON, {"topic": {"title", "claim", "keywords"}}.'
)
@click.option("--save", metavar="RUN", type=_FILE, help="Write the ranking as a TREC run file.")
@click.option("--against", metavar="RUN", type=_FILE, help="Compare with the run file of another ranker or model.")
@json_option
@pass_app
def evaluate(
    app: AppContext, qrels: Path, topics: Path | None, save: Path | None, against: Path | None, as_json: bool
) -> None:
    """Score the ranking of the stored papers on the labels of QRELS, a TREC file: topic 0 paper label.

    A label above zero is relevant, zero is not, -1 is doubtful: that paper is left out of the ranking. Topics are codes
    of the catalogue, or those of --topics. Labelled papers that are not stored are named, and count as missed; papers
    that were accepted or rejected for a topic are what the ranking learned from, and are left out of it.
    """
    from crawler.trec import parse_qrels, parse_run, parse_topics
    from curation.cli.evaluation_report import report_as_json, write_report

    labels = parse_qrels(_read(qrels), qrels.name)
    claims = parse_topics(_read(topics), topics.name) if topics else None
    run = parse_run(_read(against), against.name) if against else None
    with app.open_store() as store:
        if save is not None:
            _refuse_target(store, save, qrels, topics, against)
        if claims is None:
            labels = _leave_out_decided(store, labels)
        judged = _list_topics(store, labels, qrels.name)
        asked = _find_claims(store, judged, claims, qrels.name)
        other = _keep_stored(store, run, judged, against.name) if run and against else None
        report = _evaluate(app, store, judged, asked, other, keep_run=save is not None, use_decisions=claims is None)
    if as_json:
        write_json(report_as_json(report, other))
    else:
        write_report(report, other)
    if save is not None:
        _save(save, report.run_lines)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not UTF-8") from None


def _refuse_target(store: Store, target: Path, *read: Path | None) -> None:
    from curation.export.files import refuse_own_files, require_place

    refuse_own_files(store, target)
    require_place(target)
    if any(path is not None and path.resolve() == target.resolve() for path in read):
        raise UsageError(f"{target} is read here", "name another file with --save")


def _leave_out_decided(store: Store, qrels: Qrels) -> Qrels:
    """Mark what was decided for a topic as doubtful: what a ranking learned from is no test of it."""
    from crawler.trec import DOUBTFUL
    from db.decisions import list_verdicts

    labels = {code: dict(papers) for code, papers in qrels.items()}
    verdicts = [row for row in list_verdicts(store, list(labels)) if row["kind"] != "open"]
    for row in verdicts:
        labels[row["phenomenon"]][row["arxiv_id"]] = DOUBTFUL
    if verdicts:
        named = name_some([f"{row['arxiv_id']} ({row['phenomenon']})" for row in verdicts])
        say(f"{len(verdicts)} papers were decided on and are left out: {named}.")
    return labels


def _list_topics(store: Store, qrels: Qrels, name: str) -> list[Topic]:
    """Return the topics that can be judged; say which cannot."""
    from crawler.evaluation import list_topics
    from db.papers import find_known_ids

    topics = list_topics(qrels, find_known_ids(store, {paper for labels in qrels.values() for paper in labels}))
    if not topics:
        raise UsageError(
            f"{name} has no relevant paper that was not decided on", "a label above zero says that a paper is relevant"
        )
    without = sorted(qrels.keys() - {topic.code for topic in topics})
    if without:
        say(f"Without a relevant paper, and so left out: {name_some(without)}.")
    relevant = set().union(*(topic.relevant for topic in topics))
    if not any(topic.relevant & topic.stored for topic in topics):
        raise UsageError(
            f"none of the {len(relevant)} relevant papers of {name} is stored",
            f"bring them in with `bmp fetch` or `bmp backfill`; the first is {min(relevant)}",
        )
    return topics


def _find_claims(store: Store, topics: Sequence[Topic], named: Mapping[str, Claim] | None, name: str) -> list[Claim]:
    """Return the claim of each topic: from the topics' file if there is one, else from the catalogue."""
    from crawler.ranking.ranker import Claim
    from db.phenomena import list_phenomena

    known = {phenomenon.code: Claim.of(phenomenon) for phenomenon in list_phenomena(store)} if named is None else named
    unknown = name_some([topic.code for topic in topics if topic.code not in known])
    if unknown and named is None:
        raise UsageError(
            f"{name}: the catalogue has no phenomenon {unknown}",
            "`bmp phenomena list` shows the codes; --topics FILE takes other topics with their claims",
        )
    if unknown:
        raise UsageError(f"{name}: the file of --topics has no topic {unknown}", f"it has {name_some(list(known))}")
    return [known[topic.code] for topic in topics]


def _keep_stored(store: Store, run: RunFile, topics: Sequence[Topic], name: str) -> Other:
    """Return the other run's rankings of the stored papers; say what they lack."""
    from curation.cli.evaluation_report import Other
    from db.papers import find_known_ids

    rankings = {topic.code: run.rankings.get(topic.code, []) for topic in topics}
    missing = [code for code, ranking in rankings.items() if not ranking]
    if len(missing) == len(topics):
        raise UsageError(f"{name} ranks none of these topics", f"it has {name_some(list(run.rankings))}")
    if missing:
        say(f"{name} ranks nothing for {name_some(missing)}: they are left out of the comparison.")
    ranked = {paper for ranking in rankings.values() for paper in ranking}
    stored = find_known_ids(store, ranked)
    kept = {code: [paper for paper in ranking if paper in stored] for code, ranking in rankings.items()}
    if len(ranked) > len(stored):
        say(f"{name} ranks {len(ranked) - len(stored)} papers that are not stored; they are left out.")
    return Other(name, run.tag, kept, len(ranked) - len(stored))


def _evaluate(
    app: AppContext,
    store: Store,
    topics: Sequence[Topic],
    claims: Sequence[Claim],
    other: Other | None,
    *,
    keep_run: bool,
    use_decisions: bool,
) -> Report:
    from crawler.evaluation import judge
    from crawler.rank import rank_claims
    from crawler.trec import run_lines, run_tag
    from curation.cli.evaluation_report import Report
    from curation.cli.wiring import make_embedder

    embedder = make_embedder(app)(store)
    report = Report(embedder.identity.name)
    for topic, ranking in zip(topics, rank_claims(store, embedder, claims, use_decisions=use_decisions), strict=True):
        if not report.results:
            _tell_unranked(len(ranking.papers), ranking.without_vector)
        report.ranker, report.papers = ranking.ranker_version, len(ranking.papers) + ranking.without_vector
        order = [paper.arxiv_id for paper in ranking.papers]
        theirs = other.rankings[topic.code] if other else []
        report.results.append(judge(topic, order, report.papers, theirs or None))
        if other and theirs:
            _tell_other_pool(topic.code, set(order), set(theirs), other.name)
        if keep_run:
            exact = [(paper.arxiv_id, paper.exact) for paper in ranking.papers]
            report.run_lines += run_lines(topic.code, exact, run_tag(ranking.ranker_version))
    return report


def _tell_other_pool(topic: str, ours: set[str], theirs: set[str], name: str) -> None:
    """Say where the two rankings are of different papers: what one of them lacks counts as missed there."""
    if ours != theirs:
        say(
            f"{topic}: {name} lacks {len(ours - theirs)} of the {len(ours)} papers that are ranked here, and has"
            f" {len(theirs - ours)} others; where a paper is not ranked, it counts as missed."
        )


def _tell_unranked(ranked: int, without_vector: int) -> None:
    if not ranked:
        raise UsageError("no stored paper has a vector of this model yet", "`bmp nightly` embeds them")
    if without_vector:
        say(f"{without_vector} papers have no vector and count as not found; {AWAITED}.")


def _save(target: Path, lines: Sequence[str]) -> None:
    from curation.export.files import write_file

    write_file(target, "".join(f"{line}\n" for line in lines).encode("utf-8"))
    say(f"Wrote {target}.")
