"""Which column is likely to mean what? By its name first, then by what its cells hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnlens.tables.cells import MISSING_NUMBER
from churnlens.tables.columns import FIXED, NEEDED

DATE_FORMATS = (
    "%Y-%m-%d",  # with or without a time: what ISO 8601 allows is read without a date_format
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y%m%d",
)
_MARKED = r"[^\w]*([A-Z]{3})?\s*-?\d[\d.,'’\s]*([A-Z]{3})?[^\w]*"  # digits and a currency
_ENOUGH = 0.9  # of a column's filled cells must fit

# Words a column's name may hold, strongest first. English, with the commonest German and Chinese
# ones; Chinese names are not parted into words, so these are whole names.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "client_id": ("client", "customer", "cust", "account", "kunde", "kunden", "buyer", "debitor",
                  "member", "user", "agent", "客户编号", "客户编码", "客户代码", "客户号", "客户id",
                  "会员编号", "会员号", "客户", "会员", "买家", "客户名称"),
    "order_date": ("orderdate", "invoicedate", "date", "datum", "ts", "timestamp", "at", "time",
                   "day", "下单日期", "订单日期", "下单时间", "订单时间", "交易日期", "销售日期",
                   "开票日期", "日期", "时间"),
    "order_id": ("order", "invoice", "receipt", "basket", "transaction", "auftrag", "rechnung",
                 "document", "订单编号", "订单号", "订单id", "单据编号", "单据号", "单号", "发票号",
                 "发票号码", "订单"),
    "amount": ("amount", "revenue", "turnover", "sales", "total", "net", "umsatz", "betrag",
               "value", "订单金额", "销售金额", "销售额", "总金额", "总额", "总价", "金额", "收入"),
    "quantity": ("quantity", "qty", "units", "menge", "anzahl", "pieces", "n", "数量",
                 "订购数量", "销售数量", "件数"),
    "margin": ("margin", "profit", "contribution", "marge", "毛利", "毛利额", "利润"),
    "category": ("category", "group", "product", "sku", "stock", "item", "article", "artikel",
                 "产品类别", "商品类别", "品类", "类别", "产品", "产品名称", "商品", "商品名称",
                 "品名"),
    "signup_date": ("signup", "since", "joined", "created", "registered", "注册日期", "开户日期",
                    "建档日期"),
    "closed_on": ("closed", "exit", "ended", "terminated", "关闭日期", "销户日期", "终止日期"),
    "closed_reason": ("reason", "cause", "原因", "关闭原因"),
    "event_date": ("eventdate", "date", "datum", "ts", "timestamp", "at", "day", "事件日期", "日期",
                   "时间"),
    "event_type": ("type", "event", "kind", "category", "事件类型", "类型", "事件"),
    "value": ("value", "amount", "score", "count", "数值", "分值"),
    "level": ("level", "tier", "seniority", "级别", "层级"),
    "action": ("action", "remedy", "measure", "what", "措施"),
    "start_date": ("start", "from", "begin", "date", "开始日期", "日期"),
    "end_date": ("end", "until", "to", "stop", "结束日期"),
    "owner": ("owner", "responsible", "who", "负责人"),
    "issue_id": ("issue",),
}  # fmt: skip
_KINDS = ("type", "segment", "group", "kind", "channel", "name", "class", "status")  # no ids
_PRICE_WORDS = ("price", "preis", "rate", "cost", "单价", "价格")
_DATES = ("order_date", "signup_date", "closed_on", "event_date", "start_date", "end_date")
_NUMBERS = ("amount", "quantity", "margin", "value")


@dataclass(frozen=True)
class Guess:
    """A source column for a contract name (or a product of two), and how sure that is."""

    source: str
    why: str


def guess_columns(sample: pd.DataFrame, table: str, decimal: str) -> dict[str, Guess]:
    """Match the contract's names of one table to the columns of a sample; each is used once."""
    found: dict[str, Guess] = {}
    for key in FIXED[table]:
        if key in sample.columns:
            found[key] = Guess(key, "the contract's own name")
    for key in FIXED[table]:
        if key not in found:
            taken = {guess.source for guess in found.values()}
            best = _best(sample, key, taken, decimal)
            if best is not None:
                found[key] = best
    if table == "orders":
        _prefer_product(sample, found, decimal)
    return found


