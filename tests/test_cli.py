"""The command line: quick to answer, clear about slips, and a thin door to the rooms."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import MappingProxyType

import pytest

from hsirepro.cli import main
from hsirepro.errors import ParameterError
from hsirepro.papers.hyconet import keys
from hsirepro.papers.hyconet.experiments import PROFILES, Profile
from hsirepro.records import Record, RecordKey, RecordStore
from hsirepro.report import plot_recorded
from hsirepro.scenes import CATALOGUE

HEAVY = {"torch", "lightning", "xarray", "h5py", "scipy", "matplotlib", "pandas", "rasterio"}


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch) -> Path:
    """Let every command of a test see its own records and nothing of this machine's data."""
    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("HSIREPRO_SCRATCH", raising=False)
    return tmp_path / "results"


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that runs a command in this process: (exit code, output, errors)."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hsirepro", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return call


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["scenes"], ["scenes", "--help"]])
def test_light_commands_load_no_heavy_library(words):
    """Help and the list of scenes answer at once, because no library of science is loaded."""
    code = (
        "import sys\n"
        f"sys.argv = ['hsirepro', *{words!r}]\n"
        "from hsirepro.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('heavy:', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("heavy: []")
    assert len(done.stdout.splitlines()) > 5


def test_help_names_every_command(command):
    """The first page leads to all rooms."""
    code, out, _ = command("--help")
    assert code == 0
    for word in ("scenes", "run", "records", "doctor", "book"):
        assert word in out
    code, out, _ = command("run", "--help")
    for option in ("--table", "--scene", "--condition", "--method", "--profile", "--seed"):
        assert option in out


def test_slips_end_a_process_with_code_2():
    """An installed command shows the error's text alone, without a traceback, and code 2."""
    code = "from hsirepro.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "hyconett"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "ParameterError: There is no paper 'hyconett' here.\n  hint  did you mean 'hyconet'?\n"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("run hyconett", "There is no paper 'hyconett' here.\n  hint  did you mean 'hyconet'?"),
        ("run zzz", "There is no paper 'zzz' here.\n  hint  one of: hud, hyconet"),
        ("run hyconet --scene planed", "no scene 'planed' in the catalogue.\n  nearest    did you"),
        ("run hyconet --scene no/such.hdr", "no/such.hdr"),
        ("run hyconet --method hyconett", "no method 'hyconett'.\n  hint  did you mean 'hyconet'"),
        ("run hyconet --profile papper", "no profile 'papper'.\n  hint  did you mean 'paper'?"),
        ("run hyconet --table VI", "no table or study 'VI'.\n  hint  one of: II, III, IV, V"),
        ("run hyconet --condition sigma=x", "no condition 'sigma=x'.\n  next step  write it as"),
        ("run hyconet --seed -1", "seed must be a whole number from 0, not -1"),
        ("run hyconet --seed 1e-3", "--seed"),
        ("run hyconet --method gsa --device gpu", "device cannot be 'gpu'.\n  next step  one of: "),
        ("run hyconet --sede 1", "--sede"),
        ("scenes fetch planed", "no scene 'planed' in the catalogue.\n  nearest    did you mean"),
        ("scenes verify planed", "no scene 'planed' in the catalogue.\n  nearest    did you mean"),
        ("scnes", "scnes"),
    ],
)
def test_slips_are_named(command, results, words, text):
    """An unknown name, or a word for a number, ends with code 2, its text and no record."""
    code, _, err = command(*words.split())
    assert code == 2
    assert text in err
    assert "Traceback" not in err
    assert RecordStore(results).find() == []


def test_scenes_lists_the_catalogue(command):
    """Every scene has a line with sensor, size, bands, licence, and whether it is here."""
    code, out, _ = command("scenes")
    head, *rows = out.splitlines()
    assert code == 0
    assert head.split() == ["name", "sensor", "size", "bands", "here", "licence"]
    assert [row.split()[0] for row in rows] == list(CATALOGUE)
    (planted,) = (row for row in rows if row.startswith("planted "))
    assert "simulated" in planted
    assert "yes" in planted.split()


def test_verify_tells_right_from_wrong(command, data_dir, tmp_path, monkeypatch):
    """A right file is ok with code 0; one flipped byte is wrong with code 1."""
    (file,) = CATALOGUE["houston-2018-crop"].files
    copy = tmp_path / "data" / file.path
    copy.parent.mkdir(parents=True)
    shutil.copy(data_dir / file.path, copy)
    monkeypatch.setenv("HSIREPRO_DATA", str(tmp_path / "data"))
    code, out, _ = command("scenes", "verify", "houston-2018-crop")
    assert (code, out.splitlines()[1].split()) == (0, ["houston-2018-crop", file.path, "ok"])
    content = bytearray(copy.read_bytes())
    content[1000] ^= 1
    copy.write_bytes(content)
    code, out, _ = command("scenes", "verify", "houston-2018-crop")
    assert (code, out.splitlines()[1].split()[-1]) == (1, "wrong")


def test_verify_counts_what_is_not_here(command, monkeypatch):
    """Without data nothing is wrong: what is missing is counted, and listed when named."""
    monkeypatch.setenv("HSIREPRO_DATA", "")
    code, out, _ = command("scenes", "verify")
    assert code == 0
    files = sum(len(entry.files) for entry in CATALOGUE.values())
    assert f"{files} files of {files} are not on this machine." in out
    code, out, _ = command("scenes", "verify", "houston-2018-crop")
    assert (code, out.splitlines()[1].split()[-1]) == (0, "missing")


