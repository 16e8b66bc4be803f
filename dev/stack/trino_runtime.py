"""The Trino 476 server with the Iceberg plugin alone, unpacked once per user from pinned and verified Maven artifacts."""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from dev.files import locked
from dev.stack.errors import StackError


class Artifact(NamedTuple):
    group: str
    name: str
    version: str
    packaging: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}:{self.packaging}"

    @property
    def folder(self) -> str:
        """The one folder at the top of the archive."""
        return f"{self.name}-{self.version}"


# 476 is the last Trino that Maven Central holds as server archives.
SERVER = Artifact("io.trino", "trino-server-core", "476", "tar.gz", "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158")
ICEBERG = Artifact("io.trino", "trino-iceberg", "476", "zip", "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c")
SQLITE = Artifact("org.xerial", "sqlite-jdbc", "3.53.0.0", "jar", "303e8150100982f2ed7d1b82d897278ef7744bd494c28ad4e7042b7914591697")

DOWNLOAD_TRIES = 3
LISTING = "files.json"
SCRATCH = "unpacking-"


@dataclass(frozen=True)
class Source:
    """What a Trino is put together from, and the Maven repositories (name -> address) that have it; None for Maven Central."""

    server: Artifact = SERVER
    iceberg: Artifact = ICEBERG
    sqlite: Artifact = SQLITE
    repositories: Mapping[str, str] | None = None

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("".join((self.server.sha256, self.iceberg.sha256, self.sqlite.sha256)).encode()).hexdigest()[:12]


class BrokenDownload(StackError):
    """What came from the Maven repository is not the pinned artifact."""


def cache_folder() -> Path:
    """Return the folder outside the tree that keeps what every checkout of this user can share."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embedding-lakehouse"


def trino_runtime(cache: Path | None = None, source: Source | None = None) -> Path:
    """Return the folder of a complete Trino (`lib/`, `plugin/iceberg/`), fetched and unpacked where it is missing or damaged.

    Raises BrokenDownload if an artifact still differs from its pinned SHA-256 after three downloads, or cannot be had at all.
    """
    cache, source = cache or cache_folder(), source or Source()
    runtime = cache / f"trino-{source.server.version}-{source.fingerprint}"
    if _is_whole(runtime):
        return runtime
    with locked(cache / "trino.lock"):
        # Another starter may have finished while this one waited.
        if not _is_whole(runtime):
            for leftover in cache.glob(f"{SCRATCH}*"):
                shutil.rmtree(leftover)
            _install(runtime, source)
    return runtime


def _install(runtime: Path, source: Source) -> None:
    with tempfile.TemporaryDirectory(dir=runtime.parent, prefix=SCRATCH) as scratch:
        downloads, unpacked = Path(scratch, "downloads"), Path(scratch, "unpacked")
        with tarfile.open(_download(source.server, downloads, source)) as archive:
            archive.extractall(unpacked)  # noqa: S202 - the checksum vouches for its paths
        server = unpacked / source.server.folder
        shutil.rmtree(server / "plugin")
        (server / "plugin").mkdir()
        # Not shutil.unpack_archive: it passes over every jar with ".." in its name, and this archive shortens long names so.
        with ZipFile(_download(source.iceberg, downloads, source)) as archive:
            archive.extractall(unpacked)  # noqa: S202
        (unpacked / source.iceberg.folder).rename(server / "plugin" / "iceberg")
        shutil.copy(_download(source.sqlite, downloads, source), server / "plugin" / "iceberg")
        (server / LISTING).write_text(json.dumps(_sizes(server)))
        if runtime.exists():
            # A running Trino keeps the files it has open, so that a damaged folder may go under its feet.
            runtime.rename(Path(scratch, "damaged"))
        server.rename(runtime)


def _download(artifact: Artifact, folder: Path, source: Source) -> Path:
    from jgo.maven import MavenContext

    found = ""
    for attempt in range(DOWNLOAD_TRIES):
        # A folder of its own for each try: jgo takes whatever already lies at the artifact's place, even half a file.
        repositories = dict(source.repositories) if source.repositories else None
        context = MavenContext(repo_cache=folder / f"{artifact.name}-{attempt}", local_repos=[], remote_repos=repositories, timeout=60)
        wanted = context.project(artifact.group, artifact.name).at_version(artifact.version).artifact(packaging=artifact.packaging)
        try:
            path = wanted.resolve()
        except (RuntimeError, OSError) as error:
            found = f"nothing ({error})"
            continue
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest == artifact.sha256:
            return path
        found = f"a file with SHA-256 {digest}"
        path.unlink()
    raise BrokenDownload(
        f"{artifact} with SHA-256 {artifact.sha256} is wanted, and {DOWNLOAD_TRIES} downloads brought {found}: "
        "look at the network, the proxy or the mirror between this machine and Maven Central."
    )


def _sizes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*.jar"))}


def _is_whole(runtime: Path) -> bool:
    try:
        return bool(json.loads((runtime / LISTING).read_text()) == _sizes(runtime))
    except (FileNotFoundError, ValueError):
        return False
