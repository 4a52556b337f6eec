"""What do the data hold, and what of them is to be mended?"""

from __future__ import annotations

from typing import Any

from churnlens.report.language import Language
from churnlens.results import Book, Review, Skipped, Text

ALARMS = ("last_gap",)  # left out of the analysis because the data look wrong: a thing to mend
_TABLES = {
    "orders": Text("orders"),
    "clients": Text("clients"),
    "events": Text("events"),
    "remedies": Text("remedies"),
}
_COVERS = Text("{orders} orders of {clients} buyers, from {first} to {last}.")
_COVERS_A_DAY = Text("{orders} orders of {clients} buyers, all on {first}.")
_SET_APART = Text(
    "Set apart, because they are no clients, or not yet: {n} buyers with fewer than three orders, "
    "or with all of them within two months."
)


def data(review: Review, language: Language) -> list[dict[str, Any]]:
    """Return the page of data findings with the sum of rows, table by table."""
    rows = [
        {
            "table": language.say(_TABLES[t]) if t in _TABLES else language.name(t),
            **{
                key: language.number(getattr(count, key))
                for key in ("read", "accepted", "rejected", "after_as_of")
            },
        }
        for t, count in review.rows.items()
    ]
    alarms = [reason(s, language) for s in review.skipped if s.code in ALARMS]
    found = [{"severity": "warning", "text": text} for text in alarms]
    found += [
        {
            "severity": f.severity,
            "text": language.sentence(f.text),
        }
        for f in sorted(review.data_findings, key=lambda f: f.severity != "warning")
    ]
    book = review.book
    return [
        {
            "rows": rows,
            "rejected": any(count.rejected for count in review.rows.values()),
            "findings": found,
            "covers": _covers(book, language),
        }
    ]


def reason(skipped: Skipped, language: Language) -> str:
    """Say why a question could not be asked."""
    return language.sentence(skipped.text) or language.name(skipped.reason, 400)


def _covers(book: Book, language: Language) -> list[str]:
    """Say how many orders there are, of how many buyers, of which days; who is set apart."""
    days = {"first": language.day(book.first_date), "last": language.day(book.last_date)}
    text = _COVERS if book.first_date != book.last_date else _COVERS_A_DAY
    said = [language.say(text, orders=book.orders, clients=book.clients, **days)]
    return [*said, language.say(_SET_APART, n=book.set_apart)] if book.set_apart else said
