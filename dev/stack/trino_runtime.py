"""The Trino 476 server with the Iceberg plugin alone, unpacked once per user from pinned and verified Maven artifacts."""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from dev.stack.errors import StackError
from dev.files import locked


class Artifact(NamedTuple):
    group: str
    name: str
    version: str
    packaging: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}:{self.packaging}"


# 476 is the last Trino that Maven Central holds as server archives.
SERVER = Artifact("io.trino", "trino-server-core", "476", "tar.gz", "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158")
ICEBERG = Artifact("io.trino", "trino-iceberg", "476", "zip", "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c")
SQLITE = Artifact("org.xerial", "sqlite-jdbc", "3.53.0.0", "jar", "303e8150100982f2ed7d1b82d897278ef7744bd494c28ad4e7042b7914591697")

DOWNLOAD_TRIES = 3
LISTING = "files.json"


class BrokenDownload(StackError):
    """What came from the Maven repository is not the pinned artifact."""


def cache_folder() -> Path:
    """Return the folder outside the tree that keeps what every checkout of this user can share."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embedding-lakehouse"


def trino_runtime(cache: Path | None = None) -> Path:
    """Return the folder of a complete Trino (`lib/`, `plugin/iceberg/`), fetched and unpacked where it is missing or damaged.

    Raises BrokenDownload if an artifact still differs from its pinned SHA-256 after three downloads.
    """
    cache = cache or cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    pins = hashlib.sha256("".join(artifact.sha256 for artifact in (SERVER, ICEBERG, SQLITE)).encode()).hexdigest()
    runtime = cache / f"trino-{SERVER.version}-{pins[:12]}"
    if _is_whole(runtime):
        return runtime
    with locked(cache / "trino.lock"):
        # Another starter may have finished while this one waited.
        if not _is_whole(runtime):
            _install(runtime)
    return runtime


def _install(runtime: Path) -> None:
    with tempfile.TemporaryDirectory(dir=runtime.parent, prefix="unpacking-") as scratch:
        downloads, unpacked = Path(scratch, "downloads"), Path(scratch, "unpacked")
        with tarfile.open(_download(SERVER, downloads)) as archive:
            archive.extractall(unpacked)  # noqa: S202 - the checksum vouches for its paths
        server = unpacked / f"{SERVER.name}-{SERVER.version}"
        shutil.rmtree(server / "plugin")
        (server / "plugin").mkdir()
        # Not shutil.unpack_archive: it passes over every jar with ".." in its name, and this archive shortens long names so.
        with ZipFile(_download(ICEBERG, downloads)) as archive:
            archive.extractall(unpacked)  # noqa: S202
        (unpacked / f"{ICEBERG.name}-{ICEBERG.version}").rename(server / "plugin" / "iceberg")
        shutil.copy(_download(SQLITE, downloads), server / "plugin" / "iceberg")
        (server / LISTING).write_text(json.dumps(_sizes(server)))
        if runtime.exists():
            # A running Trino keeps the files it has open, so that a damaged folder may go under its feet.
            runtime.rename(Path(scratch, "damaged"))
        server.rename(runtime)


def _download(artifact: Artifact, folder: Path) -> Path:
    from jgo.maven import MavenContext

    found = ""
    for attempt in range(DOWNLOAD_TRIES):
        # A folder of its own for each try: jgo takes whatever already lies at the artifact's place, even half a file.
        context = MavenContext(repo_cache=folder / f"{artifact.name}-{attempt}", timeout=60)
        path = context.project(artifact.group, artifact.name).at_version(artifact.version).artifact(packaging=artifact.packaging).resolve()
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found == artifact.sha256:
            return path
        path.unlink()
    raise BrokenDownload(
        f"{artifact} came {DOWNLOAD_TRIES} times with SHA-256 {found} instead of {artifact.sha256}: "
        "look at the proxy or mirror between this machine and Maven Central."
    )


def _sizes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*.jar"))}


def _is_whole(runtime: Path) -> bool:
    listing = runtime / LISTING
    return listing.is_file() and json.loads(listing.read_text()) == _sizes(runtime)
