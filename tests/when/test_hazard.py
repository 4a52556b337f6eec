"""The discrete-time hazard against published fits, statsmodels, and its own promises."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnlens.when import hazard


@pytest.fixture(scope="module")
def rossi_weeks():
    """Rossi's recidivism data as person-weeks: 19,809 rows, 114 arrests."""
    from lifelines.datasets import load_rossi

    rossi = load_rossi()
    rows = rossi.loc[rossi.index.repeat(rossi["week"])]
    rows = rows.assign(person=rows.index, t=rows.groupby(level=0).cumcount() + 1)
    event = ((rows["t"] == rows["week"]) & (rows["arrest"] == 1)).to_numpy(float)
    drivers = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    rows = rows.assign(constant=1.0, t2=rows["t"] ** 2)
    names = ["constant", "t", "t2", *drivers]
    return rows[names].to_numpy(float), event, names, rows["person"].to_numpy()


@pytest.mark.parametrize(
    ("link", "fin", "log_likelihood"),
    [("cloglog", -0.3818, -681.463), ("logit", -0.3831, -681.467)],
)
def test_rossi_as_person_weeks(rossi_weeks, link, fin, log_likelihood):
    X, event, names, _ = rossi_weeks
    fit = hazard.fit(X, event, link=link, names=names)
    assert (fit.rows, fit.events) == (19_809, 114)
    assert fit.coefficients[fit.index("fin")] == pytest.approx(fin, abs=5e-5)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=5e-4)
    assert fit.converged
    assert not fit.separated
    assert fit.probability(X).sum() == pytest.approx(114, abs=0.5)


@pytest.mark.parametrize("link", ["logit", "cloglog", "log"])
@pytest.mark.parametrize("clustered", [False, True])
def test_coefficients_and_covariance_are_those_of_statsmodels(rossi_weeks, link, clustered):
    import statsmodels.api as sm

    X, event, names, person = rossi_weeks
    family = {
        "logit": sm.families.Binomial(),
        "cloglog": sm.families.Binomial(sm.families.links.CLogLog()),
        "log": sm.families.Poisson(),
    }[link]
    how = {"cov_type": "cluster", "cov_kwds": {"groups": person}} if clustered else {}
    reference = sm.GLM(event, X, family=family).fit(tol=1e-12, maxiter=100, **how)
    fit = hazard.fit(X, event, link=link, names=names, clusters=person if clustered else None)
    np.testing.assert_allclose(fit.coefficients, reference.params, rtol=1e-5, atol=1e-7)
    small_sample = (len(X) - X.shape[1]) / (len(X) - 1) if clustered else 1.0
    ratio = fit.standard_errors / (reference.bse * np.sqrt(small_sample))
    # for the sandwich statsmodels takes the observed information, this module the expected one:
    # the same for canonical links
    close = 5e-3 if clustered and link == "cloglog" else 5e-4
    np.testing.assert_allclose(ratio, 1.0, rtol=close)
    assert fit.log_likelihood == pytest.approx(reference.llf, abs=1e-5)


def _person_days(heart, transplant):
    """Spell rows (start, stop] as one row a day on which someone died, for all then at risk."""
    days = np.sort(heart.loc[heart["event"] == 1, "stop"].unique())
    at_risk = (heart["start"].to_numpy()[:, None] < days) & (
        heart["stop"].to_numpy()[:, None] >= days
    )
    row, day = np.nonzero(at_risk)
    event = (heart["event"].to_numpy()[row] == 1) & (heart["stop"].to_numpy()[row] == days[day])
    covariates = heart.assign(transplant=transplant)[["age", "year", "surgery", "transplant"]]
    baseline = (day[:, None] == np.arange(len(days))).astype(float)
    return np.hstack((baseline, covariates.to_numpy(float)[row])), event.astype(float)


def test_stanford_heart_needs_the_transplant_dated():
    """Counting a transplant from the start credits it with the wait for it (immortal time)."""
    from lifelines.datasets import load_stanford_heart_transplants

    heart = load_stanford_heart_transplants()
    dated = hazard.fit(*_person_days(heart, heart["transplant"]), link="cloglog").coefficients[-4:]
    np.testing.assert_allclose(dated, [0.0272, -0.1463, -0.6372, -0.0103], atol=0.02)
    ever = heart.groupby("id")["transplant"].transform("max")
    fixed = hazard.fit(*_person_days(heart, ever), link="cloglog").coefficients[-1]
    assert fixed < -1.0


def _bladder():
    """Intervals between recurrences, at most four a patient (Wei, Lin & Weissfeld 1989)."""
    patients = pd.read_csv(Path(__file__).with_name("bladder.csv"), dtype={"recurrences": str})
    rows = []
    for patient in patients.itertuples():
        stops = [float(s) for s in str(patient.recurrences).split() if s != "nan"]
        ends = [*stops, patient.watched] if len(stops) < 4 else stops
        for nth, (start, stop) in enumerate(zip([0.0, *ends], ends, strict=False), 1):
            given = (patient.patient, patient.thiotepa, patient.size, patient.number)
            rows.append((*given, nth, start, stop, float(nth <= len(stops))))
    names = ["patient", "thiotepa", "size", "number", "nth", "start", "stop", "event"]
    found = pd.DataFrame(rows, columns=names)
    return found[found["stop"] > found["start"]]