def _best(sample: pd.DataFrame, key: str, taken: set[str], decimal: str) -> Guess | None:
    ranked = sorted(
        (rank, place, name)
        for place, name in enumerate(sample.columns)
        if name not in taken
        and (rank := _rank(name, key)) is not None
        and fits(sample[name], key, decimal)
    )
    if not ranked:
        return None
    name = str(ranked[0][2])
    return Guess(name, f"the name says so, and its cells are {_kind(key)}")


def _rank(name: str, key: str) -> int | None:
    """Rank a name for a contract column: the place of the first word it holds, lowest is best."""
    words = _split(name)
    if key in ("client_id", "order_id") and set(words) & set(_KINDS):
        return None
    joined = "".join(words)
    for place, wanted in enumerate(_WORDS[key]):
        if wanted in words or wanted == joined or (len(wanted) > 3 and joined.startswith(wanted)):
            return place
    return None


def _split(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z0-9äöüß\u4e00-\u9fff]+", spaced.lower()) if word]


def _kind(key: str) -> str:
    if key in _DATES:
        return "dates"
    return "numbers" if key in _NUMBERS else "text"


def fits(column: pd.Series, key: str, decimal: str) -> bool:
    """Tell whether a column's cells can be what `key` asks for."""
    if key in _DATES:
        return bool(date_formats(column))
    if key in _NUMBERS:
        return is_number(column, decimal)
    if key in ("client_id", "order_id"):
        return not pd.api.types.is_datetime64_any_dtype(column)
    return not pd.api.types.is_numeric_dtype(column) or key == "category"


def date_formats(column: pd.Series) -> tuple[str, ...]:
    """Return the formats that (nearly) all filled cells fit; ISO 8601 is `%Y-%m-%d`."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return (DATE_FORMATS[0],)
    written = _filled(column)
    if written.empty:
        return ()
    iso = written.str.slice(0, 10)
    return tuple(
        pattern
        for pattern in DATE_FORMATS
        if pd.to_datetime(
            iso if pattern == DATE_FORMATS[0] else written, format=pattern, errors="coerce"
        )
        .notna()
        .mean()
        >= _ENOUGH
    )


def is_number(column: pd.Series, decimal: str = ".") -> bool:
    """Tell whether (nearly) all filled cells are numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    if pd.api.types.is_datetime64_any_dtype(column):
        return False
    written = _filled(column)
    if decimal == ",":
        written = written.str.replace(".", "_").str.replace(",", ".")
    parsed = pd.to_numeric(written, errors="coerce")
    return bool(len(parsed) and np.isfinite(parsed).mean() >= _ENOUGH)


def is_marked_number(column: pd.Series) -> bool:
    """Tell whether (nearly) all filled cells are numbers but for their marks, as `1.100,50 €`."""
    readable = is_number(column) or is_number(column, ",") or date_formats(column)
    if column.dtype != object or readable:
        return False
    written = _filled(column)
    return bool(len(written) and written.str.fullmatch(_MARKED).mean() >= _ENOUGH)


def _filled(column: pd.Series) -> pd.Series:
    filled = column.dropna()
    if pd.api.types.is_float_dtype(filled) and (filled % 1 == 0).all():
        filled = filled.map("{:.0f}".format)  # whole numbers, floats for a blank among them
    written = filled.astype(str).str.strip()
    return written[~written.isin(MISSING_NUMBER)]


def decimal_mark(sample: pd.DataFrame) -> str:
    """Return `,` when more text columns are numbers with a decimal comma than with a point."""
    text = [name for name in sample.columns if sample[name].dtype == object]
    commas = sum(
        is_number(sample[name], ",") and bool(_filled(sample[name]).str.contains(",").any())
        for name in text
        if not is_number(sample[name])
    )
    points = sum(bool(_filled(sample[n]).str.contains(r"\d\.\d").any()) for n in text
                 if is_number(sample[n]))  # fmt: skip
    return "," if commas > points else "."


def _prefer_product(sample: pd.DataFrame, found: dict[str, Guess], decimal: str) -> None:
    """Without an amount, take quantity times a price of one unit."""
    if "amount" in found or "quantity" not in found:
        return
    prices = [
        name
        for name in sample.columns
        if set(_split(name)) & set(_PRICE_WORDS) and is_number(sample[name], decimal)
    ]
    if prices:
        product = f"{found['quantity'].source} * {prices[0]}"
        found["amount"] = Guess(product, "no amount was found: a product of two columns")


def missing(found: Mapping[str, Guess], table: str) -> tuple[str, ...]:
    """Return the needed columns that nothing was found for."""
    return tuple(key for key in NEEDED[table] if key not in found)
