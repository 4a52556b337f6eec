"""From an order book to a review: the order of the steps, readable top to bottom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from churnlens.config import Settings
from churnlens.errors import ConfigError
from churnlens.issues.compare import require_comparable
from churnlens.panel import Book, Panel, build, open_book
from churnlens.panel.departures import DEFINITIONS, definition
from churnlens.panel.threads import beside, over_chunks, products_on_one_core
from churnlens.plugins import load_function, load_plugin
from churnlens.remedies.scope import reached
from churnlens.results import Review, Skipped
from churnlens.tables import Tables, open_source
from churnlens.which import baseline as expectation
from churnlens.which import scan as segment_scan
from churnlens.which.alignment import aligned
from churnlens.which.baseline import Baseline
from churnlens.which.segments import attributes_of
from churnlens.why.investigate import answer
from churnlens.why.registry import classifiers
from churnlens.writeup import LEAST_DEPARTURES, Known, read_plain, write_review, write_too_few

Progress = Callable[[str, int, int], None]
STEPS = 7


@dataclass(frozen=True)
class Outcome:
    """The review, and the tables it was read from (for the rejected rows)."""

    review: Review
    tables: Tables


@products_on_one_core()
def investigate(
    source: Path | str,
    settings: Settings,
    *,
    previous: Review | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Read an order book and say why clients leave, which segments leave and since when.

    Parameters
    ----------
    source
        A folder, a file, a `churnlens.toml`, or an Ibis connection URL.
    settings
        Nothing dated after its `as_of` is read; the last order's day by default.
    previous
        The review of an earlier quarter, to say what became of its issues.
    progress
        Called with the step's name, its number from 0, and the number of steps.

    Raises
    ------
    ChurnlensError
        When the source or the settings cannot be used.
    """
    step = progress or _silent
    step("reading and checking the tables", 0, STEPS)
    check_parts(settings)
    tables = open_source(source, settings)
    if previous is not None:
        _require_earlier(previous, tables.as_of)
        require_comparable(previous, settings.period, settings.currency)
    step("adding up orders by client and period", 1, STEPS)
    book = open_book(tables, settings)
    step("finding departures and their onset", 2, STEPS)
    panel = _panel(book, settings.definition)
    base = expectation.fit(panel)
    if base.departures < LEAST_DEPARTURES:
        return Outcome(write_too_few(tables, settings, book, base, previous), tables)
    step("scanning segments and start dates", 3, STEPS)
    search = segment_scan.prepare(
        base, attributes_of(base.panel), draws=settings.draws, seed=settings.seed
    )
    step("weighing the other definitions of leaving", 4, STEPS)
    others, unread = _other_definitions(book, settings)
    step("looking for causes", 5, STEPS)
    alike = {name: aligned(other, base) for name, other in others.items()}
    attributes = attributes_of(base.panel, tiers=False)
    remedied = reached(base.panel, tables.remedies)
    found, plain = beside(
        lambda: answer(base, search, attributes, alike, settings, remedied),
        lambda: read_plain(base),
    )
    step("writing down what was found", 6, STEPS)
    known = Known(tables, settings, book, base, search, others, found, plain, previous)
    review = write_review(known)
    review = replace(review, skipped=(*review.skipped, *unread))
    step("done", STEPS, STEPS)
    return Outcome(review, tables)


def check_parts(settings: Settings) -> None:
    """Find out before anything is read whether the definition and every plugin is there.

    Raises
    ------
    ConfigError
        When one is not.
    """
    for kind, names in settings.plugins:
        load = load_plugin if kind in ("models", "sections") else load_function
        for name in names:
            load(name, kind.removesuffix("s"))
    classifiers(settings)
    definition(settings.definition)


def _require_earlier(previous: Review, as_of: dt.date) -> None:
    if previous.as_of >= as_of.isoformat():
        raise ConfigError(
            f"--previous is a review as of {previous.as_of}, and this one is as of {as_of}: "
            "name one of an earlier quarter."
        )


def _panel(book: Book, name: str) -> Panel:
    """Return the panel under the definition that the review rests on."""
    panel = build(book, name)
    if isinstance(panel, Skipped):
        raise ConfigError(f"the churn definition '{name}' cannot be used here. {panel.reason}")
    return panel


def _other_definitions(
    book: Book, settings: Settings
) -> tuple[dict[str, Baseline], tuple[Skipped, ...]]:
    """Return the baseline under each other definition, and why some could not be read."""
    bare = replace(book, exposures=(), sides=())  # they count departures alone

    def weighed(name: str) -> Baseline | Skipped:
        panel = build(bare, name)
        return panel if isinstance(panel, Skipped) else expectation.fit(panel)

    known = dict.fromkeys((*DEFINITIONS, *settings.plugins.definitions))
    names = [name for name in known if name != settings.definition]
    read = dict(zip(names, over_chunks(weighed, names), strict=True))
    others = {name: found for name, found in read.items() if isinstance(found, Baseline)}
    return others, tuple(found for found in read.values() if isinstance(found, Skipped))


def _silent(_name: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""