def test_fetching_without_network_says_what_to_do(command, monkeypatch):
    """A scene that cannot be had names the file, the places, the address and a way on."""
    monkeypatch.setenv("HSIREPRO_DATA", "")
    code, _, err = command("scenes", "fetch", "houston-2018-crop")
    assert code == 2
    assert "SceneNotFound: 'houston-2018-crop' is not on this machine." in err
    assert "houston_dataset.mat" in err
    assert "planted" in err


def make_record(store: RecordStore) -> Path:
    key = RecordKey("hyconet", "II", "planted", "sigma=0.5", "gsa", "smoke", 0)
    made = {"date": "2026-01-02T03:04:05+00:00", "code_hash": "abcdef0123456789"}
    return store.write(Record(key, {"mPSNR": 31.5}, provenance=made))


def test_records_are_listed(command, results):
    """Every record has a line with its key, date and code."""
    code, out, err = command("records")
    assert (code, len(out.splitlines())) == (0, 1)
    assert f"no folder of records {results} yet" in err
    make_record(RecordStore(results))
    code, out, _ = command("records")
    assert code == 0
    assert out.splitlines()[1].split("  ") == [
        "hyconet/II/planted/sigma=0.5/gsa (smoke, seed 0)",
        "2026-01-02T03:04:05+00:00",
        "abcdef01",
    ]


def test_records_verify_finds_the_torn_one(command, results):
    """Whole records are code 0; a torn one is code 1, with its name and what to do."""
    path = make_record(RecordStore(results))
    code, out, _ = command("records", "verify")
    assert (code, out) == (0, "1 records are whole, 0 are not.\n")
    path.write_bytes(path.read_bytes()[:-30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is printed is not warned of as well
        code, out, _ = command("records", "verify")
    assert code == 1
    assert out.count("next step") == 1
    assert path.name in out
    assert "0 records are whole, 1 are not." in out


def test_run_records_its_cells_once(command, results, monkeypatch):
    """The first call runs and records every cell of the planted scene; the second runs none."""
    short = MappingProxyType({**PROFILES, "smoke": Profile(3, (0,), "a moment")})
    monkeypatch.setattr("hsirepro.papers.hyconet.run.PROFILES", short)
    monkeypatch.setattr("hsirepro.papers.hyconet.experiments.PROFILES", short)
    wanted = keys("II", "planted", 0.5, "smoke")
    code, out, err = command("run", "hyconet")
    assert code == 0
    assert f"run {len(wanted)} of {len(wanted)}: {wanted[-1]}" in err
    store = RecordStore(results)
    assert {r.key for r in store.find()} == set(wanted)
    assert store.verify() == []
    head, *rows = out.splitlines()
    assert head.split()[:2] == ["method", "seed"]
    assert "mPSNR" in head.split()
    assert [row.split()[0] for row in rows] == [key.method for key in wanted]
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*.h5")}
    again, repeated, err = command("run", "hyconet", "--scene", "planted", "--profile", "smoke")
    assert (again, repeated) == (0, out)
    assert err == ""
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*.h5")} == before
    code, _, err = command("run", "hyconet", "--method", "gsa", "--method", "bicubic", "--again")
    assert code == 0
    assert "run 2 of 2: hyconet/II/planted/sigma=0.5/bicubic" in err


def test_the_command_for_pictures_makes_them(command, results):
    """A cell that no figure shows keeps its numbers only; the error says how to get pictures."""
    place = ("run", "hyconet", "--method", "bicubic", "--condition", "sigma=1")
    assert command(*place)[0] == 0
    store = RecordStore(results)
    with pytest.raises(ParameterError, match=r"holds no pictures") as error:
        plot_recorded(store.find())
    told = str(error.value).split("run its cell again: hsirepro ")[1].splitlines()[0]
    assert told.endswith("--again --pictures")
    assert command(*shlex.split(told))[0] == 0
    (record,) = store.find()
    assert plot_recorded([record]).axes


def test_run_stops_before_work_that_could_not_be_kept(command, tmp_path, monkeypatch):
    """A results folder that cannot be written ends with code 2 before the first cell."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path / "file" / "results"))
    code, out, err = command("run", "hyconet", "--method", "gsa")
    assert code == 2
    assert out == ""
    assert "RecordError: Records cannot be written to" in err
    assert "HSIREPRO_RESULTS" in err
    assert "run 1 of" not in err


def test_other_errors_are_not_hidden(monkeypatch):
    """A fault of the program itself shows its traceback: only slips of the user are polished."""
    monkeypatch.setattr(sys, "argv", ["hsirepro", "doctor"])

    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr("hsirepro.doctor.report", broken)
    with pytest.raises(ZeroDivisionError):
        main()
    assert issubclass(ParameterError, ValueError)


def test_a_ratio_in_the_condition_reaches_the_run(tmp_path, monkeypatch):
    """A cell at another ratio is run and recorded at that ratio, not at the table's."""
    from typer.testing import CliRunner

    from hsirepro.cli import app
    from hsirepro.records import RecordStore

    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path))
    call = ["run", "hyconet", "--condition", "sigma=0.5,ratio=6", "--method", "bicubic"]
    assert CliRunner().invoke(app, call).exit_code == 0
    (record,) = RecordStore(tmp_path).find()
    assert (record.key.condition, record.settings["ratio"]) == ("sigma=0.5,ratio=6", 6)


def test_a_cube_of_ones_own_is_sent_to_the_chapter(command, results, tmp_path):
    """`hsirepro run` records under catalogue names only: a path names no scene for others."""
    (tmp_path / "mine.mat").touch()
    mine = str(tmp_path / "mine.mat")
    code, _, err = command("run", "hyconet", "--scene", mine, "--method", "gsa")
    assert code == 2
    assert "takes scenes of the catalogue" in err
    assert "papermill notebooks/hyconet/tables.ipynb" in err
    assert RecordStore(results).find() == []
