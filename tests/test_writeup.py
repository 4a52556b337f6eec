"""What a review says besides its issues: of whom, of what it could not say, and why."""

import dataclasses

import pandas as pd

from churnlens.panel.departures import DEFINITIONS
from churnlens.report import render
from churnlens.report.language import Language
from churnlens.results import DefinitionUsed, to_json
from sample_book import MARK, QUICK, SAMPLE, codes, tables, told, write

EN = Language("en", "EUR", "month")


def test_no_client_is_named(sample):
    assert MARK not in to_json(sample)
    assert MARK not in render(sample)
    assert MARK not in render(sample, lang="zh")


def test_clients_are_named_where_asked_for(marked, sample):
    named = told(marked, QUICK.model_copy(update={"name_clients": True}))
    clients = named.issues[0].named_clients
    assert 0 < len(clients) <= 20
    assert all(client.startswith(MARK) for client in clients)
    assert clients[0] in render(named)
    silent = [dataclasses.replace(issue, named_clients=()) for issue in named.issues]
    assert tuple(silent) == sample.issues  # nothing else differs


def test_orders_alone_say_when_but_not_which_or_why(tmp_path):
    orders = tables(SAMPLE, ["orders"])["orders"][["client_id", "order_date", "amount"]]
    review = told(write({"orders": orders}, tmp_path))
    assert "no_drivers" in codes(review)
    assert all(issue.driver is None for issue in review.issues)
    assert all(set(issue.segment) <= {"value_tier", "tier"} for issue in review.issues)
    assert set(review.rows) == {"orders"}
    assert render(review)
    assert "no_baskets" in codes(review)  # and it is not counted among the definitions
    assert "basket" not in {d.name for d in review.book.definitions}
    assert {i.definitions_agreeing.of for i in review.issues} <= {len(DEFINITIONS) - 1}


def test_where_the_only_driver_never_changes_it_is_not_said_that_none_is_recorded(tmp_path):
    orders = tables(SAMPLE, ["orders"])["orders"][["client_id", "order_date", "amount"]]
    review = told(write({"orders": orders.assign(parcels=1.0)}, tmp_path))
    (none,) = (s for s in review.skipped if s.code == "no_drivers")
    assert "None of the recorded drivers" in none.reason
    assert "constant_driver" in codes(review)


def test_where_the_only_events_are_rare_it_is_not_said_that_there_are_none(tmp_path):
    orders = tables(SAMPLE, ["orders"])["orders"][["client_id", "order_date", "amount"]]
    ids = sorted(set(orders["client_id"]))[:2]
    events = pd.DataFrame({"client_id": ids, "event_date": "2024-05-01", "event_type": "fire"})
    review = told(write({"orders": orders, "events": events}, tmp_path))
    (none,) = (s for s in review.skipped if s.code == "no_drivers")
    assert "None of the recorded drivers" in none.reason
    assert "rare_driver" in codes(review)


def test_a_small_book_says_that_it_is_too_small(tmp_path):
    frames = tables(SAMPLE)
    few = set(frames["clients"]["client_id"].head(40))
    del frames["remedies"]
    review = told(write({n: f[f.client_id.isin(few)] for n, f in frames.items()}, tmp_path))
    assert "too_few_departures" in codes(review)
    assert review.issues == ()
    assert render(review)


def test_where_too_few_left_the_review_before_is_carried_on(tmp_path, sample):
    frames = tables(SAMPLE)
    few = set(frames["clients"]["client_id"].head(40))
    frames = {n: f[f.client_id.isin(few)] if "client_id" in f else f for n, f in frames.items()}
    sample = dataclasses.replace(sample, as_of="2025-09-30")
    review = told(write(frames, tmp_path), previous=sample)
    assert "too_few_departures" in codes(review)
    assert review.previous_as_of == sample.as_of
    assert [g.id for g in review.gone] == [i.id for i in sample.issues]
    assert {g.reason for g in review.gone} == {"cannot_be_seen"}
    assert [(r.action, r.verdict) for r in review.remedies] == [
        (r.action, "cannot_tell") for r in sample.remedies
    ]
    assert {e.event for e in review.register} == {"cannot_be_seen", "remedy"}
    assert [g.title_text for g in review.gone] == [i.title_text for i in sample.issues]
    for lang in ("en", "zh"):
        language = Language(lang, sample.currency, sample.period)
        assert language.sentence(sample.issues[0].title_text) in render(review, lang=lang)
    assert "leave more often" not in render(review, lang="zh")


def test_a_review_before_with_another_definition_is_said_beside_the_verdict(tmp_path, sample):
    few = set(tables(SAMPLE)["clients"]["client_id"].head(40))
    orders = tables(SAMPLE, ["orders"])["orders"]
    source = write({"orders": orders[orders.client_id.isin(few)]}, tmp_path)
    before = dataclasses.replace(sample, as_of="2025-09-30", gone=(), issues=())
    silence = dataclasses.replace(before, departure_definition=DefinitionUsed("silence", ""))
    plain, warned = (told(source, previous=review).verdict for review in (before, silence))
    assert warned[:-1] == plain
    assert "has another definition of leaving (silence, and this one cadence)" in str(warned[-1])
    assert "as of 30 September 2025" in EN.say(warned[-1]).replace("\u00a0", " ")


def test_one_year_says_what_a_year_cannot_show():
    review = told(SAMPLE, as_of=pd.Timestamp("2022-12-31").date())
    assert codes(review) & {"no_season", "too_few_departures"}
    assert review.issues == ()
    assert render(review)
