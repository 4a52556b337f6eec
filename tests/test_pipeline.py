"""From a folder to a review and a report: what the whole command says of books that are known."""

import dataclasses
import re
import sys

import numpy as np
import pandas as pd
import pytest

from churnlens.config import PluginSettings, load
from churnlens.errors import ConfigError
from churnlens.panel.departures import DEFINITIONS
from churnlens.report import render
from churnlens.results import RowCounts, to_json
from churnlens.simulate import read_truth, write_world
from sample_book import DATA, QUICK, ROOT, SAMPLE, codes, tables, told, write

# --- the sample -------------------------------------------------------------------------------


def test_the_sample_gives_its_planted_cause(sample):
    truth = read_truth(SAMPLE / "truth.json")
    first = sample.issues[0]
    assert (first.kind, first.driver, first.verdict) == ("shift", "approval_days", "cause")
    assert first.segment == {"size": ("key",)}
    assert first.onset.low <= "2023-09-01" <= first.onset.high
    caused = first.departures.attributable
    assert caused.low <= truth.caused_departures <= caused.high
    money = first.revenue_per_year
    assert money.low <= truth.revenue_lost_per_year <= money.high


def test_the_sample_blames_no_symptom_and_no_innocent(sample):
    truth = read_truth(SAMPLE / "truth.json")
    verdicts = {driver.driver: driver.verdict for driver in sample.ruled_out}
    assert {verdicts[name] for name in truth.symptoms} == {"symptom"}
    assert {issue.driver for issue in sample.issues} == {"approval_days"}


def test_every_row_of_the_sample_is_accounted_for(sample):
    for name, frame in tables(SAMPLE).items():
        counts = sample.rows[name]
        assert counts.read == len(frame)
        assert counts.read == counts.accepted + counts.rejected + counts.after_as_of


# --- what came later changes nothing ----------------------------------------------------------


def test_rows_dated_later_change_nothing(tmp_path):
    cut = "2024-06-30"
    frames = tables(SAMPLE)
    frames["orders"] = frames["orders"][frames["orders"].order_date <= cut]
    frames["events"] = frames["events"][frames["events"].event_date <= cut]
    frames["remedies"] = frames["remedies"][frames["remedies"].start_date <= cut]
    clients = frames["clients"][frames["clients"].signup_date <= cut]
    still = clients.closed_on > cut  # not known by then
    frames["clients"] = clients.assign(
        closed_on=clients.closed_on.mask(still, ""),
        closed_reason=clients.closed_reason.mask(still, ""),
    )
    as_it_stood = told(write(frames, tmp_path / "then"))
    looked_back = told(SAMPLE, as_of=pd.Timestamp(cut).date())
    assert looked_back.as_of == as_it_stood.as_of == cut
    assert looked_back.rows["orders"].after_as_of > 0
    assert beside_rows(looked_back) == beside_rows(as_it_stood)


def beside_rows(review):
    """The review's bytes, but for the count of the rows that were not read."""
    findings = tuple(f for f in review.data_findings if f.code != "after_as_of")
    return to_json(dataclasses.replace(review, rows={}, data_findings=findings))


# --- other books ------------------------------------------------------------------------------


def test_a_quiet_book_has_no_issue_and_says_what_could_have_been_seen(tmp_path):
    write_world(tmp_path, "quiet", 500, 3)
    review = told(tmp_path)
    assert review.issues == ()
    assert review.verdict
    assert review.book.smallest_visible_rise > 1


@pytest.mark.parametrize("period", ["week", "quarter"])
def test_other_periods_than_months(period):
    review = told(SAMPLE, QUICK.model_copy(update={"period": period}))
    assert review.period == period
    first = review.issues[0]
    assert first.segment == {"size": ("key",)}
    assert first.onset.low <= "2023-12-02"
    assert first.onset.high >= "2023-09-01"
    assert first.driver == "approval_days" or period == "quarter"  # a lag needs finer periods
    assert render(review)


