"""Where the files of a scene are, and how they come here.

Looked for in this order: the folders in ``HSIREPRO_DATA`` (several are separated like a search
path), the download cache, and then the web. ``HSIREPRO_CACHE`` moves the cache, and
``HSIREPRO_OFFLINE=1`` forbids the web.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hsirepro.errors import HashMismatch, SceneNotFound
from hsirepro.scenes.catalogue import CATALOGUE, SceneEntry, SceneFile

TIMEOUT_S = 30.0
"""Seconds without an answer after which a download is given up."""


def data_folders() -> list[Path]:
    """Return the folders named in ``HSIREPRO_DATA``, in order."""
    named = os.environ.get("HSIREPRO_DATA", "").split(os.pathsep)
    return [Path(folder).expanduser() for folder in named if folder]


def cache_folder() -> Path:
    """Return the folder of downloaded files: ``HSIREPRO_CACHE``, or the system's cache folder."""
    named = os.environ.get("HSIREPRO_CACHE", "")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("hsirepro"))


def find(file: SceneFile) -> Path | None:
    """Return where ``file`` is on this machine, or ``None``; its content is not looked at."""
    places = [folder / part for folder in data_folders() for part in (file.path, file.name)]
    places.append(cache_folder() / file.path)
    return next((place for place in places if place.is_file()), None)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_hash(file: SceneFile, path: Path) -> str:
    """Return the sha256 of ``path``, which must be that of ``file`` where the catalogue has one.

    Raises
    ------
    HashMismatch
        If it is another one. The file is left alone.
    """
    found = sha256_of(path)
    if file.sha256 and found != file.sha256:
        raise HashMismatch(
            f"'{file.name}' is not the file that the catalogue describes.",
            file=f"{path} ({path.stat().st_size} bytes; the catalogue says {file.bytes})",
            expected=f"sha256 {file.sha256}",
            found=f"sha256 {found}",
            next_step="move it away and fetch it again, or open it as your own: "
            f"open_scene({str(path)!r})",
        )
    return found


def offline() -> bool:
    """Tell whether ``HSIREPRO_OFFLINE`` forbids downloads."""
    return os.environ.get("HSIREPRO_OFFLINE", "") not in ("", "0")


def locate(
    name: str, *, download: bool = True, files: tuple[SceneFile, ...] | None = None
) -> list[Path]:
    """Return the places of the files of a scene, downloading them if need be.

    Parameters
    ----------
    name : str
        Catalogue name.
    download : bool
        Whether missing files may be downloaded.
    files : tuple of SceneFile, optional
        Which files; those that the scene cannot be opened without by default.

    Raises
    ------
    SceneNotFound
        If a file is not here and cannot be had; says what would help.
    HashMismatch
        If a downloaded file is another one; nothing of it is kept.
    """
    entry = CATALOGUE[name]
    wanted = entry.needed if files is None else files
    places = {file.path: find(file) for file in wanted}
    missing = [file for file in wanted if places[file.path] is None]
    problem = "" if wanted else "the catalogue knows no single file of it"
    for file in missing:
        problem = _why_not(file, download)
        if problem:
            break
        try:
            places[file.path] = _download(file)
        except OSError as error:  # requests' errors and refused folders are OSErrors
            problem = f"{file.url}: {str(error).splitlines()[0]}"
            break
    if problem:
        gone = [file for file in wanted if places[file.path] is None]
        raise _not_found(entry, gone, problem)
    return [place for place in places.values() if place is not None]


def _why_not(file: SceneFile, download: bool) -> str:
    """Return why ``file`` is not downloaded, or an empty string if it can be."""
    if not file.url:
        return "there is no direct address; see the page"
    if not file.sha256:
        return "its sha256 is not known, so a download could not be trusted"
    if not download:
        return "download=False"
    return "HSIREPRO_OFFLINE is set" if offline() else ""


