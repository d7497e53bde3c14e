"""Parameters of chapters and commands, checked before work starts.

Papermill turns ``-p sede 3`` into a new variable that nobody reads and goes on with the default
seed; YAML reads ``lr: 1e-3`` as a word. Both waste an afternoon. A chapter therefore describes
its parameters once, as a schema, and checks what it was given::

    from hsirepro.params import check_chapter
    from somewhere import SCHEMA
    _known = set(globals())        # end of cell 1

    scene = "planted"              # cell 2, tagged "parameters"
    sigma = 0.5                    # pixels of the low-resolution image

    params = check_chapter(globals(), _known, SCHEMA)     # cell 3

The cell that papermill injects stands between cells 2 and 3, so that cell 3 sees a variable that
the schema does not know and says which one was meant.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from hsirepro.errors import ParameterError, suggest

Kind = Literal["int", "float", "str", "bool"]
_WORDS = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "True or False"}

# Set by IPython and Jupyter while cells run; all their other names start with an underscore.
_IPYTHON = {"In", "Out", "exit", "quit", "get_ipython", "open"}


@dataclass(frozen=True)
class Parameter:
    """What a parameter may be.

    Parameters
    ----------
    kind : {"int", "float", "str", "bool"}
        A whole float such as 7.0 counts as an int, an int as a float; a bool is neither, and a
        string is never a number.
    default : int, float, str or bool
        Value where none is given; it must itself be allowed.
    help : str
        One line for the reader.
    unit : str
        Such as ``"pixels"`` or ``"dB"``; shown in errors.
    choices : tuple
        Allowed values; empty where any will do.
    minimum, maximum : float
        Smallest and largest allowed value.
    above : float
        Number that the value must exceed, for limits that are themselves impossible.
    optional : bool
        Whether None is allowed.

    Raises
    ------
    ParameterError
        If the default is not allowed.
    """

    kind: Kind
    default: Any
    help: str
    unit: str = ""
    choices: tuple[Any, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    above: float = -math.inf
    optional: bool = False

    def __post_init__(self) -> None:
        self.check("default", self.default)

    def check(self, name: str, value: object) -> int | float | str | bool | None:
        """Return ``value`` in its kind.

        Raises
        ------
        ParameterError
            If it is of another kind, out of range, or not among the choices.

        Examples
        --------
        >>> ratio = Parameter("int", 4, "ratio of the pixel sizes", minimum=1)
        >>> ratio.check("ratio", 8.0)
        8
        >>> ratio.check("ratio", -2)
        Traceback (most recent call last):
        hsirepro.errors.ParameterError: ratio is -2, which is out of range.
          allowed  1 or more
        """
        if value is None and self.optional:
            return None
        converted = _as_kind(self.kind, value)
        if converted is None:
            raise ParameterError(
                f"{name} must be {_WORDS[self.kind]}, not {_shown(value)}.",
                next_step=self._right_way(name, value),
            )
        if self.choices and converted not in self.choices:
            raise ParameterError(
                f"{name} cannot be {converted!r}.", next_step=self._nearest(converted)
            )
        if isinstance(converted, (int, float)) and not self._in_range(converted):
            raise ParameterError(
                f"{name} is {converted:g}, which is out of range.", allowed=self._range()
            )
        return converted

    def _in_range(self, value: float) -> bool:
        return self.minimum <= value <= self.maximum and value > self.above

    def _range(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if math.isfinite(self.above):
            low = f"more than {self.above:g}"
        else:
            low = f"{self.minimum:g} or more" if math.isfinite(self.minimum) else ""
        high = f"{self.maximum:g} or less" if math.isfinite(self.maximum) else ""
        return " and ".join(limit for limit in (low, high) if limit) + unit

    def _nearest(self, value: object) -> str:
        if self.kind == "str":
            return suggest(str(value), self.choices)
        return "one of: " + ", ".join(str(choice) for choice in self.choices)

    def _right_way(self, name: str, value: object) -> str:
        """Say how to write the value that was probably meant."""
        if isinstance(value, str) and self.kind in ("int", "float"):
            number = _number_in(value)
            if number is not None and _as_kind(self.kind, number) is not None:
                return f"write {_as_kind(self.kind, number)!r} without quotes{_yaml_note(value)}"
        if isinstance(value, str) and self.kind == "bool":
            return f"write {name} as True or False, without quotes (in YAML: true or false)"
        if self.kind == "str" and value is not None:
            return f'put it in quotes: "{value}"'
        return f"such as {name}={self.default!r}"


def _as_kind(kind: Kind, value: object) -> int | float | str | bool | None:
    """Return ``value`` in ``kind``, or None where that would have to guess."""
    if kind == "str":
        return value if isinstance(value, str) else None
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    number = float(value)
    if kind == "float":
        return None if math.isnan(number) else number
    if isinstance(value, numbers.Integral):
        return int(value)
    return int(number) if number.is_integer() else None


def _number_in(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _yaml_note(text: str) -> str:
    """Explain YAML's trap: its numbers need a point before the exponent and a sign in it."""
    found = re.fullmatch(r"\s*([+-]?\d+)(\.\d*)?[eE]([+-]?)(\d+)\s*", text)
    if not found or (found[2] and found[3]):
        return ""
    whole, fraction, sign, exponent = found.groups()
    right = f"{whole}{fraction or '.0'}e{sign or '+'}{exponent}"
    return f"; in YAML write {right}, since YAML reads {text.strip()} as a word"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"the string {value!r}"
    return f"{value!r} ({type(value).__name__})"