@pytest.mark.parametrize("weeks", [12, 15])
def test_a_weekly_book_of_a_quarter_is_read(tmp_path, weeks):
    """Departures enough, and no past: what clients had four months before is not there to read."""
    rng, orders, days = np.random.default_rng(0), [], 7 * weeks
    first = pd.Timestamp("2023-01-02")
    for client in range(400):
        last = days if rng.random() > 0.3 else rng.integers(days // 3, days)
        at = np.cumsum(1 + rng.poisson(1.5, days))
        for day in at[at < last]:
            date = (first + pd.Timedelta(days=int(day))).date()
            orders.append((client, date, 50.0, round(rng.gamma(2.0), 2)))
    columns = ["client_id", "order_date", "amount", "delay"]
    clients = pd.DataFrame({"client_id": range(400), "region": np.arange(400) % 4})
    book = write({"orders": pd.DataFrame(orders, columns=columns), "clients": clients}, tmp_path)
    as_of = (first + pd.Timedelta(days=days - 1)).date()
    review = told(book, QUICK.model_copy(update={"period": "week"}), as_of)
    assert len(review.book.series) <= weeks
    assert sum(p.observed for p in review.book.series) >= 20


def test_a_definition_that_the_book_does_not_bear_is_refused(tmp_path):
    orders = tables(SAMPLE, ["orders"])["orders"][["client_id", "order_date", "amount"]]
    source = write({"orders": orders}, tmp_path)
    with pytest.raises(ConfigError, match=r"'basket' cannot be used here\. .* no category"):
        told(source, QUICK.model_copy(update={"definition": "basket"}))


def test_an_unknown_definition_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="no churn definition 'cadance'"):
        told(tmp_path / "nowhere", QUICK.model_copy(update={"definition": "cadance"}))


# --- a real wholesaler ------------------------------------------------------------------------


@pytest.mark.skipif(
    not (DATA / "online_retail.parquet").exists(), reason=f"no online_retail.parquet in {DATA}"
)
def test_a_real_order_book_of_a_year():
    review = told(DATA / "online_retail.parquet", load(ROOT / "examples" / "online_retail.toml"))
    assert review.rows["orders"] == RowCounts(541_909, 406_829, 135_080, 0)
    assert review.currency == "GBP"
    assert review.book.clients == 4_338  # 4,372 less those with no real order
    assert "no_season" in codes(review)
    html = render(review)
    assert re.search(r"541[,\u202f ]909", html)
    assert "£" in html


# --- an analyst's own parts -------------------------------------------------------------------

OURS = """
import numpy as np
from pathlib import Path
from churnlens.panel.departures import silence
from churnlens.report.sections import Section
from churnlens.results import Evidence, Text

def quiet_for_long(activity):
    return silence(activity)

def orders_in_a_period(data, events):
    return data.orders.astype(np.float32)

def our_check(case):
    return Evidence("our_check", "pass", "It was looked at.", Text("It was looked at."))

made = []

def our_model():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made.append("a hazard of our own")
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1))

def pages(review, language):
    return [{"said": "an appendix of our own"}]

appendix = Section("ours", Text("Ours"), pages, Path(__TEMPLATE__))
"""


def test_parts_of_ones_own_take_part(tmp_path, monkeypatch):
    template = tmp_path / "ours.html"
    template.write_text("<p>{{ page.said }}</p>")
    code = OURS.replace("__TEMPLATE__", repr(str(template)))
    (tmp_path / "our_parts.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    plugins = PluginSettings(
        definitions=("our_parts:quiet_for_long",),
        drivers=("our_parts:orders_in_a_period",),
        checks=("our_parts:our_check",),
        models=("our_parts:our_model",),
        sections=("our_parts:appendix",),
    )
    write_world(tmp_path / "world", "approval", 300, 5)
    review = told(tmp_path / "world", QUICK.model_copy(update={"plugins": plugins}))
    assert "our_parts:quiet_for_long" in {d.name for d in review.book.definitions}
    assert "orders_in_a_period" in {driver.driver for driver in review.ruled_out}
    cause = next(issue for issue in review.issues if issue.driver)
    assert {"our_check", "second_opinion"} <= {evidence.check for evidence in cause.evidence}
    assert sys.modules["our_parts"].made
    assert cause.definitions_agreeing.of == len(DEFINITIONS) + 1
    assert "an appendix of our own" in render(review, sections=plugins.sections)
