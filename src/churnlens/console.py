"""What the user sees while a command runs, and when it has run.

Progress goes to stderr: a bar on a terminal, plain lines otherwise. The summary is for stdout.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from churnlens.config import Settings
    from churnlens.report.language import Language
    from churnlens.results import DataFinding, Review, RowCounts
    from churnlens.tables import Tables

Progress = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Give a callable that shows (step, how many are done, of how many)."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda step, done, total: bar.update(
            task, description=step, completed=done, total=total
        )


def _lines() -> Progress:
    said: set[str] = set()

    def show(step: str, done: int, total: int) -> None:
        if step not in said:
            said.add(step)
            print(f"[{min(done + 1, total)}/{total}] {step}", file=sys.stderr, flush=True)

    return show


def summary(review: Review, lang: str) -> str:
    """Return the verdict and one line an issue, with its money.

    Parameters
    ----------
    review
        What a run found.
    lang
        ``"en"`` or ``"zh"``.
    """
    from churnlens.report.language import Language

    language = Language(lang, review.currency, review.period)
    lines = [" ".join(language.sentence(sentence) for sentence in review.verdict)]
    for issue in review.issues:
        money = language.money(issue.revenue_per_year.value)
        interval = language.interval(issue.revenue_per_year, "money")
        title = language.title(issue.title_text, issue.title)
        cost = language.gettext("Cost a year")
        lines.append(f"{issue.rank}. {title}\n   {cost}: {money} ({interval})")
    return "\n".join(lines)


def warnings(review: Review, lang: str, rejects: Path) -> list[str]:
    """Return what `check` warns of, and where the rejected rows are: a verdict may hang on it.

    Parameters
    ----------
    review
        What a run found.
    lang
        ``"en"`` or ``"zh"``.
    rejects
        The run's folder of rejected rows.
    """
    from churnlens.report.language import Language
    from churnlens.results import Text

    language = Language(lang, review.currency, review.period)
    lines = [_said(f, language) for f in review.data_findings if f.severity == "warning"]
    refused = sum(counts.rejected for counts in review.rows.values())
    if refused:
        there = Text("Rejected rows, {rows} in all, are in", {"rows": refused})
        lines.append(f"! {language.say(there)} {rejects}")  # a path is never shortened
    return lines


def data_summary(tables: Tables, settings: Settings) -> str:
    """Return the sum of rows of each table, then the findings about the data.

    Parameters
    ----------
    tables
        The opened source.
    settings
        Their language, currency and period.
    """
    from churnlens.report.language import Language

    language = Language(settings.lang, settings.currency, settings.period)
    lines = [_span(tables)]
    lines += [_sum_of_rows(name, counts) for name, counts in tables.rows.items()]
    lines += [_said(finding, language) for finding in tables.findings]
    return "\n".join(lines)


def _said(finding: DataFinding, language: Language) -> str:
    mark = "!" if finding.severity == "warning" else "-"
    return f"{mark} {language.say(finding.text)}"


def _span(tables: Tables) -> str:
    """Say which days the orders are of, and as of when they are read where that is another day."""
    from churnlens.tables.model import RETURN

    dates = tables.orders.filter(~tables.orders[RETURN]).order_date  # a return is no order
    first, last = dates.min().to_pyarrow().as_py(), dates.max().to_pyarrow().as_py()
    later = "" if last == tables.as_of else f", read as of {tables.as_of}"
    return f"Orders from {first} to {last}{later}."


def _sum_of_rows(name: str, counts: RowCounts) -> str:
    rows = "row" if counts.read == 1 else "rows"
    return (
        f"{name}: {counts.read:,} {rows} read = {counts.accepted:,} accepted + "
        f"{counts.rejected:,} rejected + {counts.after_as_of:,} dated later"
    )
