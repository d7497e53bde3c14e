"""Laws of parameters: a wrong one stops the work before it starts, and says the right one."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from hsirepro.errors import ParameterError
from hsirepro.params import Parameter, check_chapter, check_parameters

SCHEMA = {
    "scene": Parameter("str", "planted", "catalogue name or path"),
    "profile": Parameter("str", "smoke", "how long", choices=("paper", "quick", "smoke")),
    "ratio": Parameter("int", 4, "ratio of the pixel sizes", minimum=1),
    "sigma": Parameter("float", 0.5, "width of the Gaussian", unit="pixels", above=0, maximum=10),
    "lr": Parameter("float", 1e-3, "learning rate", above=0),
    "seed": Parameter("int", 0, "random seed", minimum=0),
    "noise": Parameter("bool", False, "add noise"),
    "snr": Parameter("float", None, "signal to noise", unit="dB", optional=True),
    "bits": Parameter("int", 8, "depth of pictures", choices=(8, 16)),
}


def refused(**given):
    with pytest.raises(ParameterError) as caught:
        check_parameters(given, SCHEMA)
    return str(caught.value)


def test_defaults_fill_what_is_not_given():
    """A chapter without parameters runs on its defaults, in the order of the schema."""
    checked = check_parameters({"seed": 3}, SCHEMA)
    assert list(checked) == list(SCHEMA)
    assert checked["seed"] == 3
    assert checked["sigma"] == 0.5
    assert checked["snr"] is None


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("sigma", 1, 1.0),
        ("sigma", np.float32(0.25), 0.25),
        ("ratio", 8.0, 8),
        ("ratio", np.int64(8), 8),
        ("snr", 30, 30.0),
        ("snr", None, None),
        ("snr", math.inf, math.inf),
        ("noise", True, True),
        ("bits", 16, 16),
        ("scene", "my.hdr", "my.hdr"),
    ],
)
def test_values_are_returned_in_their_kind(name, given, expected):
    """A whole float is a whole number and a whole number is a number; nothing else changes."""
    value = check_parameters({name: given}, SCHEMA)[name]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sede": 3}, "Unknown parameter 'sede'.\n  next step  did you mean 'seed'"),
        ({"zzz": 3}, "Unknown parameter 'zzz'.\n  next step  one of: bits, lr, noise, "),
        (
            {"lr": "1e-3"},
            "lr must be a number, not the string '1e-3'.\n  next step  write 0.001 without "
            "quotes; in YAML write 1.0e-3, since YAML reads 1e-3 as a word",
        ),
        ({"lr": "1e3"}, "write 1000.0 without quotes; in YAML write 1.0e+3,"),
        ({"lr": "1.5e3"}, "write 1500.0 without quotes; in YAML write 1.5e+3,"),
        ({"lr": "0.5"}, "write 0.5 without quotes"),
        ({"lr": "fast"}, "lr must be a number, not the string 'fast'.\n  next step  such as lr="),
        ({"lr": "nan"}, "not the string 'nan'.\n  next step  such as lr=0.001"),
        ({"lr": math.nan}, "lr must be a number, not nan (float)"),
        ({"lr": None}, "lr must be a number, not None (NoneType).\n  next step  such as lr=0.001"),
        ({"lr": [0.1]}, "lr must be a number, not [0.1] (list)"),
        ({"ratio": "4"}, "a whole number, not the string '4'.\n  next step  write 4 without"),
        ({"ratio": "4.5"}, "not the string '4.5'.\n  next step  such as ratio=4"),
        ({"ratio": 4.5}, "ratio must be a whole number, not 4.5 (float)"),
        ({"ratio": math.inf}, "ratio must be a whole number, not inf (float)"),
        ({"ratio": True}, "ratio must be a whole number, not True (bool)"),
        ({"ratio": -2}, "ratio is -2, which is out of range.\n  allowed  1 or more"),
        ({"sigma": False}, "sigma must be a number, not False (bool)"),
        (
            {"sigma": 0},
            "sigma is 0, which is out of range.\n  allowed  more than 0 and 10 or less p",
        ),
        ({"sigma": 11}, "sigma is 11, which is out of range"),
        ({"noise": "yes"}, "noise must be True or False, not the string 'yes'"),
        ({"noise": 1}, "noise must be True or False, not 1 (int).\n  next step  such as noise=F"),
        ({"profile": "papper"}, "profile cannot be 'papper'.\n  next step  did you mean 'paper'?"),
        ({"bits": 12}, "bits cannot be 12.\n  next step  one of: 8, 16"),
        ({"scene": 7}, 'scene must be a text, not 7 (int).\n  next step  put it in quotes: "7"'),
    ],
)
def test_wrong_parameters_are_refused_with_the_right_answer(given, says):
    """The error names the parameter, what it was, and what to write instead."""
    assert says in refused(**given)


def test_all_problems_are_told_at_once():
    """Three slips cost one run, not three."""
    text = refused(sede=3, ratio=-1, lr="1e-3", seed=1)
    assert text.startswith("3 parameters are wrong.\n")
    for part in ("did you mean 'seed'", "ratio is -1", "write 0.001 without quotes"):
        assert part in text


def test_schema_with_an_impossible_default_is_refused():
    """A default is a parameter too."""
    with pytest.raises(ParameterError, match="default is -1, which is out of range"):
        Parameter("int", -1, "count", minimum=0)
    with pytest.raises(ParameterError, match="default must be a number, not the string '1e-3'"):
        Parameter("float", "1e-3", "learning rate")


def chapter(*injected):
    """Run a chapter's first cells as a kernel does, with papermill's cell between them."""
    space = {"__name__": "__main__", "In": [], "Out": {}, "exit": object(), "helper": 1}
    exec("import math\n_known = set(globals())", space)
    exec("seed = 0\nsigma = 0.5", space)
    space.update({"_i3": "x", "_": 1, "quit": object(), "get_ipython": object()})
    for line in injected:
        exec(line, space)
    return check_chapter(space, space["_known"], SCHEMA)


def test_chapter_runs_on_its_own_parameters():
    """What IPython, imports and earlier cells define are no parameters."""
    assert chapter()["sigma"] == 0.5
    assert chapter("sigma = 0.7", "import string", "from pathlib import Path")["sigma"] == 0.7
    assert chapter("scene = 'my.hdr'")["scene"] == "my.hdr"


@pytest.mark.parametrize(
    ("injected", "says"),
    [
        ("sede = 3", "Unknown parameter 'sede'.\n  next step  did you mean 'seed'"),
        ("sigma = '1e-1'", "write 0.1 without quotes; in YAML write 1.0e-1"),
        ("seed = -3", "seed is -3, which is out of range"),
    ],
)
def test_chapter_refuses_what_papermill_injects_wrongly(injected, says):
    """A misspelt or mistyped ``-p`` stops the chapter instead of being ignored."""
    with pytest.raises(ParameterError) as caught:
        chapter(injected)
    assert says in str(caught.value)


def test_running_the_check_cell_again_checks_again():
    """In an open notebook every name is known the second time; values are still checked."""
    space = {"seed": -1}
    with pytest.raises(ParameterError, match="seed is -1"):
        check_chapter(space, set(space), SCHEMA)


CELLS = [
    (
        "from hsirepro.params import Parameter, check_chapter\n_known = set(globals())",
        [],
    ),
    ("seed = 0", ["parameters"]),
    (
        "check_chapter(globals(), _known, {'seed': Parameter('int', 0, 'random seed', minimum=0)})",
        [],
    ),
]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    nbformat = pytest.importorskip("nbformat", reason="needs the book extra")
    pytest.importorskip("papermill", reason="needs the book extra")
    book = nbformat.v4.new_notebook()
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.metadata["kernelspec"] = kernel
    for source, tags in CELLS:
        book.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
    path = tmp_path_factory.mktemp("chapter") / "chapter.ipynb"
    nbformat.write(book, path)
    return path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-p", "seed", "3"], None),
        (["-p", "sede", "3"], "did you mean 'seed'"),
        (["-y", "seed: 1e1"], "in YAML write 1.0e+1, since YAML reads 1e1 as a word"),
    ],
)
def test_papermill_run_fails_on_a_wrong_parameter(notebook, options, says):
    """``papermill -p sede 3`` fails with the parameter that was meant."""
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", "python3"]
    command += [str(notebook), str(notebook.with_name("out.ipynb")), *options]
    quiet = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **quiet}
    )
    if says is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0
        assert says in done.stderr
