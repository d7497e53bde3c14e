"""Laws of finding, fetching and checking files. The only server is on this machine."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from hsirepro.errors import HashMismatch, SceneNotFound
from hsirepro.scenes import catalogue, fetch, open_scene, scene_table, verify
from hsirepro.scenes.catalogue import SceneEntry, SceneFile
from hsirepro.scenes.locate import cache_folder, data_folders, locate

from .formats import PLANTED, SHAPE, SPOT, planted_cube

PATH = "far/away/tiny.npy"


@pytest.fixture
def content(tmp_path):
    """Return the bytes of a tiny cube."""
    np.save(tmp_path / "tiny.npy", planted_cube())
    return (tmp_path / "tiny.npy").read_bytes()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return two data folders and a cache that belong to this test alone."""
    places = [tmp_path / name for name in ("first", "second", "cache")]
    places[0].mkdir()
    places[1].mkdir()
    monkeypatch.setenv("HSIREPRO_DATA", f"{places[0]}:{places[1]}")
    monkeypatch.setenv("HSIREPRO_CACHE", str(places[2]))
    return places


@pytest.fixture
def tiny(content, monkeypatch):
    """Put one scene, 'tiny', into an otherwise empty catalogue; returns a way to change it."""

    def put(url="", sha256=None, **fields):
        sha = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
        file = SceneFile(PATH, bytes=len(content), sha256=sha, url=url)
        fields = {"title": "Tiny", "sensor": "none", "shape": SHAPE, "files": (file,)} | fields
        entry = SceneEntry(name="tiny", **fields)
        monkeypatch.setattr(catalogue, "_load", lambda: {"tiny": entry})

    put()
    return put


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder on 127.0.0.1, with downloads allowed; returns folder and address."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    monkeypatch.setenv("HSIREPRO_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield folder, f"http://127.0.0.1:{httpd.server_port}/tiny.npy"
    httpd.shutdown()
    httpd.server_close()


def place(folder, content, path=PATH):
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def test_data_folders_come_in_order(folders):
    """HSIREPRO_DATA may name several folders, and the first that has the file wins."""
    assert data_folders() == folders[:2]


def test_own_folders_come_before_the_cache(folders, tiny, content):
    """A file is taken from the first data folder, then the second, then the cache."""
    for folder in reversed(folders):
        place(folder, content)
        assert locate("tiny") == [folder / PATH]


def test_bare_file_name_in_a_data_folder_is_enough(folders, tiny, content):
    """A file that the user just dropped into the folder is found."""
    place(folders[1], content, "tiny.npy")
    assert open_scene("tiny").values[SPOT] == PLANTED


def test_offline_message_is_complete(folders, tiny):
    """Without the file the error names it, the places, the address, the command and a way on."""
    tiny(url="https://example.org/tiny.npy", page="https://example.org")
    with pytest.raises(SceneNotFound, match="'tiny' is not on this machine") as caught:
        open_scene("tiny")
    text = str(caught.value)
    for part in (
        f"HSIREPRO_DATA={folders[0]}",
        str(folders[2]),
        "tiny.npy (0.0 MB, sha256 ",
        "HSIREPRO_OFFLINE is set",
        "hsirepro scenes fetch tiny",
        "https://example.org/tiny.npy",
        "scene='planted' always works",
    ):
        assert part in text


def test_meanwhile_names_only_what_is_here(folders, monkeypatch, content):
    """The way on is a scene whose file is on this machine, stand-ins first."""
    sha = hashlib.sha256(content).hexdigest()

    def entry(name, **fields):
        file = SceneFile(f"{name}.npy", bytes=len(content), sha256=sha)
        return SceneEntry(name, "T", "S", shape=SHAPE, files=(file,), **fields)

    entries = [entry("big"), entry("other"), entry("crop", standin_for="big"), entry("gone")]
    monkeypatch.setattr(catalogue, "_load", lambda: {e.name: e for e in entries})
    place(folders[0], content, "other.npy")
    place(folders[0], content, "crop.npy")
    with pytest.raises(SceneNotFound) as caught:
        open_scene("big")
    assert "scene='crop', 'other' are here; scene='planted' always works" in str(caught.value)


def test_nothing_is_downloaded_without_a_known_hash(folders, tiny, server):
    """A file whose hash is not known could not be trusted, so it is not fetched."""
    tiny(url=server[1], sha256="")
    place(server[0], b"x", "tiny.npy")
    with pytest.raises(SceneNotFound, match="could not be trusted"):
        fetch("tiny")
    assert not folders[2].exists()


