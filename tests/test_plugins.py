"""An analyst's own part: loaded by its name, and named where it fails."""

import sys

import numpy as np
import pytest

from churnlens.config import PluginSettings, Settings
from churnlens.errors import ConfigError
from churnlens.pipeline import investigate
from churnlens.plugins import load_function, load_plugin, look_in
from churnlens.why.registry import classifiers

PARTS = """
import numpy as np
from churnlens.panel.spells import Departures


def fails(*given):
    raise RuntimeError("no such column")


def nothing(*given):
    return None


def short(data, events):
    return [1.0, 2.0]


def unsound(activity):
    gone = np.full(len(activity.orders), 99)
    start = np.zeros_like(gone)
    return Departures(start, start, gone, gone, gone, gone, gone)


def endless(data, events):
    return np.full(data.orders.shape, np.inf)


def huge(data, events):
    return np.full(data.orders.shape, 1e300)


def greedy(data, events, more):
    return data.orders


class Guess:
    def predict_proba(self, x):
        return x


five = 5
"""


@pytest.fixture
def parts(tmp_path, monkeypatch):
    (tmp_path / "parts_of_ours.py").write_text(PARTS)
    (tmp_path / "not_python.py").write_text("def x(:")
    monkeypatch.syspath_prepend(tmp_path)
    return "parts_of_ours"


@pytest.mark.parametrize("name", ["parts_of_ours:six", "no_such_module:x", "not_python:x", "os"])
def test_what_cannot_be_loaded_is_named(parts, name):
    with pytest.raises(ConfigError, match=f"check '{name}'"):
        load_plugin(name, "check")


def test_what_is_no_function_is_refused(parts):
    with pytest.raises(ConfigError, match="'parts_of_ours:five' is no function"):
        load_function("parts_of_ours:five", "check")


def test_an_error_in_it_is_said_with_its_line(parts):
    failing = load_function("parts_of_ours:fails", "check")
    place = r"\(parts_of_ours.py, line 7\)"
    with pytest.raises(ConfigError, match=f"RuntimeError: no such column {place}"):
        failing(np.zeros(3))


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("definition", "nothing", "gives NoneType, not Departures"),
        ("definition", "fails", "RuntimeError: no such column"),
        ("definition", "unsound", "gives Departures that cannot be: not everywhere begin < end"),
        ("drivers", "short", "an array of numbers, one a client and period: "),
        ("drivers", "nothing", "an array of numbers"),
        ("drivers", "endless", "gives values that are infinite or too large"),
        ("drivers", "huge", "gives values that are infinite or too large"),
        ("drivers", "greedy", r"TypeError: .* \(parts_of_ours.py, line 32\)"),
        ("checks", "not_there", "cannot be loaded"),  # though no cause may ever be put to it
    ],
)
def test_a_run_ends_with_the_name_of_the_part(parts, tmp_path, kind, name, said):
    rows = [
        f"c{c},{2023 + m // 12}-{m % 12 + 1:02d}-{1 + c:02d},10"
        for c in range(9)
        for m in range(20)
    ]
    kept = [r for r in rows if not r.startswith("c3,2024")]
    (tmp_path / "orders.csv").write_text("\n".join(["client_id,order_date,amount", *kept]))
    part = f"{parts}:{name}"
    own = {kind: part} if kind == "definition" else {"plugins": PluginSettings(**{kind: (part,)})}
    with pytest.raises(ConfigError, match=f"'{part}' .*{said}"):
        investigate(tmp_path, Settings(draws=99, **own))


def test_a_model_that_is_no_classifier_is_refused_with_what_it_lacks(parts):
    asked = Settings(plugins=PluginSettings(models=(f"{parts}:Guess",)))
    with pytest.raises(ConfigError, match=f"model '{parts}:Guess' gives Guess, which has no fit"):
        classifiers(asked)


def test_a_driver_of_a_name_that_is_taken_is_refused(parts, tmp_path):
    rows = "".join(f"c{c},2023-{m + 1:02d}-{c + 1:02d},10,1\n" for c in range(5) for m in range(12))
    (tmp_path / "orders.csv").write_text("client_id,order_date,amount,short\n" + rows)
    asked = Settings(draws=99, plugins=PluginSettings(drivers=(f"{parts}:short",)))
    with pytest.raises(ConfigError, match="has the name of a driver that there is already"):
        investigate(tmp_path, asked)


def test_a_module_that_is_not_there_is_told_where_to_put_it():
    with pytest.raises(ConfigError, match=r"Put no_such_module.py beside churnlens.toml or into"):
        load_plugin("no_such_module:x", "check")


def test_a_module_is_found_in_a_folder_that_is_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "kept_beside.py").write_text("six = 6")
    look_in(tmp_path)
    assert load_plugin("kept_beside:six", "check") == 6
