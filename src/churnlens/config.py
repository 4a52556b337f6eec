"""Frozen settings, read from `churnlens.toml`; an unknown key is an error with a "did you mean"."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from churnlens.errors import ConfigError, did_you_mean

PeriodName = Literal["week", "month", "quarter"]
DriverRole = Literal["candidate", "outcome", "ignore", "negative_control"]

CONFIG_NAME = "churnlens.toml"

# what the strptime of DuckDB knows
_SIGNS = re.compile("%(%|[abcdfghjmnpuwxyzABGHIMSTUVWXYZ]|-[djmyHIMS])")


def _date_format(pattern: str) -> str:
    if "%" in _SIGNS.sub("", pattern) or "%" not in pattern:
        raise ValueError("is no strptime format such as '%d/%m/%Y'")
    return pattern


def _delimiter(sign: str) -> str:
    if len(sign) != 1 or not sign.isascii() or sign in '"\r\n\0':
        raise ValueError("is not one character such as ';'")
    return sign


def _currency(code: str) -> str:
    if not re.fullmatch("[A-Za-z]{3}", code):
        raise ValueError("is not an ISO 4217 code such as 'EUR'")
    return code.upper()


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


Names = Annotated[tuple[str, ...], AfterValidator(_once)]  # one named twice is one


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReturnsFilter(_Settings):
    """Rows that are a return or cancellation although the amount does not say so."""

    column: str
    starts_with: str | None = None
    equals: str | None = None

    @model_validator(mode="after")
    def _says_which(self) -> ReturnsFilter:
        if self.starts_with is None and self.equals is None:
            raise ValueError("needs starts_with or equals, to say which rows are returns")
        return self


class TableSettings(_Settings):
    """Where one table is found and how its columns are named.

    `columns` maps a contract name to a column of the source; a number may be a product of columns
    (`"quantity * unit_price"`), a text several columns together (`"hotel + agent"`).
    """

    file: str | None = None
    table: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    # strptime, for example "%d/%m/%Y"; none: ISO 8601
    date_format: Annotated[str, AfterValidator(_date_format)] | None = None
    encoding: str | None = None  # of a CSV file; none: UTF-8, or what its byte order mark says
    # of a CSV file; none: the likeliest of , ; tab and |
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = None
    decimal: Literal[".", ","] = "."  # decimal mark of numbers written as text
    ignore: Names = ()  # columns that are never read


class ClientSettings(TableSettings):
    """The same of a table that says what kind of client each is."""

    attributes: Names = ()  # text columns that describe the client


class OrderSettings(ClientSettings):
    """The same of the orders."""

    returns: ReturnsFilter | None = None


class PluginSettings(_Settings):
    """Analysts' own parts, each a `"my_module:name"` string."""

    definitions: Names = ()
    drivers: Names = ()
    checks: Names = ()
    models: Names = ()  # makers of a classifier, for the second opinion on a cause
    sections: Names = ()


class ReportSettings(_Settings):
    """How the report looks: a stylesheet and a logo of the house, the catalogue of remedies."""

    css: str | None = None
    logo: str | None = None
    remedies: str | None = None
    title: str | None = None


class Settings(_Settings):
    """Everything a run depends on besides the data."""

    source: str | None = None  # an Ibis connection URL; none: files beside the config
    engine: str | None = None  # an Ibis connection URL to compute in; none: DuckDB in memory
    # a JSON file or a database URL; none: register.json in --out (every class has a `register`)
    register_at: str | None = Field(default=None, alias="register")
    period: PeriodName = "month"
    currency: Annotated[str, AfterValidator(_currency)] = "EUR"
    definition: str = "cadence"
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    lang: Literal["en", "zh"] = "en"
    # the order measure that says how far a price was cut; none: the one whose name says so
    price_cut: str | None = None
    name_clients: Annotated[bool, Field(strict=True)] = False
    smallest_group: Annotated[int, Field(ge=5, strict=True)] = 5
    draws: Annotated[int, Field(ge=99, strict=True)] = 499  # Monte Carlo draws of the scan
    orders: OrderSettings = OrderSettings()
    clients: ClientSettings = ClientSettings()
    events: TableSettings = TableSettings()
    remedies: TableSettings = TableSettings()
    drivers: dict[str, DriverRole] = Field(default_factory=dict)
    plugins: PluginSettings = PluginSettings()
    report: ReportSettings = ReportSettings()
    as_of: dt.date | None = None


def load(path: Path) -> Settings:
    """Read settings from a TOML file.

    Raises
    ------
    ConfigError
        When the file cannot be read, is no TOML, or has an unknown or wrong key; the message
        names the file and the key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Notepad writes a mark
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    return parse(raw, str(path))


def parse(raw: dict[str, Any], origin: str) -> Settings:
    """Check a mapping of settings; `origin` is the file named in messages.

    Raises
    ------
    ConfigError
        When a key is unknown or a value is wrong.
    """
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_message(error, origin)) from error


def _message(error: ValidationError, origin: str) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(path[-1], _known_keys(path[:-1]))
        return f"{origin}: unknown key '{key}'.{hint}"
    return f"{origin}: {key}: {_plainly(first)} (found {first['input']!r})."


def _plainly(fault: Any) -> str:
    """What a fault says, without the words of the library that found it."""
    if fault["type"] == "tuple_type":
        return 'must be a list, such as ["one", "two"]'
    if fault["type"].startswith("date"):
        return "is no date such as 2024-12-31"
    if fault["type"] in ("model_type", "dict_type"):
        section = ".".join(str(part) for part in fault["loc"])
        return f"must be a section: write its settings in the lines below [{section}]"
    kind = fault["type"].partition("_")[0]
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}"
    said = str(fault.get("ctx", {}).get("error", fault["msg"]))
    return said.replace("Input should be", "must be")


_KINDS = {
    "string": "a text in quotation marks",
    "int": "a whole number",
    "bool": "true or false",
}


def _known_keys(path: list[str]) -> list[str]:
    model: Any = Settings
    for part in path:
        annotation = model.model_fields[part].annotation
        options = getattr(annotation, "__args__", (annotation,))
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return [field.alias or name for name, field in model.model_fields.items()]
