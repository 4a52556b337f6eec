"""Write down what was found: the analyses' answers as one review."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from churnlens.config import Settings
from churnlens.issues import catalogue, identity
from churnlens.issues.compare import redefined
from churnlens.issues.register import entries_of, last_words
from churnlens.issues.summary import (
    caveats,
    ranked,
    too_few,
    unplaced_share,
    verdict_sentences,
)
from churnlens.panel import Book, Panel
from churnlens.remedies import Forecast, forecast, judge_remedies, plan_test, unread_remedies
from churnlens.remedies.rates import ByClient
from churnlens.remedies.scope import reached
from churnlens.results import (
    Association,
    DefinitionSummary,
    DefinitionUsed,
    Issue,
    RemedyResult,
    Review,
    Skipped,
    Text,
)
from churnlens.results import Book as BookView
from churnlens.tables import Tables, orders_placed
from churnlens.when.book import Described, describe
from churnlens.which.baseline import Baseline
from churnlens.which.composition import mix_issue
from churnlens.which.mix import MixChange, mix_bars, mix_change
from churnlens.which.scan import Scan
from churnlens.which.segments import Attribute, attributes_of, members
from churnlens.which.stay import why_the_best_stay
from churnlens.which.tiers import tier_rows
from churnlens.why.attribution import Settled
from churnlens.why.findings import composition_issue
from churnlens.why.investigate import Answer
from churnlens.why.names import behind
from churnlens.why.titles import as_mended

LEAST_DEPARTURES = 20  # below this nothing can be said of when, which and why
MOST_SILENT = 3  # groups named whose orders of the last weeks are lacking

Plain = tuple[MixChange | Skipped, tuple[Association, ...] | Skipped]


def read_plain(base: Baseline) -> Plain:
    """Return what is said of the book whatever the causes: mix, and why the best stay."""
    return mix_change(base), why_the_best_stay(base)


@dataclass(frozen=True)
class Known:
    """All that a review is written from; `others` are the baselines of the other definitions."""

    tables: Tables
    settings: Settings
    book: Book
    base: Baseline
    search: Scan | None
    others: dict[str, Baseline]
    found: Answer
    plain: Plain
    previous: Review | None


def write_review(known: Known) -> Review:
    """Return the review: issues with their history, their tests, what was left out and why."""
    tables, settings, base, found = known.tables, known.settings, known.base, known.found
    previous = known.previous
    issues = _written(known.book, base, found, settings)
    matched = identity.match(previous, issues, _sight(base, attributes_of(base.panel)))
    departures = ByClient(base.observed, base.expected, base.hazard)
    remedied = reached(base.panel, tables.remedies)
    planned, unplanned = _with_plans(base, matched.issues, departures, tables.as_of, remedied)
    outlook = forecast(base.panel, planned, departures=departures, seed=settings.seed)
    unforeseen = (outlook,) if isinstance(outlook, Skipped) else ()
    described = _book_view(known)
    view = _with_outlook(replace(described.book, waterfall=found.waterfall), outlook)
    judged = judge_remedies(
        base.panel,
        tables.remedies,
        planned,
        as_of=tables.as_of,
        departures=departures,
        previous=previous,
        shown=found.settled.panel.found,
    )
    told = ranked((as_mended(issue, judged) for issue in planned), judged)
    review = replace(
        _heading(known, view),
        issues=told,
        gone=matched.gone,
        remedies=judged,
        ruled_out=found.ruled_out,
        skipped=(*_skipped(known.book), *described.skipped, *unplanned, *unforeseen),
        verdict=_verdict(known, told, view, judged),
    )
    return _carried_on(review, previous)


def _carried_on(review: Review, previous: Review | None) -> Review:
    """The review with the history of those before it."""
    history = previous.register if previous else ()
    return replace(
        review,
        previous_as_of=previous.as_of if previous else None,
        register=last_words((*history, *entries_of(review))),
    )


def _heading(known: Known, view: BookView) -> Review:
    """A review that says what was read, how leaving was defined, and nothing of why."""
    tables, settings = known.tables, known.settings
    text = _definition_text(settings.definition)
    return Review(
        as_of=tables.as_of.isoformat(),
        period=settings.period,
        currency=settings.currency,
        rows=tables.rows,
        departure_definition=DefinitionUsed(settings.definition, str(text)),
        definition_text=text,
        issues=(),
        book=view,
        data_findings=tables.findings,
    )


def _verdict(
    known: Known, issues: tuple[Issue, ...], view: BookView, judged: tuple[RemedyResult, ...]
) -> tuple[Text, ...]:
    """The first page's sentences, with what to bear in mind."""
    tables = known.tables
    unplaced = unplaced_share(tables.findings, view.clients)
    said = verdict_sentences(
        issues,
        view.series,
        view.smallest_visible_rise,
        judged,
        view.changes,
        unplaced,
        view.lifetimes,
        until=(tables.ends_on or tables.as_of).isoformat(),
        per_year=known.book.calendar.per_year,
    )
    return (*said, *_to_bear_in_mind(known, unplaced))