def check_parameters(
    given: Mapping[str, object], schema: Mapping[str, Parameter]
) -> dict[str, Any]:
    """Check parameters against a schema and fill in the defaults.

    Parameters
    ----------
    given : mapping of str to object
        What the user gave.
    schema : mapping of str to Parameter
        What there is to give.

    Returns
    -------
    dict
        A value for every name of the schema, in its order.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value is of the wrong kind, out of range or not among the
        choices. All problems are told at once.

    Examples
    --------
    >>> schema = {"seed": Parameter("int", 0, "random seed", minimum=0)}
    >>> check_parameters({}, schema)
    {'seed': 0}
    >>> check_parameters({"sede": 3}, schema)
    Traceback (most recent call last):
    hsirepro.errors.ParameterError: Unknown parameter 'sede'.
      next step  did you mean 'seed'?
    """
    problems = [
        ParameterError(f"Unknown parameter {name!r}.", next_step=suggest(name, schema))
        for name in given
        if name not in schema
    ]
    checked: dict[str, Any] = {}
    for name, parameter in schema.items():
        try:
            checked[name] = parameter.check(name, given.get(name, parameter.default))
        except ParameterError as problem:
            problems.append(problem)
    if len(problems) > 1:
        texts = (str(problem) for problem in problems)
        raise ParameterError("\n".join([f"{len(problems)} parameters are wrong.", *texts]))
    if problems:
        raise problems[0]
    return checked


def check_chapter(
    namespace: Mapping[str, object], known: Collection[str], schema: Mapping[str, Parameter]
) -> dict[str, Any]:
    """Check the parameters of a notebook: every variable that is new since ``known``.

    Parameters
    ----------
    namespace : mapping
        ``globals()``, after the parameters cell and the one papermill may have injected.
    known : collection of str
        ``set(globals())``, taken before the parameters cell. Names that start with an
        underscore, those that IPython sets, modules, functions and classes are no parameters.
    schema : mapping of str to Parameter

    Returns
    -------
    dict
        As :func:`check_parameters`.

    Raises
    ------
    ParameterError
        As :func:`check_parameters`.

    Notes
    -----
    Names of the schema are always read, so that running the cells of an open notebook a second
    time, when every name is already known, checks the values again.
    """
    given = {
        name: value
        for name, value in namespace.items()
        if name in schema or (name not in known and _may_be_parameter(name, value))
    }
    return check_parameters(given, schema)


def listed(text: str) -> list[str]:
    """Return the names in a text that separates them with commas, each once.

    Examples
    --------
    >>> listed("gsa, hyconet,, gsa")
    ['gsa', 'hyconet']
    """
    names = (name.strip() for name in text.split(","))
    return list(dict.fromkeys(name for name in names if name))


def _may_be_parameter(name: str, value: object) -> bool:
    if name.startswith("_") or name in _IPYTHON:
        return False
    return not (isinstance(value, ModuleType) or callable(value))
