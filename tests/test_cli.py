"""The command line through its own door: a process, or `main()` with its arguments."""

import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from typer.main import get_command

from churnlens import cli
from churnlens.issues import register

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_FILES = ["manifest.json", "rejects", "report.html", "review.json"]


@pytest.fixture
def call(monkeypatch, capfd):
    """Run the command line in this process; gives (exit code, stdout, stderr)."""

    def answer(*arguments):
        monkeypatch.setattr(sys, "argv", ["churnlens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return ended.value.code or 0, said.out, said.err

    return answer


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small planted order book, with a setting that makes its run short."""
    folder = tmp_path_factory.mktemp("world")
    process("simulate", folder, "--clients", 200, "--seed", 5)
    (folder / "churnlens.toml").write_text("draws = 99\n")
    return folder


@pytest.fixture(scope="module")
def ended(world, tmp_path_factory):
    """A run of that book in a process of its own, and the folder it was told to write to."""
    out = tmp_path_factory.mktemp("out") / "reports"
    return process("run", world, "--out", out), out


@pytest.fixture(scope="module")
def finished(ended):
    """The folder of that run."""
    return next(path for path in ended[1].iterdir() if path.is_dir())


@pytest.fixture
def few(tmp_path):
    """A book in which too few leave: a run that takes little more than reading it."""
    folder = tmp_path / "few"
    folder.mkdir()
    days = [f"2023-{month:02d}-{day:02d}" for month in range(1, 13) for day in (3, 17)]
    rows = [f"{client},{day},10" for client in "ABCDEFGH" for day in days]
    return orders(folder, "\n".join(["client_id,order_date,amount", *rows, ""]))


def process(*arguments, check=True):
    return subprocess.run(
        [sys.executable, "-m", "churnlens.cli", *map(str, arguments)],
        check=check,
        capture_output=True,
        text=True,
    )


def orders(folder, text="client_id,order_date,amount\nA,2024-01-05,10\n"):
    (folder / "orders.csv").write_text(text)
    return folder


# --- what is documented ---------------------------------------------------------------------


def commands():
    return get_command(cli.app).commands


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_in_the_readme(name):
    assert f"`churnlens {name}`" in README
    usage = re.search(rf"^churnlens {name} .*(\n {{5,}}.*)*", README, re.MULTILINE).group()
    for parameter in commands()[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert option in usage


def test_the_readme_names_no_command_that_does_not_exist():
    named = set(re.findall(r"^(?:uv run )?churnlens (\w+) [A-Zm]", README, re.MULTILINE))
    assert named == set(commands())


def test_ci_runs_what_the_readme_says():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    lines = re.findall(r"^python3 -m pip install uv && .*$", README, re.MULTILINE)
    assert len(lines) == 2
    assert all(f"\n{line}\n" in ci for line in lines)


def test_help_imports_nothing_heavy():
    heavy = {"pandas", "numpy", "ibis", "duckdb", "sklearn", "statsmodels", "altair", "pydantic"}
    code = "import sys, churnlens.cli; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not heavy & set(said.stdout.split())


# --- errors: one message, the right exit code, no traceback -----------------------------------


def is_one_message(said):
    assert said.startswith("Error: ")
    assert len(said.strip().splitlines()) == 1
    assert "Traceback" not in said


def empty(folder):
    return (folder,)


def nowhere(folder):
    return (folder / "nowhere",)


def no_such_format(folder):
    (folder / "orders.docx").write_text("client_id")
    return (folder / "orders.docx",)


def missing_column(folder):
    return (orders(folder, "client_id,order_dat,amount\nA,2024-01-05,10\n"),)


def header_only(folder):
    return (orders(folder, "client_id,order_date,amount\n"),)


def empty_file(folder):
    return (orders(folder, ""),)


def not_text(folder):
    (folder / "orders.csv").write_bytes(b"client_id,order_date,amount\nA,2024-01-05,\xff\xfe\xe9\n")
    return (folder,)


def not_parquet(folder):
    (folder / "orders.parquet").write_bytes(b"PAR1 or not")
    return (folder,)


def not_xlsx(folder):
    (folder / "orders.xlsx").write_bytes(b"PK or not")
    return (folder,)


def broken_gzip(folder):
    whole = gzip.compress(b"client_id,order_date,amount\n" + b"A,2024-01-05,10\n" * 10_000)
    (folder / "orders.csv.gz").write_bytes(whole[: len(whole) // 2])
    return (folder,)


def no_date_can_be_read(folder):
    return (orders(folder, "client_id,order_date,amount\nA,last May,10\n"),)


def two_files(folder):
    (folder / "orders.csv.gz").write_bytes(
        gzip.compress((orders(folder) / "orders.csv").read_bytes())
    )
    return (folder,)


def no_such_database(folder):
    return ("sqlite:////nowhere/at/all.db",)


def no_such_kind_of_database(folder):
    return ("oracel://db",)


def unknown_key(folder):
    (orders(folder) / "churnlens.toml").write_text('curency = "GBP"\n')
    return (folder,)


def not_toml(folder):
    (orders(folder) / "churnlens.toml").write_text("currency: GBP\n")
    return (folder,)


def no_such_config(folder):
    return (orders(folder), "--config", folder / "none.toml")


def two_configs(folder):
    (orders(folder) / "churnlens.toml").write_text("")
    return (folder / "churnlens.toml", "--config", folder / "churnlens.toml")


def nothing_that_early(folder):
    return (orders(folder), "--as-of", "1999-12-31")


UNUSABLE = [
    empty,
    nowhere,
    no_such_format,
    missing_column,
    header_only,
    empty_file,
    not_text,
    not_parquet,
    not_xlsx,
    broken_gzip,
    no_date_can_be_read,
    two_files,
    no_such_database,
    no_such_kind_of_database,
    unknown_key,
    not_toml,
    no_such_config,
    two_configs,
    nothing_that_early,
]


@pytest.mark.parametrize("make", UNUSABLE)
@pytest.mark.parametrize("command", ["run", "check"])
def test_an_unusable_source_ends_with_one_message(call, tmp_path, command, make):
    source = tmp_path / "source"
    source.mkdir()
    arguments = make(source)
    out = ("--out", tmp_path / "out") if command == "run" else ()
    code, said, error = call(command, *arguments, *out)
    progress = [line for line in error.splitlines(keepends=True) if line.startswith("[")]
    is_one_message(error.removeprefix("".join(progress)))
    assert (code, said) == (2, "")
    assert not (tmp_path / "out").exists()


def test_a_missing_column_is_named_with_its_file_and_the_remedy(call, tmp_path):
    _, _, error = call("check", *missing_column(tmp_path))
    assert "orders.csv" in error
    assert "order_date" in error
    assert "order_dat" in error


def no_review(folder):
    return folder / "none.json"


def no_json(folder):
    (folder / "review.json").write_text("{")
    return folder / "review.json"


def other_schema(folder):
    (folder / "review.json").write_text('{"schema_version": "99"}')
    return folder / "review.json"


@pytest.mark.parametrize("make", [no_review, no_json, other_schema])
def test_a_review_that_cannot_be_read_ends_with_one_message(call, tmp_path, make):
    path = make(tmp_path)
    source = orders(tmp_path)
    for arguments in (
        ("render", path),
        ("compare", path, path),
        ("score", path, path),
        ("run", source, "--previous", path, "--out", tmp_path / "out"),
    ):
        code, said, error = call(*arguments)
        is_one_message(error)
        assert (code, said) == (2, "")
        assert path.name in error


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("runn", "x"), "'run'"),
        (("run", "x", "--as-off", "2024-01-01"), "--as-of"),
        (("run", "x", "--as-of", "31.12.2024"), "2024-12-31"),
        (("run", "x", "--lang", "fr"), "'zh'"),
        (("run", "x", "--seed", "-1"), "--seed"),
        (("run", "x", "--seed", "two"), "--seed"),
        (("run", "x", "--engine", "duckdb"), "duckdb://"),
        (("run",), "SOURCE"),
        (("simulate", "OUT", "--world", "aproval"), "'approval'"),
    ],
)
def test_a_wrong_call_says_what_would_be_right(call, tmp_path, arguments, hint):
    code, said, error = call(*(str(tmp_path / "w") if a == "OUT" else a for a in arguments))
    assert (code, said) == (2, "")
    assert hint in error
    assert "Traceback" not in error


def test_a_folder_of_anothers_is_said_before_anything_is_read(call, tmp_path):
    (tmp_path / "out" / "2024-06-30").mkdir(parents=True)
    (tmp_path / "out" / "2024-06-30" / "letter.txt").write_text("dear")
    broken = orders(tmp_path, "no,columns\n1,2\n")
    code, _, error = call("run", broken, "--as-of", "2024-06-30", "--out", tmp_path / "out")
    is_one_message(error)
    assert code == 2
    assert "is no run of churnlens" in error


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_source_and_a_config_that_names_another_are_told_apart(call, tmp_path, command, beside):
    folder = orders(tmp_path)
    config = folder / "churnlens.toml" if beside else tmp_path / "elsewhere.toml"
    config.write_text('source = "duckdb://shop.duckdb"\n')
    named = (folder / "orders.csv",) if beside else (folder, "--config", config)
    code, _, error = call(command, *named)
    is_one_message(error)
    assert code == 2
    assert "names a source of its own (duckdb://shop.duckdb)" in error


def test_an_output_that_cannot_be_written_is_said_before_anything_is_read(call, tmp_path):
    (tmp_path / "out").write_text("a file")
    code, _, error = call("run", orders(tmp_path), "--out", tmp_path / "out")
    is_one_message(error)
    assert code == 2
    assert "is a file" in error


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('definition = "silense"', "Did you mean 'silence'"),
        ('price_cut = "rabatt"', "price_cut names 'rabatt'"),
        ('[plugins]\ndrivers = ["no_such_module:f"]', "no_such_module:f"),
        ('[plugins]\nmodels = ["no_such_module:f"]', "no_such_module:f"),
        ('[plugins]\nsections = ["no_such_module:f"]', "no_such_module:f"),
        ('[report]\ncss = "no.css"', "no.css"),
        ('[report]\nremedies = "no.toml"', "no.toml"),
        ('register = "nosuch://register"', "nosuch://register"),
        ('seed = "1"', "seed"),
        ('[plugins]\nchecks = ["math:pi"]', "'math:pi' is no function"),
        ('[orders]\ntable = "sheet"', "[orders] table is for a sheet"),
        ('[orders]\nfile = "others.csv"', "others.csv"),
    ],
)
def test_check_finds_what_a_run_would_stop_at(call, tmp_path, setting, said):
    (tmp_path / "churnlens.toml").write_text(setting)
    code, out, error = call("check", orders(tmp_path))
    is_one_message(error)
    assert (code, out) == (2, "")
    assert said in error


def test_init_says_which_needed_column_it_has_not_found(call, tmp_path):
    orders(tmp_path, "client_id,order_date,what\nA,2024-01-05,x\n")
    code, said, error = call("init", tmp_path)
    assert (code, error) == (0, "")
    assert said.startswith("Not found in orders: amount. Fill it in under [orders.columns].\n")


def test_a_planted_world_takes_no_folder_of_the_users(call, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    mine = orders(folder)
    (folder / "clients.csv").write_text("client_id\n1\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, _, error = call("simulate", folder, "--clients", 50)
    is_one_message(error)
    assert code == 2
    assert f"{folder} holds clients.csv" in error
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


def test_a_planted_world_may_be_made_again(call, tmp_path):
    for _ in range(2):
        assert call("simulate", tmp_path / "w", "--clients", 50)[0] == 0


def test_what_was_not_foreseen_is_one_line_and_exit_code_1(call, monkeypatch, tmp_path):
    def fail(*_arguments):
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(cli, "_settings", fail)
    monkeypatch.delenv("CHURNLENS_DEBUG", raising=False)
    code, said, error = call("check", tmp_path)
    is_one_message(error)
    assert (code, said) == (1, "")
    assert "ZeroDivisionError: by" in error


# --- what the commands do ---------------------------------------------------------------------


def test_run_writes_one_folder_and_says_where(ended, finished):
    done, out = ended
    assert sorted(path.name for path in finished.iterdir()) == RUN_FILES
    assert sorted(visible(out)) == [finished.name, "register.json"]
    assert str(finished / "report.html") in done.stdout
    assert len(done.stdout.splitlines()) < 30
    assert done.stderr.startswith("[1/")
    review = json.loads((finished / "review.json").read_text(encoding="utf-8"))
    assert review["as_of"] == finished.name


def test_run_warns_of_what_check_warns_of_and_names_the_rejects(call, few, tmp_path):
    with (few / "orders.csv").open("a") as file:
        file.write("A,2023-12-20,ten\n")
    checked = call("check", few)[1].splitlines()
    warned = [line for line in checked if line.startswith("! ")]
    code, said, error = call("run", few, "--out", tmp_path / "out")
    assert code == 0
    assert "“amount” is no number" in warned[0]
    assert [line for line in error.splitlines() if line.startswith("! ")] == [
        *warned,
        f"! Rejected rows, 1 in all, are in {tmp_path / 'out' / '2023-12-17' / 'rejects'}",
    ]
    assert "! " not in said


def visible(folder):
    return [path.name for path in folder.glob("[!.]*")]


def test_the_same_call_gives_the_same_bytes_whatever_the_register_holds(
    call, world, ended, finished, tmp_path
):
    shutil.copy(ended[1] / "register.json", tmp_path)
    assert call("run", world, "--out", tmp_path)[0] == 0
    for name in ("review.json", "manifest.json", "report.html"):
        assert (tmp_path / finished.name / name).read_bytes() == (finished / name).read_bytes()
    assert (tmp_path / "register.json").read_bytes() == (ended[1] / "register.json").read_bytes()


def test_the_register_takes_what_each_run_says(call, few, finished, ended, tmp_path):
    issues = json.loads((finished / "review.json").read_text(encoding="utf-8"))["issues"]
    kept = register.read(ended[1] / "register.json")
    assert [e.issue_id for e in kept if e.event == "seen"] == [issue["id"] for issue in issues]
    (few / "churnlens.toml").write_text('register = "kept/all.json"\n')
    assert call("run", few, "--out", tmp_path / "out")[0] == 0
    assert register.read(few / "kept" / "all.json") == ()
    assert visible(tmp_path / "out") == ["2023-12-17"]


@pytest.mark.parametrize("slashes", ["duckdb://", "duckdb:///"])
def test_databases_that_the_config_names_lie_beside_it(call, few, tmp_path, monkeypatch, slashes):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    written = f'register = "{slashes}kept.db"\nengine = "{slashes}work.db"\n'
    (few / "churnlens.toml").write_text(written)
    assert call("check", few)[0] == 0
    assert sorted(p.name for p in few.glob("*.db")) == ["kept.db", "work.db"]
    assert call("check", few, "--engine", f"{slashes}here.db")[0] == 0
    assert visible(tmp_path / "elsewhere") == ["here.db"]


def test_an_engine_in_the_config_that_is_no_url_is_refused(call, few):
    (few / "churnlens.toml").write_text('engine = "duckdb"\n')
    code, _, error = call("check", few)
    assert code == 2
    assert "engine = 'duckdb' is not a connection URL such as duckdb:///work.db" in error


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_the_manifest_has_the_hash_of_a_database_file_too(call, few, tmp_path, kind):
    place = few / f"shop.{kind}"
    rows = [line.split(",") for line in (few / "orders.csv").read_text().splitlines()[1:]]
    with {"duckdb": duckdb, "sqlite": sqlite3}[kind].connect(place) as connection:
        connection.execute("create table orders (client_id text, order_date text, amount double)")
        connection.executemany("insert into orders values (?, ?, ?)", rows)
        connection.commit()
    (few / "shop.toml").write_text(f'source = "{kind}://{place.name}"\n')
    code, _, error = call("run", few / "shop.toml", "--out", tmp_path / "out")
    assert code == 0, error
    (manifest,) = (tmp_path / "out").glob("*/manifest.json")
    (told,) = json.loads(manifest.read_text())["inputs"]
    assert told["sha256"] == hashlib.sha256(place.read_bytes()).hexdigest()


def test_an_engine_that_is_the_source_is_read_in_place(call, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(few / "shop.db") as connection:
        connection.execute(f"create table orders as from '{few / 'orders.csv'}'")
    (few / "shop.toml").write_text('source = "duckdb://shop.db"\nengine = "duckdb:///shop.db"\n')
    assert call("check", few / "shop.toml")[0] == 0


@pytest.mark.parametrize("broken", ['"broken.json"', '"nosuch://register"'])
def test_a_register_that_cannot_be_read_is_said_before_the_run(call, few, tmp_path, broken):
    (few / "broken.json").write_text("[1, 2")
    (few / "churnlens.toml").write_text(f"register = {broken}\n")
    code, said, error = call("run", few, "--out", tmp_path / "out")
    is_one_message(error)
    assert (code, said) == (2, "")
    assert not (tmp_path / "out").exists()


def test_a_review_is_not_held_against_one_of_the_same_day(call, few, finished, tmp_path):
    again = ("--previous", finished / "review.json", "--out", tmp_path / "out")
    code, _, error = call("run", few, "--as-of", finished.name, *again)
    assert code == 2
    assert "Traceback" not in error
    assert "name one of an earlier quarter" in error


def test_the_manifest_names_inputs_versions_seed_and_settings(finished, world):
    manifest = json.loads((finished / "manifest.json").read_text(encoding="utf-8"))
    assert {Path(entry["file"]).name for entry in manifest["inputs"]} == {
        path.name for path in world.iterdir() if path.name.startswith(("orders", "clients", "even"))
    }
    assert manifest["seed"] == 0
    assert manifest["settings"]["draws"] == 99
    assert {"churnlens", "python", "numpy"} <= set(manifest["versions"])


def test_options_override_the_configuration(call, few, tmp_path):
    (few / "churnlens.toml").write_text('lang = "en"\nseed = 1\n')
    out = tmp_path / "out"
    given = ("--lang", "zh", "--seed", 3, "--as-of", "2023-06-30", "--name-clients")
    assert call("run", few, "--out", out, *given)[0] == 0
    manifest = json.loads((out / "2023-06-30" / "manifest.json").read_text(encoding="utf-8"))
    settings = manifest["settings"]
    assert settings["as_of"] == "2023-06-30"
    assert (manifest["seed"], settings["lang"], settings["name_clients"]) == (3, "zh", True)
    html = (out / "2023-06-30" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh' in html


def started(*arguments, **streams):
    command = [sys.executable, "-m", "churnlens.cli", *map(str, arguments)]
    return subprocess.Popen(command, text=True, **streams)


def test_a_run_killed_while_it_writes_leaves_nothing_half(few, tmp_path):
    out = tmp_path / "out"
    run = started("run", few, "--out", out, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while run.poll() is None and not list(out.glob(".churnlens-*")):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    for folder in out.glob("[!.]*-*"):  # it may have been quicker than the kill
        assert sorted(path.name for path in folder.iterdir()) == RUN_FILES


def test_ctrl_c_ends_quietly_with_130(few, tmp_path):
    out = tmp_path / "out"
    run = started("run", few, "--out", out, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    first = run.stderr.readline()
    run.send_signal(signal.SIGINT)
    said, error = run.communicate(timeout=60)
    assert first.startswith("[1/")
    assert run.returncode == 130
    assert said == ""
    assert all(line.startswith("[") for line in error.splitlines())
    assert not list(tmp_path.glob("out/[!.]*"))


def test_check_prints_the_sum_of_rows_and_writes_nothing(call, tmp_path):
    code, said, error = call(
        "check", orders(tmp_path, "client_id,order_date,amount\nA,2024-01-05,10\n,2024-01-06,4\n")
    )
    assert (code, error) == (0, "")
    assert "orders: 2 rows read = 1 accepted + 1 rejected + 0 dated later" in said
    assert "Orders from 2024-01-05 to 2024-01-05." in said
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


def test_init_writes_a_config_that_check_can_use_and_never_twice(call, tmp_path):
    orders(tmp_path, "Customer,Date,Total\nA,05.01.2024,10\nB,17.02.2024,12\n")
    assert call("init", tmp_path)[0] == 0
    code, said, _ = call("check", tmp_path / "churnlens.toml")
    assert code == 0
    assert "2 accepted" in said
    code, _, error = call("init", tmp_path)
    is_one_message(error)
    assert code == 2


def test_render_needs_the_review_alone(call, finished, tmp_path):
    shutil.copy(finished / "review.json", tmp_path / "review.json")
    code, said, _ = call("render", tmp_path / "review.json")
    assert code == 0
    assert str(tmp_path / "report.html") in said
    assert (tmp_path / "report.html").read_bytes() == (finished / "report.html").read_bytes()
    assert (
        call("render", tmp_path / "review.json", "--lang", "zh", "--out", tmp_path / "zh.html")[0]
        == 0
    )
    assert '<html lang="zh' in (tmp_path / "zh.html").read_text(encoding="utf-8")


def test_render_does_not_write_over_the_review(call, finished, tmp_path):
    kept = shutil.copy(finished / "review.json", tmp_path / "review.json")
    before = kept.read_bytes()
    code, _, said = call("render", kept, "--out", tmp_path / "." / "review.json")
    assert (code, kept.read_bytes()) == (2, before)
    assert "is the review itself" in said


def test_compare_of_a_review_with_itself_finds_nothing_new_or_gone(call, finished):
    review = finished / "review.json"
    code, said, _ = call("compare", review, review, "--json")
    assert code == 0
    assert json.loads(said) is not None
    assert call("compare", review, review)[0] == 0


def test_score_reads_a_review_and_its_truth(call, finished, world):
    code, said, _ = call("score", finished / "review.json", world / "truth.json")
    assert code == 0
    assert said.strip()


@pytest.mark.parametrize("causes", [["x"], None, [{"driver": None, "scope": "x", "onset": None}]])
def test_score_of_a_malformed_truth_is_one_message(call, finished, world, tmp_path, causes):
    truth = json.loads((world / "truth.json").read_text(encoding="utf-8")) | {"causes": causes}
    (tmp_path / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    code, _, said = call("score", finished / "review.json", tmp_path / "truth.json")
    assert code == 2
    assert "truth.json: causes" in said
    assert "Traceback" not in said