def _to_bear_in_mind(known: Known, unplaced: float) -> tuple[Text, ...]:
    """Return what limits the verdict; `unplaced` is the share of clients of no known group."""
    previous, definition = known.previous, known.settings.definition
    other = None if previous is None else redefined(previous, definition)
    of_data = caveats(known.tables.rows["orders"], unplaced)
    return of_data if other is None else (*of_data, other)


def _written(book: Book, base: Baseline, found: Answer, settings: Settings) -> tuple[Issue, ...]:
    """The issues, the dearest first, with what could be done about each."""
    explained = _named(book, found) if settings.name_clients else found.issues
    return tuple(_with_advice(i, settings) for i in ranked(explained or _mix_issue(base)))


def _with_outlook(view: BookView, outlook: Forecast | Skipped) -> BookView:
    """The view of the book with what the next quarter brings, where that could be said."""
    if isinstance(outlook, Skipped):
        return view
    return replace(
        view,
        outlook=outlook.outlook,
        outlook_checks=outlook.checks,
        outlook_method=outlook.method,
    )


def _mix_issue(base: Baseline) -> tuple[Issue, ...]:
    """A rise made by composition alone, where no segment got worse."""
    found = mix_issue(base)
    return () if isinstance(found, Skipped) else (composition_issue(found),)


def _named(book: Book, found: Answer) -> tuple[Issue, ...]:
    """The issues with the clients behind them."""
    ids = book.data.clients["client_id"].tolist()
    return tuple(
        replace(issue, named_clients=behind(found.settled, part, ids))
        for issue, part in zip(found.issues, found.settled.parts, strict=True)
    )


def _with_plans(
    base: Baseline,
    issues: tuple[Issue, ...],
    departures: ByClient,
    as_of: dt.date,
    remedied: np.ndarray,
) -> tuple[tuple[Issue, ...], tuple[Skipped, ...]]:
    """Write down beforehand how each issue's remedy will be tested."""
    plans = [
        plan_test(base.panel, i, as_of=as_of, departures=departures, remedied=remedied)
        for i in issues
    ]
    return (
        tuple(
            replace(i, test_plan=None if isinstance(p, Skipped) else p)
            for i, p in zip(issues, plans, strict=True)
        ),
        tuple(p for p in plans if isinstance(p, Skipped)),
    )


def _book_view(known: Known) -> Described:
    """The book as a whole, its first page and its method page, and what could not be said of it."""
    book, base, found, settings = known.book, known.base, known.found, known.settings
    search, others = known.search, known.others
    mix, stay = known.plain
    # As many departures as on the other pages: those weighed under what explains them.
    tiers = tier_rows(replace(base, panel=found.settled.panel))
    described = describe(
        book,
        found.settled.panel,
        orders=orders_placed(known.tables),
        usual=found.settled.usual,
        observed=base.observed,
        expected=base.expected,
        definitions=tuple(
            _definition_summary(name, b.panel)
            for name, b in ({settings.definition: base} | others).items()
        ),
        segments_looked_at=search.segments if search else 0,
        starts_looked_at=search.starts if search else 0,
        seed=settings.seed,
        mix=() if isinstance(mix, Skipped) else mix_bars(mix),
        tiers=() if isinstance(tiers, Skipped) else tiers,
        stay=() if isinstance(stay, Skipped) else stay,
    )
    skipped = tuple(part for part in (mix, tiers, stay) if isinstance(part, Skipped))
    return replace(described, skipped=(*described.skipped, *skipped))


def _definition_summary(name: str, panel: Panel) -> DefinitionSummary:
    kinds = {kind: int((panel.kind == kind).sum()) for kind in ("lapsed", "shrunk", "closed")}
    partly = panel.found.sum(axis=1)
    return DefinitionSummary(
        name=name,
        detail=_definition_text(name),
        departures=kinds["lapsed"] + kinds["shrunk"],
        undecided=int(((panel.onset < 0) & (partly > 0.3)).sum()),
        **kinds,
    )


