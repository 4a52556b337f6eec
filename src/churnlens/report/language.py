"""How is it said in the reader's language: sentences, names, dates, numbers and money."""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeGuard

from babel import Locale, dates, numbers
from babel.messages import pofile

from churnlens.bands import limits
from churnlens.naming import parted, thousands_of
from churnlens.report.words import TIERS, TOO_SMALL
from churnlens.results import Estimate, Segment, Text, fitted, money_as_said

LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}
LONGEST_NAME = 60  # characters of a user's own name shown inside a sentence
LONGEST_TITLE = 300  # characters of a title that has no translation
LEAST_SHARE = 0.001  # smaller shares are said to be below it
TIER = "value_tier"  # the attribute whose values are tiers, not names from the data
MOST_VALUES = 3  # values of one attribute spelt out before "and n more"

# Marks that reorder the text around them, and control characters: a value may not rearrange a page.
_UNSEEN = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LATIN_NEXT = re.compile("(?<=[\u4e00-\u9fff])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u4e00-\u9fff])")
_FIRST_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"

_SPAN = re.compile(r"从?\{date\}[至到]\{end\}")
_NO_NUMBER = "–"
_ALL, _TOO_SMALL = Text("all clients"), Text("a group too small to show")
_CLIENTS, _CLIENTS_WITH = Text("clients"), Text("clients with {segment}")
_AMONG = Text("{clients} among {tiers}")
_OR = Text("{first} or {last}")
_AND = Text("{first} and {last}")
_MORE = Text("{first} and {count} more")
_PART = Text("{attribute} {values}")
_RANGE = Text("{low} to {high}")
_UP_TO, _ABOVE = Text("up to {high}"), Text("above {low}")
_WEEK = Text("the week of {day}")
_JOIN = Text("{first}, {last}")
_WITH_UNIT, _THOUSAND = Text("{name} ({unit})"), Text("thousand {currency}")


