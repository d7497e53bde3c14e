"""The record store: what was computed, with what, and whether it can be trusted.

One HDF5 file per finished cell of a table. :class:`Record` says what is in it, :class:`RecordStore`
writes, verifies and finds it, :func:`provenance` and :class:`Meter` say what made it.
"""

from hsirepro.records.provenance import Meter, code_hash, provenance
from hsirepro.records.record import PROFILES, Record, RecordKey
from hsirepro.records.store import RecordStore, default_root

__all__ = [
    "PROFILES",
    "Meter",
    "Record",
    "RecordKey",
    "RecordStore",
    "code_hash",
    "default_root",
    "provenance",
]
