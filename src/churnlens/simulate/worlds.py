"""Which worlds there are. Each is a recipe; everything else about it is drawn by the seed."""

from __future__ import annotations

from dataclasses import dataclass

from churnlens.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """What a world is about; everything else is drawn."""

    about: str
    causes: tuple[str, ...] = ()  # forms of the drivers that cause
    recorded: bool = True
    via_complaints: bool = False
    standing: bool = False
    twin: str | None = None  # dose | same
    oddity: str | None = None  # mix | reactive | one_off | season | gap | recall | nobody_minds
    remedy: str | None = None  # works | announced | trough
    plain: bool = False  # human names, fixed


RECIPES: dict[str, Recipe] = {
    "approval": Recipe("approval steps drive key accounts away", ("procedure",), plain=True),
    "approval_mended": Recipe(
        "approval steps drive key accounts away, and are simplified a year later",
        ("procedure",), remedy="works", plain=True,
    ),
    "procedure": Recipe("an order procedure becomes slow for some", ("procedure",)),
    "lateness": Recipe("deliveries become late for some", ("lateness",)),
    "fewer_visits": Recipe("some are visited less", ("visit",)),
    "price_rise": Recipe("prices rise for some", ("price",)),
    "stockouts": Recipe("goods are missing for some", ("stockout",)),
    "billing_errors": Recipe("invoices become wrong for some", ("billing",)),
    "two_causes": Recipe("two causes, scopes overlap", ("procedure", "lateness")),
    "complaints": Recipe("lateness, through complaints alone", ("lateness",), via_complaints=True),
    "standing": Recipe("a driver costs clients all along", ("lateness",), standing=True),
    "unrecorded": Recipe("a competitor; nothing records it", ("unrecorded",), recorded=False),
    "twin_dose": Recipe("an innocent moves along, with another dose", ("procedure",), twin="dose"),
    "twin_same": Recipe("an innocent moves along exactly", ("procedure",), twin="same"),
    "quiet": Recipe("nothing happens"),
    "quiet_mix": Recipe("only the composition moves", oddity="mix"),
    "quiet_reactive": Recipe("discounts and visits follow those leaving", oddity="reactive"),
    "quiet_one_off": Recipe("one-off bulk buyers", oddity="one_off"),
    "quiet_season": Recipe("a strong season", oddity="season"),
    "quiet_gap": Recipe("records are missing for weeks", oddity="gap"),
    "quiet_recall": Recipe("returns after a recall", oddity="recall"),
    "quiet_nobody_minds": Recipe("service much worse, nobody minds", oddity="nobody_minds"),
    "remedy_partial": Recipe("a remedy works in part of the scope", ("procedure",), remedy="works"),
    "remedy_announced": Recipe("a remedy is only announced", ("lateness",), remedy="announced"),
    "remedy_trough": Recipe("a remedy starts at the trough", remedy="trough"),
}  # fmt: skip


def recipe(world: str) -> Recipe:
    """Look a world up by name.

    Raises
    ------
    ConfigError
        When there is no such world; names the nearest.
    """
    if world not in RECIPES:
        hint = did_you_mean(world, RECIPES)
        raise ConfigError(f"There is no world '{world}'.{hint} Known: {', '.join(RECIPES)}.")
    return RECIPES[world]