def _definition_text(name: str) -> Text:
    known = {
        "cadence": Text(
            "A client counts as leaving when its orders fall by more than half against its own "
            "rhythm and stay down, at once or fading; the date is when ordering first fell."
        ),
        "silence": Text(
            "A client counts as leaving when it stays silent for far longer than its own rhythm "
            "allows. The chart of returns says how long, and how many still came back."
        ),
        "volume": Text(
            "A client counts as leaving when it buys less than half as much over half a year as "
            "over the year before."
        ),
        "p_alive": Text(
            "A client counts as leaving when its silence leaves it one chance in ten to be a "
            "client still, by a model of how often clients buy and stop buying (BG/NBD)."
        ),
        "basket": Text(
            "A client counts as leaving when it gives up the categories that half or more of its "
            "money went to, whether it still orders others or not."
        ),
    }
    return known.get(name, Text("A definition of your own: {name}.", {"name": name}))


def _with_advice(issue: Issue, settings: Settings) -> Issue:
    path = Path(settings.report.remedies) if settings.report.remedies else None
    family, advice = catalogue.recommend(
        issue.driver, issue.direction, path, kind=issue.kind, over=issue.outlasted
    )
    return replace(issue, driver_family=family, recommendation=advice)


def _sight(base: Baseline, attributes: tuple[Attribute, ...]) -> identity.Sight:
    """What these data can show of an issue of the last quarter."""
    shape = base.expected.shape

    def inside(segment: object) -> np.ndarray:
        return members(dict(segment), attributes, shape)  # type: ignore[call-overload]

    def overlap(a: object, b: object) -> float:
        there = base.panel.active > 0
        x, y = inside(a) & there, inside(b) & there
        either = float((x | y).sum())
        return float((x & y).sum()) / either if either else 0.0

    def expected(issue: Issue) -> float:
        start = dt.date.fromisoformat(issue.onset.date) if issue.onset else base.panel.periods[0]
        late = np.array([day >= start for day in base.panel.periods])
        return float((base.expected * inside(issue.segment))[:, late].sum(dtype=np.float64))

    drivers = frozenset(e.driver for e in base.panel.exposures)
    return identity.Sight(drivers, overlap, expected)


_NO_DRIVERS = Text(
    "No driver is recorded (no numeric order column, no events): which segment and since when can "
    "be said, why cannot."
)
_NO_DRIVER_TELLS = Text(
    "None of the recorded drivers tells anything: which segment and since when can be said, why "
    "cannot."
)


def _silent_ends(book: Book) -> Iterator[Skipped]:
    """Who ordered far less in the last weeks all together; of a whole book nothing more is said."""
    gaps = book.activity.last_gaps
    whole = [g for g in gaps if g.attribute is None]
    for gap in whole or gaps[:MOST_SILENT]:
        named = {} if gap.attribute is None else {gap.attribute: [gap.value]}
        text = Text(
            "From {month} to the end only {part} of the usual orders came from {clients}, from all"
            " of them at once. Was the business closed, or are orders not loaded yet? Nobody is"
            " counted as gone for it; the next review will show who comes back.",
            {
                "month": {"type": "month", "value": book.calendar.starts[gap.since].isoformat()},
                "part": {"type": "percent", "value": gap.part},
                "clients": {"type": "clients", "value": named},
            },
        )
        yield Skipped("last_gap", str(text), text)


def _skipped(book: Book) -> tuple[Skipped, ...]:
    out = list(book.skipped)
    cal = book.calendar
    if len(cal.starts) < 2 * cal.per_year:
        text = Text(
            "The data cover less than two years, so a season cannot be told from a trend: what "
            "looks like a rise at the end may be the time of the year."
        )
        out.append(Skipped("no_season", str(text), text))
    out.extend(_silent_ends(book))
    if not book.exposures:
        silent = ("constant_driver", "unrecorded_driver", "rare_driver")
        idle = any(s.code in silent for s in book.skipped)
        text = _NO_DRIVER_TELLS if idle else _NO_DRIVERS
        out.append(Skipped("no_drivers", str(text), text))
    return tuple(out)


def write_too_few(
    tables: Tables, settings: Settings, book: Book, base: Baseline, previous: Review | None
) -> Review:
    """Return the review of a book in which too few left to say when, which or why."""
    text = Text(
        "Too few departures to say when, which or why: {found}, needs {needed}.",
        {"found": round(base.departures), "needed": LEAST_DEPARTURES},
    )
    found = Answer((), (), Settled(base.panel, base.hazard, ()))
    known = Known(tables, settings, book, base, None, {}, found, read_plain(base), previous)
    described = _book_view(known)
    unplaced = unplaced_share(tables.findings, described.book.clients)
    review = replace(
        _heading(known, described.book),
        gone=identity.unseen(previous),
        remedies=unread_remedies(base.panel, tables.remedies, previous),
        skipped=(
            Skipped("too_few_departures", str(text), text),
            *_skipped(book),
            *described.skipped,
        ),
        verdict=(*too_few(base.departures), *_to_bear_in_mind(known, unplaced)),
    )
    return _carried_on(review, previous)
