"""One prefix of one bucket of an S3 storage. Whatever the storage does comes out as StoreError."""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from lightwell.errors import LightwellError, StoreError
from lightwell.settings import Settings

_AT_ONCE = 8
_TRIES = 3
_BLOCK = 1 << 20


class AbsentError(StoreError):
    """There is no such object."""


class DamagedError(StoreError):
    """An object's bytes are not those of its name."""


class Bucket:
    """One prefix of one bucket."""

    def __init__(self, remote: str, client: Any) -> None:
        self.remote, self.client = remote, client
        self.bucket, _, prefix = remote.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""

    @contextmanager
    def _asked(self, name: str) -> Iterator[dict[str, str]]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield {"Bucket": self.bucket, "Key": self.prefix + name}
        except ClientError as error:
            said = f"{self.remote}/{name}: {error.response.get('Error', {}).get('Code', 'refused')}"
            if _status(error) == 404 and error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                raise AbsentError(f"{said}: there is no such object") from error
            raise StoreError(f"{said}: see that the bucket is there and may be read and written") from error
        except BotoCoreError as error:
            reason = " ".join(str(error).split())
            raise StoreError(f"{self.remote} does not answer ({reason}): run it again when it does") from error

    def names(self, below: str) -> dict[str, datetime]:
        """The objects below a prefix, and when each was put there."""
        return {name: one["LastModified"] for name, one in self._listed(below)}

    def etags(self, below: str) -> dict[str, str]:
        """The objects below a prefix, and the ETag of each."""
        return {name: str(one["ETag"]) for name, one in self._listed(below)}

    def _listed(self, below: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with self._asked(below) as place:
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=place["Key"])
            for page in pages:
                yield from ((one["Key"].removeprefix(self.prefix), one) for one in page.get("Contents", ()))

    def get(self, name: str, sha256: str | None = None) -> tuple[bytes, str]:
        """An object's bytes and its ETag. Where `sha256` is given and is not that of the bytes, they are refused."""
        for _ in range(_TRIES):
            with self._asked(name) as place:
                answer = self.client.get_object(**place)
                data: bytes = answer["Body"].read()
            if sha256 in (None, hashlib.sha256(data).hexdigest()):
                return data, str(answer["ETag"])
        raise self._damaged(name, sha256)

    def download(self, name: str, sha256: str, to: Path) -> None:
        """Write an object to a path, where it stands only once it is complete, on the disk, and has its sha256."""
        to.parent.mkdir(parents=True, exist_ok=True)
        partial_file = to.with_name(f".taking-{secrets.token_hex(8)}")
        try:
            for _ in range(_TRIES):
                if self._copy(name, partial_file) == sha256:
                    partial_file.replace(to)
                    return
        finally:
            partial_file.unlink(missing_ok=True)
        raise self._damaged(name, sha256)

    def _copy(self, name: str, to: Path) -> str:
        digest = hashlib.sha256()
        with self._asked(name) as place, to.open("wb") as file:
            for block in self.client.get_object(**place)["Body"].iter_chunks(_BLOCK):
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()

    def _damaged(self, name: str, sha256: str | None) -> DamagedError:
        return DamagedError(
            f"{self.remote}/{name} does not have the sha256 {sha256}: it was damaged or replaced. Remove it, and "
            "the next run on a machine that holds the right bytes hands them over again"
        )

    def put(self, name: str, data: bytes) -> None:
        """Put an object of these bytes."""
        with self._asked(name) as place:
            self.client.put_object(**place, Body=data)

    def upload(self, name: str, path: Path) -> None:
        """Put an object of a file's bytes."""
        with self._asked(name) as place, path.open("rb") as file:
            self.client.put_object(**place, Body=file)

    def replace(self, name: str, data: bytes, etag: str | None) -> str | None:
        """Put an object if the one there still has this ETag, or if none is there (None); its new ETag.

        None where another came first. Bytes that are there already, as after an answer that was lost, are one's own.
        """
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self._asked(name) as place:
            for tries in range(_TRIES, 0, -1):
                try:
                    return str(self.client.put_object(**place, Body=data, **condition)["ETag"])
                except ClientError as error:
                    status = _status(error)
                    if status == 412 or (status == 409 and tries == 1):
                        there, found = self.get(name)
                        return found if there == data else None
                    if status != 409:  # two conditional puts at one time: ask again
                        raise
        raise AssertionError(name)  # the last try returns or raises

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, one after the other in this order."""
        for name in names:
            with self._asked(name) as place:
                self.client.delete_object(**place)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def bucket_of(settings: Settings) -> Bucket:
    """The store that a data home is the copy of. Raises LightwellError where its library is not installed."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _opened(str(settings.remote), endpoint, os.getpid())


@lru_cache(maxsize=4)
def _opened(remote: str, endpoint: str | None, _process: int) -> Bucket:
    """A client of this process: connections do not outlive a fork."""
    try:
        import botocore.session
        from botocore.config import Config
    except ImportError as error:
        raise LightwellError("a data home on s3:// needs the extra: pip install 'lightwell[many-machines]'") from error
    style = {"addressing_style": "path"} if endpoint else {}  # hosts of one's own seldom have a name for each bucket
    config = Config(s3=style, connect_timeout=10, read_timeout=60, max_pool_connections=4 * _AT_ONCE)
    return Bucket(remote, botocore.session.get_session().create_client("s3", config=config))


def each(do: Callable[..., object], many: Iterable[tuple[Any, ...]]) -> None:
    """Call for each tuple of arguments, several at once; the first error is raised when those under way are done."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for waiting in [pool.submit(do, *arguments) for arguments in many]:
                waiting.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
