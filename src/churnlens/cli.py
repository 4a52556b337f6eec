"""What can be asked on the command line, and what is said when it cannot be answered.

Exit codes: 0 it ran, 2 the input, the configuration or the call is wrong, 1 anything else.
Whatever is slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from churnlens import plugins
from churnlens.errors import ChurnlensError, ConfigError, first_line, without_password

if TYPE_CHECKING:
    from churnlens.config import ReportSettings, Settings
    from churnlens.pipeline import Outcome
    from churnlens.results import Review

Lang = Literal["en", "zh"]

DEBUG = "CHURNLENS_DEBUG"  # set: an unexpected error shows its traceback
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
GRACE = 1.0  # seconds a step of the engine has to notice Ctrl-C

app = typer.Typer(
    help="Why clients leave, which segments leave and since when, from order history.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a date such as 2024-12-31.") from error


def _url(text: str) -> str:
    if "://" not in text:
        raise typer.BadParameter(f"'{text}' is not a connection URL such as duckdb:///work.db.")
    return text


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A folder with orders.*, a data file, a churnlens.toml, or a database URL.",
    ),
]
SavedReview = Annotated[Path, typer.Argument(metavar="REVIEW.json", help="A saved review.")]
AsOf = Annotated[
    dt.date | None,
    typer.Option(
        parser=_date, metavar="DATE", help="Read nothing dated later [default: last order]."
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings [default: churnlens.toml beside the data]."),
]
Engine = Annotated[
    str | None,
    typer.Option(
        parser=_url, metavar="URL", help="Ibis connection that computes [default: DuckDB]."
    ),
]
Language = Annotated[Lang | None, typer.Option(help="Language of the report.")]
Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Seed of the draws behind p-values and checks."),
]


@app.command()
def run(
    source: Source,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Gets one folder a run: FOLDER/<as-of>/.")
    ] = Path("reports"),
    as_of: AsOf = None,
    previous: Annotated[
        Path | None, typer.Option(metavar="REVIEW.json", help="The review before this one.")
    ] = None,
    config: ConfigFile = None,
    engine: Engine = None,
    lang: Language = None,
    seed: Seed = None,
    name_clients: Annotated[
        bool, typer.Option("--name-clients", help="Let the report name clients.")
    ] = False,
) -> None:
    """Say who leaves, since when and why."""
    from churnlens import console, output, results
    from churnlens.issues import register

    place, settings = _settings(source, config)
    settings = _overridden(
        settings,
        as_of=as_of,
        engine=_beside(Path(), engine),
        lang=lang,
        seed=seed,
        name_clients=name_clients or None,
    )
    before = results.read_review(previous) if previous else None
    inputs = _inputs(place, settings)
    output.check_writable(out, inputs)
    if settings.as_of is not None:
        output.check_is_run(out / settings.as_of.isoformat())
    kept = settings.register_at or out / register.FILE
    register.check(kept)
    _check_look(settings)  # what is not there is said before the long run
    with console.progress() as progress:
        from churnlens.report import charts  # seconds to import: after the quick checks

        charts.start_ahead()
        from churnlens.pipeline import investigate

        outcome = investigate(place, settings, previous=before, progress=progress)
        values = settings.model_dump(mode="json", by_alias=True)
        manifest = output.describe_run(place, inputs, values, _versions(), previous)
        review = _written(outcome, out, manifest, settings)
        register.record(kept, register.entries_of(review))
    for line in console.warnings(review, settings.lang, out / review.as_of / output.REJECTS):
        print(line, file=sys.stderr)
    print(console.summary(review, settings.lang))
    print(f"Report: {out / review.as_of / output.REPORT}")


def _written(outcome: Outcome, out: Path, manifest: dict[str, Any], settings: Settings) -> Review:
    """Write a run's folder and return the review as it was saved."""
    from churnlens import output, results
    from churnlens.tables import rejects

    text = results.to_json(outcome.review)
    review = results.from_json(text)  # the report is of what is saved, to the last digit
    output.write_run(
        out / review.as_of,
        report=_html(review, settings),
        review=text,
        manifest=manifest,
        rejects=lambda folder: rejects.write(outcome.tables, folder),
    )
    return review