@dataclass(frozen=True)
class Language:
    """The reader's language: catalogue and locale, with the review's currency and period.

    Parameters
    ----------
    code
        ``"en"`` or ``"zh"``.
    currency
        ISO 4217 code, such as ``"EUR"``.
    period
        ``"week"``, ``"month"`` or ``"quarter"``: how a period is named.
    """

    code: str
    currency: str
    period: str

    @property
    def locale(self) -> Locale:
        """The Babel locale behind numbers, dates and money."""
        return _locale(LOCALES[self.code])

    def gettext(self, message: str) -> str:
        """Return the translation of a template, or the template where there is none."""
        return catalogue(self.code).get(message, message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Return the singular or plural form; Chinese has one form, kept under the singular."""
        if self.code == "en":
            return one if count == 1 else many
        return catalogue(self.code).get(one, many)

    def say(self, text: Text | None, **more: Any) -> str:
        """Return a sentence in the reader's language, its values written by the locale.

        Strings among the text's own values are names from the data; strings in `more` have been
        written by this language already and stand as they are.
        """
        if text is None:
            return ""
        values = {key: self.value(v) for key, v in text.values.items()}
        values |= {key: v if isinstance(v, str) else self.value(v) for key, v in more.items()}
        return self._spaced(self._fitted(self.gettext(text.template), values).format_map(values))

    def _fitted(self, template: str, values: dict[str, str]) -> str:
        """Fit a template to its values: one in the singular, a span of one period as that period.

        `values` as written.
        """
        if self.code == "en":
            return fitted(template, values)
        one = "end" in values and values.get("date") == values["end"]
        return _SPAN.sub("{date}", template) if one else template

    def _spaced(self, written: str) -> str:
        """Part Latin words from Chinese ones by a space, as Chinese print does."""
        if self.code != "zh":
            return written
        return _LATIN_NEXT.sub(" ", written)

    def sentence(self, text: Text | None, **more: Any) -> str:
        """Return a sentence that begins with a capital, also where it begins with a name."""
        return self.capital(self.say(text, **more))

    def title(self, text: Text | None, plain: str) -> str:
        """Return the sentence that an issue is called by; the plain one where it has no other."""
        return self.sentence(text) or self.name(plain, LONGEST_TITLE)

    def capital(self, text: str) -> str:
        """Return the text with its first letter large, where the language has such."""
        return text if self.code == "zh" else text[:1].upper() + text[1:]

    def value(self, value: Any) -> str:
        """Write one value of a `Text`: a typed mapping, a number, a `Text` or a user's string."""
        if isinstance(value, Mapping) and "type" in value:
            return self._typed(value["type"], value["value"])
        if isinstance(value, Text):
            return self.say(value)
        if isinstance(value, bool | int | float):
            return self.number(value)
        return self.name(value)

    def _typed(self, kind: str, value: Any) -> str:
        writers: dict[str, Callable[[Any], str]] = {
            "date": self.when,
            "day": self.day,
            "week": self.week,
            "month": self.month,
            "quarter": self.quarter,
            "within": self.within,
            "percent": self.percent,
            "money": self.money,
            "number": self.number,
            "segment": self.segment,
            "clients": self.clients_of,
            "driver": self.driver,
        }
        return writers[kind](value) if kind in writers else self.value(value)

    # --- names that the user's data bring -----------------------------------------------------

    def name(self, raw: Any, longest: int = LONGEST_NAME) -> str:
        """Return a user's own string fit for a sentence: one line, shortened, unable to reorder."""
        text = " ".join(_UNSEEN.sub(" ", str(raw)).split())
        if len(text) > longest:
            text = text[: longest - 1].rstrip() + "…"
        if _RIGHT_TO_LEFT.search(text):
            text = f"{_FIRST_ISOLATE}{text}{_POP_ISOLATE}"
        return text

    def driver(self, raw: str | None, longest: int = LONGEST_NAME) -> str:
        """Return a driver's name as words, its unit in brackets: `minimum order (EUR)`."""
        words, unit = parted(str(raw or ""))
        thousands = thousands_of(unit)
        written = self.say(_THOUSAND, currency=thousands) if thousands else unit
        named = self.name(words, longest)
        return self.say(_WITH_UNIT, name=named, unit=written) if unit else named

    def segment(self, segment: Segment) -> str:
        """Return a segment in words: `size key, region north or south`; `all clients` for `{}`."""
        if not segment:
            return self.say(_ALL)
        if segment == TOO_SMALL:
            return self.say(_TOO_SMALL)
        return self.listed([self._part(a, tuple(v)) for a, v in sorted(segment.items())])

    def clients_of(self, segment: Segment) -> str:
        """Return a segment as people: `clients with size key`, `all clients`."""
        if not segment:
            return self.say(_ALL)
        rest = {attribute: values for attribute, values in segment.items() if attribute != TIER}
        people = self.say(_CLIENTS_WITH, segment=self.segment(rest)) if rest else self.say(_CLIENTS)
        if TIER not in segment:
            return people
        return self.say(_AMONG, clients=people, tiers=self._part(TIER, tuple(segment[TIER])))

    def listed(self, parts: Sequence[str]) -> str:
        """Join words with the comma of the language."""
        return functools.reduce(lambda first, last: self.say(_JOIN, first=first, last=last), parts)

    def tier(self, value: str) -> str:
        """Return a value tier in words, as it stands within a sentence."""
        if value not in TIERS:
            return self.name(value, 40)
        named = self.say(TIERS[value])
        return named if self.code == "zh" else named[:1].lower() + named[1:]

    def _part(self, attribute: str, values: tuple[str, ...]) -> str:
        if attribute == TIER:
            tiers = [self.tier(value) for value in values]
            return functools.reduce(lambda a, b: self.say(_OR, first=a, last=b), tiers)
        return self.say(
            _PART, attribute=self.driver(attribute, 40), values=self.alternatives(values)
        )

    def alternatives(self, values: Sequence[str]) -> str:
        """Return `north, south or east`; beyond a few, `north, south, east and 37 more`."""
        names = [self._value(v) for v in values]
        if len(names) > MOST_VALUES + 1:
            head, rest = self.listed(names[:MOST_VALUES]), len(names) - MOST_VALUES
            return self.say(_MORE, first=head, count=rest)
        if len(names) == 1:
            return names[0]
        head = self.listed(names[:-1])
        return self.say(_OR, first=head, last=names[-1])

    def _value(self, value: str) -> str:
        """Return a value of an attribute: a name as it is, a band of a number in words."""
        ends = limits(value)
        if ends is None:
            return self.name(value, 40)
        low, high = (_edge(end) for end in ends)
        if low == high:
            low, high = (f"{end:.6g}" for end in ends)
        if math.isinf(ends[0]):
            return self.say(_UP_TO, high=high)
        return self.say(_ABOVE, low=low) if math.isinf(ends[1]) else self.span(low, high)

    def both(self, first: str, last: str) -> str:
        """Return `first and last`."""
        return self.say(_AND, first=first, last=last)

    # --- dates --------------------------------------------------------------------------------

    def when(self, iso: str) -> str:
        """Name a date: by its period where it is the first day of one, else the full day."""
        day = dt.date.fromisoformat(iso[:10])
        if self.period == "quarter" and day.day == 1 and day.month % 3 == 1:
            return self.quarter(iso)
        if self.period != "week" and day.day == 1:
            return self._date("yMMMM", day)
        return self.day(iso)

    def within(self, iso: str) -> str:
        """Name the period that a date lies in: `October 2023` for its last day, too."""
        day = dt.date.fromisoformat(iso[:10])
        if self.period == "quarter":
            return self.when(day.replace(month=day.month - (day.month - 1) % 3, day=1).isoformat())
        return (
            self.when(day.replace(day=1).isoformat()) if self.period == "month" else self.day(iso)
        )

    def day(self, iso: str) -> str:
        """Write a calendar day in full: `31 December 2024`."""
        written = dates.format_date(dt.date.fromisoformat(iso[:10]), "long", locale=self.locale)
        return str(written).replace(" ", "\u00a0")

    def week(self, iso: str) -> str:
        """Name a week by its first day: `the week of 11 September 2023`."""
        return self.say(_WEEK, day=self.day(iso))

    def quarter(self, iso: str) -> str:
        """Name the quarter that a day lies in: `Q4 2024`."""
        return self._date("yQQQ", dt.date.fromisoformat(iso[:10]))

    def month(self, iso: str) -> str:
        """Name the month that a day lies in: `December 2024`."""
        return self._date("yMMMM", dt.date.fromisoformat(iso[:10]))

    def period_name(self, iso: str) -> str:
        """Name a period by its first day: month, quarter, or `the week of …`."""
        return self.week(iso) if self.period == "week" else self.when(iso)

    def short_date(self, iso: str) -> str:
        """Name a period for a chart axis: `Jan 2024`, `Q1 2024`; weeks by their month."""
        day = dt.date.fromisoformat(iso[:10])
        return self._date("yQQQ" if self.period == "quarter" else "yMMM", day)

    def _date(self, skeleton: str, day: dt.date) -> str:
        """Write the named parts of a date in the order of the locale; it never breaks in two."""
        written = dates.format_skeleton(skeleton, day, locale=self.locale)
        return str(written).replace(" ", "\u00a0")

    # --- numbers ------------------------------------------------------------------------------

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Write a number with the decimals it bears (1,234 - 12.3 - 1.09), or with `digits`."""
        if not _known(value):
            return _NO_NUMBER
        most = "#" * _decimals(value) if digits is None else "0" * digits
        pattern = "#,##0" + ("." + most if most else "")
        return _minus(numbers.format_decimal(value, pattern, locale=self.locale))

    def percent(self, share: float | None, signed: bool = False) -> str:
        """Write a share (0.12) as a percentage (12%), small ones with a decimal (0.4%).

        `signed` marks a rise by its sign, as a fall is marked: +12%.
        """
        if not _known(share):
            return _NO_NUMBER
        if signed and share > 0:
            return f"+{self.percent(share)}"
        if 0 < abs(share) < LEAST_SHARE:
            return "<" + self.percent(LEAST_SHARE)
        pattern = "#,##0%" if abs(share) >= 0.1 else "#,##0.#%"
        return _minus(numbers.format_percent(share, pattern, locale=self.locale))

    def money(self, value: float | None, short: bool = False, signed: bool = False) -> str:
        """Write money, rounded to what a meeting can hold: €4,210 - €84K - €1.2M.

        `short` writes smaller amounts in thousands, too: beside a larger one (€5.4K to €210K).
        `signed` marks more by its sign, as less is marked.
        """
        if not _known(value):
            return _NO_NUMBER
        if signed and value > 0:
            return f"+{self.money(value, short)}"
        if abs(value) < (1_000 if short else 10_000):
            return _minus(
                numbers.format_currency(
                    money_as_said(value),
                    self.currency,
                    "¤#,##0",
                    locale=self.locale,
                    currency_digits=False,
                )
            )
        return _minus(
            numbers.format_compact_currency(
                money_as_said(value), self.currency, locale=self.locale, fraction_digits=1
            )
        )

    def interval(self, estimate: Estimate | None, kind: str = "number") -> str:
        """Write the 95 % interval of an estimate as `low to high`, both ends alike."""
        if estimate is None:
            return _NO_NUMBER
        low, high = estimate.low, estimate.high
        if kind == "money":
            short = any(_known(v) and abs(v) >= 10_000 for v in (low, high))
            return self.span(self.money(low, short), self.money(high, short))
        return self.span(*self.pair(low, high))

    def of_hundred(self, rate: Estimate) -> str:
        """Write the interval of how many leave of 100 clients, in whole clients."""
        return self.span(self.number(rate.low, 0), self.number(rate.high, 0))

    def pair(self, first: float, second: float) -> tuple[str, str]:
        """Write two numbers with as many decimals as show their difference: 2.1 and 5.7."""
        digits = telling(first, second)
        return self.number(first, digits), self.number(second, digits)

    def span(self, low: str, high: str) -> str:
        """Write `low to high` for two words already written."""
        return self.say(_RANGE, low=low, high=high)


def telling(first: float, second: float, figures: int = 2) -> int | None:
    """Return the decimals that leave so many figures of a difference; None: as each bears."""
    apart = abs(first - second)
    if not math.isfinite(apart) or apart == 0:
        return None
    return min(max(0, figures - 1 - math.floor(math.log10(apart))), 3)


def _known(value: float | None) -> TypeGuard[float]:
    """Say whether there is a number to write: an interval may be open, a mean of nothing."""
    return value is not None and math.isfinite(value)


def _minus(written: str) -> str:
    """Write a negative number with a true minus sign."""
    return str(written).replace("-", "\u2212")


def _decimals(value: float) -> int:
    """Return the decimals that leave about three figures."""
    return next((n for n, limit in ((0, 100), (1, 10), (2, 0.1)) if abs(value) >= limit), 3)


def _edge(value: float) -> str:
    """Write an edge of a band: whole where it is large, with no mark in 1995, which may be a year.

    An edge of many figures stands between the numbers in the records and may be rounded.
    """
    if abs(value) >= 100:
        return str(numbers.format_decimal(value, "0" if abs(value) < 10_000 else "#,##0", "en"))
    return f"{value:.6g}"


@functools.cache
def _locale(identifier: str) -> Locale:
    return Locale.parse(identifier)


@functools.cache
def catalogue(code: str) -> dict[str, str]:
    """Return msgid -> msgstr of a language, read from the packaged gettext catalogue.

    The `.po` file is read as it is: there is no compiled twin that could fall behind it.
    """
    if code == "en":
        return {}
    path = resources.files("churnlens.report") / "locale" / code / "LC_MESSAGES" / "churnlens.po"
    with path.open("rb") as file:
        entries = pofile.read_po(file, locale=code)
    return {_first(m.id): _first(m.string) for m in entries if m.id and _first(m.string)}


def _first(message: Any) -> str:
    return str(message if isinstance(message, str) else message[0])