def _download(file: SceneFile) -> Path:
    """Download ``file`` into the cache: temporary name, hash, rename."""
    import pooch

    target = cache_folder() / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".download-")
    os.close(handle)
    part = Path(temporary)
    try:
        get = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT_S)
        get(file.url, str(part), None)
        found = sha256_of(part)
        if found != file.sha256:
            raise HashMismatch(
                f"The download of '{file.name}' is not the file that the catalogue describes.",
                url=file.url,
                expected=f"sha256 {file.sha256}",
                found=f"sha256 {found} ({part.stat().st_size} bytes), not kept",
                next_step="try again; if it stays so, the address now holds another file",
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _places_text() -> str:
    named = os.environ.get("HSIREPRO_DATA", "") or "(not set)"
    return f"HSIREPRO_DATA={named}, {cache_folder()}"


def _not_found(entry: SceneEntry, missing: list[SceneFile], problem: str) -> SceneNotFound:
    """Return the error of a missing scene: what is needed, and what works meanwhile."""
    hints = {"looked_in": _places_text()}
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        hints["needs"] = ", ".join(file.describe() for file in missing[:3]) + more
    hints["not_fetched"] = problem
    if missing and all(file.url and file.sha256 for file in missing):
        hints["get_it"] = f"hsirepro scenes fetch {entry.name}   (or put the file in HSIREPRO_DATA)"
        hints["url"] = missing[0].url
    elif missing:
        hints["get_it"] = "put the file in a folder named in HSIREPRO_DATA"
    else:
        hints["get_it"] = "get its files from the page, and open one by its path"
    if entry.page:
        hints["page"] = entry.page
    hints["meanwhile"] = _meanwhile(entry)
    return SceneNotFound(f"{entry.name!r} is not on this machine.", **hints)


def _meanwhile(entry: SceneEntry) -> str:
    """Return what works right now: stand-ins first, then other cubes that are here."""
    here = [e for e in CATALOGUE.values() if e.kind == "cube" and is_here(e)]
    here.sort(key=lambda e: (entry.name not in e.standin_for.split(", "), e.sensor != entry.sensor))
    if not here:
        return "scene='planted' always works"
    names = ", ".join(repr(e.name) for e in here[:3])
    verb = "is" if len(here) == 1 else "are"
    return f"scene={names} {verb} here; scene='planted' always works"


def is_here(entry: SceneEntry) -> bool:
    """Tell whether all needed files of ``entry`` exist with the right size (hashes: ``verify``)."""
    if entry.kind == "planted":
        return True
    places = [(file, find(file)) for file in entry.needed]
    return bool(places) and all(
        place is not None and file.bytes in (None, place.stat().st_size) for file, place in places
    )


def fetch(name: str) -> list[Path]:
    """Download all files of a scene that have an address, and return the places of all.

    Files that are here are checked; a wrong one in the cache is downloaded again, a wrong one in
    the user's own folders is reported and left alone.

    Raises
    ------
    SceneNotFound, HashMismatch
        As :func:`locate`.
    """
    entry = CATALOGUE[name]
    if entry.kind == "planted":
        return []
    wanted = tuple(f for f in entry.files if f in entry.needed or (f.url and f.sha256))
    for file in wanted:
        place = find(file)
        if place is None:
            continue
        try:
            check_hash(file, place)
        except HashMismatch:
            if not place.is_relative_to(cache_folder()) or _why_not(file, True):
                raise
            place.unlink()
    return locate(name, files=wanted)


@dataclass(frozen=True)
class FileStatus:
    """State of one file: ``"ok"``, ``"missing"``, ``"wrong"``, or ``"no hash known"``."""

    scene: str
    file: SceneFile
    status: str
    place: Path | None = None
    found: str = ""


def verify(names: list[str] | None = None) -> list[FileStatus]:
    """Hash every file of the named scenes (all by default) that is on this machine."""
    result = []
    for name in names if names is not None else list(CATALOGUE):
        for file in CATALOGUE[name].files:
            place = find(file)
            if place is None:
                result.append(FileStatus(name, file, "missing"))
                continue
            found = sha256_of(place)
            status = "ok" if found == file.sha256 else "wrong" if file.sha256 else "no hash known"
            result.append(FileStatus(name, file, status, place, found))
    return result


@dataclass(frozen=True)
class SceneRow:
    """One line of the list of scenes."""

    name: str
    title: str
    sensor: str
    size: str
    bands: int | None
    licence: str
    here: bool


def scene_table() -> list[SceneRow]:
    """Return one row per scene of the catalogue, in its order."""
    return [
        SceneRow(
            name=entry.name,
            title=entry.title,
            sensor=entry.sensor,
            size=" x ".join(map(str, entry.shape[:2])) if entry.shape else entry.kind,
            bands=entry.bands,
            licence=entry.licence,
            here=is_here(entry),
        )
        for entry in CATALOGUE.values()
    ]
