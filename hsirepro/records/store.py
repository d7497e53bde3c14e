"""A folder of records: written whole, verified when read, found by key."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path

from hsirepro.atomic import PARTIAL, write_whole
from hsirepro.errors import ParameterError, RecordError, suggest
from hsirepro.records.hdf5 import broken, from_bytes, to_bytes
from hsirepro.records.record import PROFILES, Record, RecordKey, pattern, slug

KEY_FIELDS = tuple(RecordKey.__dataclass_fields__)


def default_root() -> Path:
    """Return the folder of records: ``HSIREPRO_RESULTS``, the checkout's ``results``, or here.

    A checkout is recognised by its ``pyproject.toml``; an installed package without one keeps
    its records in ``results`` under the current folder.
    """
    told = os.environ.get("HSIREPRO_RESULTS")
    if told:
        return Path(told).expanduser()
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "results"
    return Path.cwd() / "results"


class RecordStore:
    """Records under one folder.

    Parameters
    ----------
    root : path, optional
        Default: :func:`default_root`.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = RecordStore(folder.name)
    >>> key = RecordKey("hyconet", "II", "planted", "psf_sigma=0.5", "GSA", "smoke", 0)
    >>> path = store.write(Record(key, {"mPSNR": 31.5}))
    >>> store.best(paper="hyconet", table="II", scene="planted", condition="psf_sigma=0.5",
    ...            method="GSA").metrics
    {'mPSNR': 31.5}
    >>> folder.cleanup()
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = Path(root) if root is not None else default_root()

    def check_writable(self) -> None:
        """Stop before hours of work whose result could not be kept.

        Raises
        ------
        RecordError
            If a file cannot be created under the root.
        """
        probe = self.root / f"probe.{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with open(probe, "xb"):
                pass
            probe.unlink()
        except OSError as error:
            raise _unwritable(self.root, error) from error

    def check_readable(self) -> None:
        """Stop where a folder that somebody named is not there, rather than find nothing in it.

        Raises
        ------
        RecordError
            If the root is no folder.
        """
        if not self.root.is_dir():
            raise RecordError(
                f"There is no folder of records {self.root}.",
                next_step="correct the name; the first `hsirepro run` makes the folder",
            )

    def write(self, record: Record) -> Path:
        """Write a record whole, in place of an older one with the same key.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        RecordError
            If it is too large, or the folder cannot be written.
        """
        path = self.root / record.key.path
        content = to_bytes(record)
        if from_bytes(content, path) != record:
            raise RecordError(
                "A record does not survive being written and read; it was not kept.",
                record=str(record.key),
                next_step="report this with the versions that `hsirepro doctor` prints",
            )
        try:
            write_whole(path, content)
        except OSError as error:
            raise _unwritable(path.parent, error) from error
        return path

    def read(self, path: str | os.PathLike[str]) -> Record:
        """Read the record at ``path`` and verify that it is whole, unaltered and in its place.

        Raises
        ------
        RecordError
            If it is not, or there is no such file.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise broken(path, f"it cannot be read ({error.strerror})") from error
        record = from_bytes(content, path)
        if path.is_relative_to(self.root) and path != self.root / record.key.path:
            raise RecordError(
                f"The record {path.name} lies in the place of another.",
                file=str(path),
                belongs_at=str(self.root / record.key.path),
                next_step="move it back, or delete it",
            )
        return record

    def find(self, **filters: str | int) -> list[Record]:
        """Return the records whose key has these values, in the order of their keys.

        Parameters
        ----------
        **filters
            Fields of :class:`RecordKey`, such as ``paper="hyconet", seed=0``.

        Raises
        ------
        ParameterError
            If a filter is no field of the key.

        Warns
        -----
        UserWarning
            For each torn or altered record, which is then treated as absent.
        """
        found = []
        for path in self._files(**filters):
            try:
                record = self.read(path)
            except RecordError as error:
                warnings.warn(f"Passed over: {error}", stacklevel=2)
                continue
            # The pattern for method "A" also fits the files of a method named "A--B".
            if all(getattr(record.key, name) == value for name, value in filters.items()):
                found.append(record)
        return sorted(found, key=lambda record: record.key)

    def best_seeds(
        self, *, paper: str, table: str, scene: str, condition: str, method: str
    ) -> list[Record]:
        """Return the records of a cell in its best profile (paper, quick, smoke), by seed."""
        found = self.find(paper=paper, table=table, scene=scene, condition=condition, method=method)
        for profile in PROFILES:
            of_profile = [record for record in found if record.key.profile == profile]
            if of_profile:
                return of_profile
        return []

    def best(
        self, *, paper: str, table: str, scene: str, condition: str, method: str
    ) -> Record | None:
        """Return the record of a cell in its best profile, the one of the lowest seed, or None."""
        found = self.best_seeds(
            paper=paper, table=table, scene=scene, condition=condition, method=method
        )
        return found[0] if found else None

    def verify(self) -> list[str]:
        """Read every file under the root; return what is wrong, one text per file, or nothing."""
        return self.examine()[1]

    def examine(self) -> tuple[int, list[str]]:
        """Return how many records under the root are whole, and :meth:`verify`."""
        whole, problems = 0, []
        for path in sorted(p for p in self.root.rglob("*") if p.suffix in {".h5", PARTIAL}):
            if path.suffix == PARTIAL:
                problems.append(
                    f"{path.name} was left behind by a run that was stopped.\n"
                    f"  file       {path}\n  next step  delete it when no run is going on"
                )
                continue
            try:
                self.read(path)
                whole += 1
            except RecordError as error:
                problems.append(str(error))
        return whole, problems

    def _files(self, **filters: str | int) -> Iterator[Path]:
        for name in filters:
            if name not in KEY_FIELDS:
                raise ParameterError(
                    f"Records have no {name!r} to find them by.",
                    next_step=suggest(name, KEY_FIELDS),
                )
        place = {name: glob.escape(slug(str(value))) for name, value in filters.items()}
        yield from sorted(self.root.glob(pattern(**place)))


def _unwritable(folder: Path, error: OSError) -> RecordError:
    code = errno.errorcode.get(error.errno or 0, "")
    return RecordError(
        f"Records cannot be written to {folder}: {error.strerror or error}.",
        reason=code or type(error).__name__,
        next_step="make the folder writable, or name another: HSIREPRO_RESULTS for records of "
        "commands, HSIREPRO_SCRATCH for those of chapters",
    )
