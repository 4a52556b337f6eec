"""What a planted world may call things. Pools from which the seed draws every name.

Every pool serves causes, decoys and innocents alike, so that a name tells nothing of its role.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DRIVERS: dict[str, tuple[str, ...]] = {
    "procedure": (
        "approval_days", "sign_off_days", "release_hours", "clearance_days", "approval_steps",
        "paperwork_minutes", "credit_check_hours", "order_entry_days", "confirmation_hours",
    ),
    "lateness": (
        "delivery_delay_days", "days_late", "transit_overrun_h", "dispatch_lag", "eta_slip",
        "lead_time_days", "overdue_days", "waiting_days",
    ),
    "price": (
        "price_index", "list_price_step", "unit_price_level", "tariff_level", "rate_card_index",
    ),
    "stockout": (
        "lines_short_pct", "backorder_share", "unfilled_pct", "short_shipped", "substituted_pct",
        "missing_items",
    ),
    "discount": (
        "discount_pct", "rebate_pct", "price_concession", "bonus_pct", "allowance", "markdown_pct",
    ),
    "handling": (
        "pallets", "order_lines", "packaging_score", "carrier_changes", "label_errors",
        "pick_minutes", "weight_gap", "temperature_dev", "paper_pages", "reorder_clicks",
    ),
    "visit": ("visit", "site_call", "account_review", "field_visit", "meeting", "on_site_day"),
    "billing": (
        "billing_error", "invoice_dispute", "wrong_invoice", "credit_note_request",
        "statement_query", "duplicate_invoice",
    ),
    "complaint": ("complaint", "ticket", "grievance", "claim", "escalation", "case_opened"),
    "call": ("call", "phone_contact", "follow_up", "callback", "outbound_call", "check_in"),
    "mailing": (
        "newsletter", "webinar", "catalogue_sent", "survey", "trade_fair", "sample_sent",
        "portal_login", "brochure",
    ),
}  # fmt: skip

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "size": ("key", "mid", "small"),
    "tier": ("A", "B", "C", "D"),
    "region": ("north", "south", "east", "west"),
    "territory": ("coast", "inland", "capital", "border", "islands"),
    "industry": ("foundry", "food", "chemicals", "printing", "building"),
    "trade": ("bakery", "garage", "clinic", "school", "hotel", "workshop"),
    "channel": ("direct", "web", "partner"),
    "route": ("phone", "portal", "dealer", "edi"),
    "contract": ("frame", "spot", "seasonal"),
    "country": ("AT", "DE", "CH", "IT", "FR"),
    "language": ("de", "en", "fr", "it"),
    "terms": ("prepaid", "net30", "net60"),
    "depot": ("D1", "D2", "D3", "D4", "D5", "D6"),
    "ownership": ("family", "listed", "public"),
    "plan": ("basic", "plus", "premium"),
    "source": ("fair", "referral", "campaign", "inbound"),
}

MANAGERS = (
    "Adler", "Brandt", "Chen", "Dietrich", "Ekström", "Fischer", "García", "Huber", "Ivanova",
    "Jansen", "Keller", "Lindqvist", "Moreau", "Novák", "Okafor", "Petit", "Quandt", "Rossi",
)  # fmt: skip
MANAGER_COLUMNS = ("account_manager", "rep", "owner_desk", "sales_team", "desk")
NUMERIC = ("employees", "founded_year", "sites", "credit_limit", "distance_km", "fleet")
CATEGORIES = (
    "tools", "parts", "paper", "fluids", "safety", "fixings", "cables", "filters", "lamps",
)  # fmt: skip
LEVELS = (
    ("leadership", "technical", "business"),
    ("board", "engineer", "sales"),
    ("L1", "L2", "L3"),
    ("senior", "expert", "local"),
)
CLOSED = ("insolvency", "merger", "we stopped serving", "retired", "site closed")
ACTIONS = ("simplify the procedure", "mend the process", "new service desk", "task force", "plan B")


def pick(rng: np.random.Generator, pool: Sequence[str]) -> str:
    """Return one entry of a pool."""
    return pool[int(rng.integers(len(pool)))]


class Namer:
    """Hands out driver names, no name twice; in opaque worlds they are codes."""

    def __init__(self, rng: np.random.Generator, *, plain: bool) -> None:
        self._rng = rng
        self._plain = plain
        self._opaque = not plain and rng.random() < 0.25
        self._used: set[str] = set()

    def name(self, form: str) -> str:
        """Draw an unused name for a driver of this form."""
        if self._plain:
            free = next(n for n in DRIVERS[form] if n not in self._used)
        elif self._opaque:
            free = next(n for n in iter(self._code, "") if n not in self._used)
        else:
            free = pick(self._rng, [n for n in DRIVERS[form] if n not in self._used])
        self._used.add(free)
        return free

    def _code(self) -> str:
        return f"{pick(self._rng, 'kmqvx')}{int(self._rng.integers(10, 99))}"