def _person_months(rows, start, stop):
    """One row a month of a recurrence for all then at risk, months as the baseline."""
    months = np.unique(stop[rows["event"] == 1])
    row, month = np.nonzero((start[:, None] < months) & (stop[:, None] >= months))
    event = (rows["event"].to_numpy()[row] == 1) & (stop[row] == months[month])
    baseline = (month[:, None] == np.arange(len(months))).astype(float)
    covariates = rows[["thiotepa", "size", "number"]].to_numpy(float)[row]
    return np.hstack((baseline, covariates)), event.astype(float), row


def test_bladder_recurrences_are_all_counted_and_patients_kept_together():
    """Andersen–Gill: a patient counts as often as it recurs, its errors as one patient's."""
    rows = _bladder()
    assert (len(rows), rows["event"].sum()) == (178, 112)
    X, event, row = _person_months(rows, rows["start"].to_numpy(), rows["stop"].to_numpy())
    fit = hazard.fit(X, event, link="cloglog", clusters=rows["patient"].to_numpy()[row])
    assert fit.coefficients[-3] == pytest.approx(-0.4598, abs=0.03)
    assert fit.standard_errors[-3] == pytest.approx(0.2580, abs=0.02)
    alone = hazard.fit(X, event, link="cloglog")
    assert alone.standard_errors[-3] < fit.standard_errors[-3] - 0.03


def test_bladder_second_recurrence_by_the_time_since_the_first():
    rows = _bladder()
    second = rows[rows["nth"] == 2]
    gap = (second["stop"] - second["start"]).to_numpy()
    X, event, _ = _person_months(second, np.zeros(len(second)), gap)
    fit = hazard.fit(X, event, link="cloglog")
    assert fit.coefficients[-3] == pytest.approx(-0.259, abs=0.03)


def _simulated(seed=1, rows=4_000, clients=200):
    rng = np.random.default_rng(seed)
    X = np.column_stack((np.ones(rows), rng.normal(size=(rows, 2))))
    event = rng.random(rows) < 1 / (1 + np.exp(2.5 - 0.6 * X[:, 1]))
    return X, event.astype(float), rng.integers(0, clients, rows)


def test_weights_are_repeated_rows_and_offsets_are_known_parts():
    X, event, _ = _simulated()
    copies = np.arange(len(X)) % 3 + 1
    weighted = hazard.fit(X, event, weights=copies)
    repeated = hazard.fit(np.repeat(X, copies, axis=0), np.repeat(event, copies))
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, atol=1e-8)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, atol=1e-8)
    moved = hazard.fit(X, event, offset=0.4 * X[:, 2])
    plain = hazard.fit(X, event)
    np.testing.assert_allclose(moved.coefficients, plain.coefficients - [0, 0, 0.4], atol=1e-7)


def test_counts_collapsed_to_cells_give_the_same_fit():
    X, event, _ = _simulated()
    X = np.round(X)
    cells, place = np.unique(X, axis=0, return_inverse=True)
    trials = np.bincount(place)
    share = np.bincount(place, event) / trials
    collapsed = hazard.fit(cells, share, weights=trials, link="cloglog")
    full = hazard.fit(X, event, link="cloglog")
    np.testing.assert_allclose(collapsed.coefficients, full.coefficients, atol=1e-7)
    np.testing.assert_allclose(collapsed.covariance, full.covariance, atol=1e-8)


@pytest.mark.parametrize("link", ["logit", "cloglog", "log"])
def test_a_group_without_departures_is_named_and_leaves_the_rest_right(link):
    X, event, clients = _simulated()
    loyal = np.zeros(len(X))
    loyal[np.flatnonzero(event == 0)[:30]] = 1.0
    names = ["constant", "a", "b", "loyal"]
    full = hazard.fit(np.column_stack((X, loyal)), event, link=link, names=names, clusters=clients)
    rest = hazard.fit(X[loyal == 0], event[loyal == 0], link=link, names=names[:3])
    assert full.separated == ("loyal",)
    assert np.isinf(full.standard_errors[3])
    assert full.z[3] == 0
    np.testing.assert_allclose(full.coefficients[:3], rest.coefficients, atol=1e-4)


def test_a_column_that_says_nothing_new_is_named():
    X, event, _ = _simulated()
    double = np.column_stack((X, X[:, 1] + 2 * X[:, 2], np.zeros(len(X))))
    fit = hazard.fit(double, event, names=["constant", "a", "b", "sum", "nothing"])
    assert fit.aliased == ("sum", "nothing")
    np.testing.assert_allclose(fit.coefficients[:3], hazard.fit(X, event).coefficients, atol=1e-8)


def test_single_precision_and_badly_scaled_columns_fit_alike():
    X, event, _ = _simulated()
    scale = np.array([1.0, 1e5, 1e-5])
    fit, scaled = hazard.fit(X, event), hazard.fit((X * scale).astype(np.float32), event)
    np.testing.assert_allclose(scaled.coefficients * scale, fit.coefficients, rtol=1e-4)


def test_what_cannot_be_fitted_is_refused():
    X, event, _ = _simulated()
    with pytest.raises(ValueError, match="no departures"):
        hazard.fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="missing"):
        hazard.fit(np.where(X > 2, np.nan, X), event)
    with pytest.raises(ValueError, match="weights has 3 rows"):
        hazard.fit(X, event, weights=np.ones(3))


def test_clusters_may_be_text():
    X, event, clients = _simulated()
    by_number = hazard.fit(X, event, clusters=clients)
    by_name = hazard.fit(X, event, clusters=pd.Series(clients).astype(str).to_numpy())
    np.testing.assert_allclose(by_number.covariance, by_name.covariance)
    assert by_number.clusters == 200
