"""Laws of errors: the thing, the place, the next step."""

from __future__ import annotations

import pytest

from hsirepro import errors
from hsirepro.errors import HsireproError, ParameterError, suggest

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, HsireproError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_shows_its_hints_in_columns(kind):
    """The first line says what is wrong; the hints stand under it, aligned, in their order."""
    error = kind("'x' is not here.", looked_in="a, b", next_step="fetch x")
    assert str(error) == "'x' is not here.\n  looked in  a, b\n  next step  fetch x"
    assert isinstance(error, HsireproError)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_without_hints_is_one_line(kind):
    """No hint, no empty line."""
    assert str(kind("It broke.")) == "It broke."


@pytest.mark.parametrize("name", ["ParameterError", "ShapeError", "WavelengthError", "PixelError"])
def test_wrong_values_are_value_errors(name):
    """Who catches Python's ValueError also catches ours."""
    assert issubclass(getattr(errors, name), ValueError)


@pytest.mark.parametrize(
    ("name", "nearest"), [("sede", "seed"), ("scen", "scene"), ("Seed", "seed")]
)
def test_the_nearest_name_is_offered_first(name, nearest):
    """A slip of the keyboard gets the name that was meant."""
    assert suggest(name, ["seed", "scenes", "scene", "sigma"]).startswith(
        f"did you mean '{nearest}'"
    )


@pytest.mark.parametrize("name", ["xyz", ""])
def test_all_names_are_listed_where_none_is_near(name):
    """Nothing is guessed: without a near name all are shown, in order."""
    assert suggest(name, iter(["seed", "scene"])) == "one of: scene, seed"


def test_errors_can_be_pickled_across_processes():
    """A worker process can hand its error to the one that asked."""
    import pickle

    error = ParameterError("ratio is -2.", allowed="1 or more")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ParameterError
    assert str(again) == str(error)
