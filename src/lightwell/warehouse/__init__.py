"""Build, publish, connect. DuckDB lives here and in `sql/`, and is imported only when it is used.

A release is a folder with a DuckDB file and a manifest. It is built beside the published one, checked, renamed into
place and then pointed at by one symlink: a reader opens the old release or the new one, never neither.
"""

from typing import TYPE_CHECKING

from lightwell.warehouse.building import audit, build
from lightwell.warehouse.connecting import connect, query, telling
from lightwell.warehouse.publishing import (
    MANIFEST,
    Build,
    Release,
    current,
    discard,
    held,
    publish,
    publish_held,
    put_back,
    read_release_manifest,
    releases,
    rollback,
    set_aside,
    take_up,
)
from lightwell.warehouse.rows import Prepared

if TYPE_CHECKING:
    from lightwell.warehouse.connecting import Connection as Connection

__all__ = [
    "MANIFEST",
    "Build",
    "Prepared",
    "Release",
    "audit",
    "build",
    "connect",
    "current",
    "discard",
    "held",
    "publish",
    "publish_held",
    "put_back",
    "query",
    "read_release_manifest",
    "releases",
    "rollback",
    "set_aside",
    "take_up",
    "telling",
]