@app.command()
def check(
    source: Source, as_of: AsOf = None, config: ConfigFile = None, engine: Engine = None
) -> None:
    """Check the data; nothing is fitted."""
    from churnlens import console
    from churnlens.issues import register
    from churnlens.panel.worth import find_price_cut
    from churnlens.pipeline import check_parts
    from churnlens.tables import open_source

    place, settings = _settings(source, config)
    settings = _overridden(settings, engine=_beside(Path(), engine))
    if settings.register_at:
        register.check(settings.register_at)
    _check_look(settings)
    check_parts(settings)
    tables = open_source(place, settings, as_of)
    find_price_cut(settings.price_cut, tables.measures)
    print(console.data_summary(tables, settings))


def _check_look(settings: Settings) -> None:
    """Find out whether what the configuration names for the report can be read."""
    from churnlens.issues import catalogue
    from churnlens.report import check_look
    from churnlens.report.sections import chosen

    chosen(settings.plugins.sections)
    check_look(settings.report)
    catalogue.load(Path(settings.report.remedies) if settings.report.remedies else None)


@app.command()
def init(source: Source) -> None:
    """Write a churnlens.toml guessed from the data."""
    from churnlens import output
    from churnlens.config import CONFIG_NAME
    from churnlens.tables.guess import first_config

    place = _place(source)
    target = _folder(place) / CONFIG_NAME
    if target.exists():
        raise ConfigError(f"{target} exists already; move it away to have a new one written.")
    first = first_config(place)
    output.write_file(target, first.text)
    for name, keys in first.lacking.items():
        print(f"Not found in {name}: {', '.join(keys)}. Fill it in under [{name}.columns].")
    print(f"Wrote {target}. Look it through, then: churnlens run {target}")


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The earlier review.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The later review.json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Set two reviews side by side."""
    from churnlens import results
    from churnlens.issues import compare as side_by_side

    found = side_by_side.compare(results.read_review(old), results.read_review(new))
    print(side_by_side.to_json(found) if as_json else side_by_side.to_text(found), end="")


@app.command()
def render(
    review: SavedReview,
    config: ConfigFile = None,
    lang: Language = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="[default: report.html beside the review]")
    ] = None,
) -> None:
    """Make the report again from a review."""
    from churnlens import output, results

    saved = results.read_review(review)
    settings = _overridden(_loaded(config), lang=lang)
    target = out or review.parent / output.REPORT
    if target.resolve() == review.resolve():
        raise ConfigError(f"--out {out} is the review itself: name another file for the report.")
    output.write_file(target, _html(saved, settings))
    print(f"Report: {target}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    world: Annotated[
        str, typer.Option(metavar="NAME", help="Which world; a wrong name lists them.")
    ] = "approval",
    clients: Annotated[
        int | None, typer.Option(min=50, metavar="N", help="How many clients [default: drawn].")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of what is drawn.")] = 0,
) -> None:
    """Write a planted world, with its truth beside it."""
    from churnlens import output
    from churnlens.simulate import write_world

    output.check_writable(out)
    output.check_no_others(out, made_here="truth.json")
    with output.explaining(out):
        truth = write_world(out, world, clients, seed)
    print(f"Wrote {out}: world '{truth.scenario}', {truth.departures:,} departures.")
    print(f"Next: churnlens run {out}")


@app.command()
def score(
    review: SavedReview,
    truth: Annotated[Path, typer.Argument(metavar="TRUTH.json", help="What was planted.")],
) -> None:
    """Score a review against the truth."""
    from churnlens.simulate.scoring import score_files

    print("\n".join(score_files(review, truth).lines()))


def _html(review: Review, settings: Settings) -> str:
    from churnlens.report import render as report

    return report(
        review,
        lang=settings.lang,
        settings=settings.report,
        sections=settings.plugins.sections,
        smallest_group=settings.smallest_group,
    )


def _place(source: str) -> Path | str:
    return source if "://" in source else Path(source)


def _folder(place: Path | str) -> Path:
    """Where a source's config lies: in its folder; for a database, where the command is run."""
    if isinstance(place, str):
        return Path()
    return place if place.is_dir() else place.parent