def test_download_arrives_whole_and_is_kept(folders, tiny, server, content):
    """A fetched file is hashed, kept under its own name, and not fetched again."""
    place(server[0], content, "tiny.npy")
    tiny(url=server[1])
    assert fetch("tiny") == [folders[2] / PATH]
    (server[0] / "tiny.npy").unlink()
    assert open_scene("tiny").values[SPOT] == PLANTED
    assert [p.name for p in (folders[2] / PATH).parent.iterdir()] == ["tiny.npy"]


def test_open_scene_may_be_told_not_to_download(folders, tiny, server, content):
    """With download=False only this machine is searched."""
    place(server[0], content, "tiny.npy")
    tiny(url=server[1])
    with pytest.raises(SceneNotFound, match="download=False"):
        open_scene("tiny", download=False)
    assert open_scene("tiny").shape == SHAPE


def test_wrong_download_names_both_hashes_and_keeps_nothing(folders, tiny, server, content):
    """A download with another hash is refused, and no byte of it stays."""
    other = content[:-1] + bytes([content[-1] ^ 1])
    place(server[0], other, "tiny.npy")
    tiny(url=server[1])
    with pytest.raises(HashMismatch, match="not the file that the catalogue describes") as caught:
        fetch("tiny")
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert hashlib.sha256(other).hexdigest() in str(caught.value)
    assert [p for p in folders[2].rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("url", ["missing.npy", None])
def test_failed_download_is_a_missing_scene(folders, tiny, server, url):
    """An address that does not answer leaves the same advice as no network, and no file."""
    address = server[1].replace("tiny.npy", url) if url else "http://127.0.0.1:9/tiny.npy"
    tiny(url=address)
    with pytest.raises(SceneNotFound, match="not on this machine") as caught:
        fetch("tiny")
    assert address in str(caught.value)
    assert [p for p in folders[2].rglob("*") if p.is_file()] == []


def test_cache_that_cannot_be_written(folders, tiny, server, content, monkeypatch):
    """A download folder that cannot be made is reported with the scene it was for."""
    place(server[0], content, "tiny.npy")
    tiny(url=server[1])
    blocked = place(folders[0], b"a file, not a folder", "blocked")
    monkeypatch.setenv("HSIREPRO_CACHE", str(blocked))
    with pytest.raises(SceneNotFound, match="'tiny' is not on this machine") as caught:
        fetch("tiny")
    assert "blocked" in str(caught.value)


def test_flipped_byte_is_noticed_and_the_users_file_stays(folders, tiny, content):
    """One flipped byte in the user's own copy names both hashes; the file is left alone."""
    other = content[:-1] + bytes([content[-1] ^ 1])
    mine = place(folders[0], other)
    tiny(url="https://example.org/tiny.npy")
    for action in (open_scene, fetch):
        with pytest.raises(HashMismatch) as caught:
            action("tiny")
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
        assert hashlib.sha256(other).hexdigest() in str(caught.value)
    assert mine.read_bytes() == other


def test_damaged_cache_is_fetched_again(folders, tiny, server, content):
    """A wrong file in the download cache is this package's own: fetch replaces it."""
    place(server[0], content, "tiny.npy")
    tiny(url=server[1])
    place(folders[2], b"torn")
    with pytest.raises(HashMismatch):
        open_scene("tiny")
    fetch("tiny")
    assert open_scene("tiny").shape == SHAPE


def test_verify_tells_ok_missing_and_wrong(folders, tiny, content):
    """Verifying hashes every file that is here, and says of each what it found."""
    assert [s.status for s in verify()] == ["missing"]
    mine = place(folders[0], content)
    assert [(s.scene, s.status, s.place) for s in verify(["tiny"])] == [("tiny", "ok", mine)]
    mine.write_bytes(content + b"!")
    (status,) = verify()
    assert status.status == "wrong"
    assert status.found == hashlib.sha256(content + b"!").hexdigest()
    tiny(sha256="")
    assert [s.status for s in verify()] == ["no hash known"]


def test_table_says_what_is_here(folders, tiny, content):
    """A scene is here when its files have the right size; a torn one is not."""
    (row,) = scene_table()
    assert (row.name, row.size, row.bands, row.here) == ("tiny", "5 x 9", 24, False)
    place(folders[0], content)
    assert scene_table()[0].here
    place(folders[0], content[:-1])
    assert not scene_table()[0].here


def test_unknown_names_are_refused(folders):
    """Fetching or verifying a scene that does not exist offers the nearest."""
    for action in (fetch, lambda name: verify([name]), locate):
        with pytest.raises(SceneNotFound, match="did you mean 'hymap-berlin'"):
            action("hymap-berlim")


def test_default_cache_is_the_systems(monkeypatch):
    """Without HSIREPRO_CACHE downloads go to the system's cache folder."""
    monkeypatch.delenv("HSIREPRO_CACHE")
    assert cache_folder().name == "hsirepro"
