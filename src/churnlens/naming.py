"""How a column's name is said: words for underscores, a unit at its end in brackets."""

from __future__ import annotations

CURRENCIES = (
    *("aud", "brl", "cad", "chf", "cny", "czk", "dkk", "eur", "gbp", "hkd", "huf", "inr", "jpy"),
    *("krw", "nok", "nzd", "pln", "sek", "sgd", "usd", "zar"),
)
_UNITS = {
    **{code: code.upper() for code in CURRENCIES},
    **{"rmb": "CNY", "euro": "EUR", "euros": "EUR", "dollars": "USD"},
    **dict.fromkeys(("pct", "percent", "perc"), "%"),
    **{"kg": "kg", "km": "km", "kwh": "kWh", "mwh": "MWh", "sqm": "m²", "m2": "m²"},
    **{f"k{code}": f"k{code.upper()}" for code in CURRENCIES},
    "teur": "kEUR",
}


def parted(name: str) -> tuple[str, str]:
    """Part a name into its words and its unit ("" for none).

    `minimum_order_eur` gives `minimum order`, `EUR`; `credit_limit_keur` gives `kEUR`;
    `discount_pct` gives `%`. A name that is nothing but a unit stays a name.
    """
    words = name.replace("_", " ").split(" ")
    unit = _UNITS.get(words[-1].casefold(), "")
    return (" ".join(words[:-1]), unit) if unit and any(words[:-1]) else (" ".join(words), "")


def thousands_of(unit: str) -> str:
    """Return the currency of which a unit is a thousand (`EUR` of `kEUR`), "" for other units."""
    return unit[1:] if unit[:1] == "k" and unit[1:].casefold() in CURRENCIES else ""


def spoken(name: str) -> str:
    """Say a name in English: `minimum order (EUR)`, `credit limit (thousand EUR)`."""
    words, unit = parted(name)
    if not unit:
        return words
    thousands = thousands_of(unit)
    return f"{words} (thousand {thousands})" if thousands else f"{words} ({unit})"