def _settings(source: str, config: Path | None) -> tuple[Path | str, Settings]:
    """Load a source's settings: its own churnlens.toml, the one beside it, or `--config`."""
    from churnlens.config import CONFIG_NAME

    place = _place(source)
    if isinstance(place, Path) and place.suffix == ".toml":
        if config is not None:
            raise ConfigError(
                f"SOURCE is a config file ({place}), so --config cannot name another."
            )
        return place, _loaded(place)
    beside = _folder(place) / CONFIG_NAME
    if config is None and isinstance(place, Path) and beside.is_file():
        if place.is_dir():
            return beside, _loaded(beside)
        config = beside
    settings = _loaded(config)
    if settings.source is not None:
        raise ConfigError(
            f"{config} names a source of its own ({settings.source}): leave out SOURCE or source."
        )
    return place, settings


def _loaded(config: Path | None) -> Settings:
    from churnlens.config import Settings, load

    if config is None:
        return Settings()
    settings = load(config)
    if settings.engine is not None and "://" not in settings.engine:
        raise ConfigError(
            f"{config}: engine = '{settings.engine}' is not a connection URL such as "
            "duckdb:///work.db."
        )
    plugins.look_in(config.parent)
    return _overridden(
        settings,
        report=_anchored(settings.report, config.parent),
        register_at=_beside(config.parent, settings.register_at),
        engine=_beside(config.parent, settings.engine),
    )


def _beside(folder: Path, place: str | None) -> str | None:
    """Find a file that the config names from where the config lies, also one in a URL."""
    if place is None or "://" not in place:
        return place if place is None else str(folder / place)
    from churnlens.tables.database import from_folder

    return from_folder(place, folder)


def _anchored(report: ReportSettings, folder: Path) -> ReportSettings:
    named = {key: getattr(report, key) for key in ("css", "logo", "remedies")}
    return report.model_copy(update={key: _beside(folder, name) for key, name in named.items()})


def _overridden(settings: Settings, **options: Any) -> Settings:
    return settings.model_copy(update={k: v for k, v in options.items() if v is not None})


def _inputs(place: Path | str, settings: Settings) -> tuple[Path, ...]:
    from churnlens.tables.database import file_of
    from churnlens.tables.sources import locate

    located = locate(place, settings)
    database = None if located.url is None else file_of(located.url, located.base)
    return (*located.files.values(), *([database] if database else []))


def _versions() -> dict[str, str]:
    """Return the versions of the packages that can change a figure."""
    names = ("churnlens", "duckdb", "ibis-framework", "numpy", "pandas", "scikit-learn", "scipy")
    return {"python": sys.version.split()[0], **{name: metadata.version(name) for name in names}}


def main() -> NoReturn:
    """Run the command line; every ending has an exit code and at most one message."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign is no error
    with _interruptible() as interrupted:
        sys.exit(_answer(interrupted))


def _answer(interrupted: threading.Event) -> int:
    try:
        app(prog_name="churnlens")
    except ChurnlensError as error:
        return _say(str(error), 2)
    except Exception as error:  # the outermost door: one message, never a traceback
        if interrupted.is_set():
            return INTERRUPTED  # the engine makes an error of its own out of Ctrl-C
        if os.environ.get(DEBUG):
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(f"{error.strerror}: what could not be written whole was not written.", 1)
        first = first_line(error)
        return _say(
            f"something went wrong in churnlens itself ({type(error).__name__}: {first}). "
            f"Please report it in the project's issue tracker, with what {DEBUG}=1 prints.",
            1,
        )
    return 0


def _say(message: str, code: int) -> int:
    print(f"Error: {without_password(message)}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Let Ctrl-C end a step of the engine too, which may not look up while it computes."""
    interrupted = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    usual = signal.signal(signal.SIGINT, note)
    listening, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_on_interrupt, args=(listening,), daemon=True).start()
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, usual)
        signal.set_wakeup_fd(-1)
        waking.close()


def _end_on_interrupt(listening: socket.socket) -> None:
    with listening:
        while (caught := listening.recv(1)) != bytes([signal.SIGINT]):
            if not caught:
                return  # the command has ended
    time.sleep(GRACE)  # usually the command has ended by itself before this is over
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # the bar had hidden the cursor
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
