"""The Trino that is unpacked from Maven artifacts, tried on tiny ones from a repository of the test's own."""

import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from dev.stack.ports import HOST
from dev.stack.trino_runtime import Artifact, BrokenDownload, Source, trino_runtime


@dataclass
class Repository:
    """A Maven repository in a folder: `broken` is how many more answers are cut in half, `asked` counts the artifacts sent."""

    folder: Path
    source: Source
    broken: int = 0
    asked: int = 0


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, repository: Repository) -> None:
        self.repository = repository
        super().__init__(*arguments, directory=str(repository.folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix == ".sha1" or not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.repository.asked += 1
        if self.repository.broken:
            self.repository.broken -= 1
            content = content[: len(content) // 2]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the test's output is not the place."""


def tarball(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    folder = tmp_path / "repository"
    artifacts = [
        published(folder, "server", "tar.gz", tarball({"server-1/lib/trino.jar": "trino", "server-1/plugin/other/other.jar": "other"})),
        published(folder, "iceberg", "zip", zipped({"iceberg-1/iceberg.jar": "iceberg", "iceberg-1/long....name.jar": "long"})),
        published(folder, "sqlite", "jar", b"sqlite"),
    ]
    found = Repository(folder, Source(*artifacts))
    with ThreadingHTTPServer((HOST, 0), partial(Handler, repository=found)) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        found.source = replace(found.source, repositories={"test": f"http://{HOST}:{server.server_port}"})
        yield found
        server.shutdown()


def published(folder: Path, name: str, packaging: str, content: bytes) -> Artifact:
    path = folder / "example" / name / "1" / f"{name}-1.{packaging}"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return Artifact("example", name, "1", packaging, hashlib.sha256(content).hexdigest())


def jars(runtime: Path) -> set[str]:
    return {path.relative_to(runtime).as_posix() for path in runtime.rglob("*.jar")}


WHOLE = {"lib/trino.jar", "plugin/iceberg/iceberg.jar", "plugin/iceberg/long....name.jar", "plugin/iceberg/sqlite-1.jar"}


def test_the_runtime_has_the_iceberg_plugin_alone(tmp_path: Path, repository: Repository) -> None:
    assert jars(trino_runtime(tmp_path / "cache", repository.source)) == WHOLE


def test_a_second_call_fetches_nothing(tmp_path: Path, repository: Repository) -> None:
    trino_runtime(tmp_path / "cache", repository.source)
    trino_runtime(tmp_path / "cache", repository.source)
    assert repository.asked == 3


def test_half_a_download_is_fetched_again(tmp_path: Path, repository: Repository) -> None:
    repository.broken = 1
    assert jars(trino_runtime(tmp_path / "cache", repository.source)) == WHOLE


def test_an_artifact_that_differs_from_its_pin_is_refused(tmp_path: Path, repository: Repository) -> None:
    pinned = replace(repository.source, server=repository.source.server._replace(sha256="0" * 64))
    with pytest.raises(BrokenDownload, match=r"example:server:1:tar\.gz"):
        trino_runtime(tmp_path / "cache", pinned)


def test_a_refused_artifact_leaves_nothing_behind(tmp_path: Path, repository: Repository) -> None:
    pinned = replace(repository.source, server=repository.source.server._replace(sha256="0" * 64))
    with pytest.raises(BrokenDownload):
        trino_runtime(tmp_path / "cache", pinned)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_artifact_that_is_nowhere_is_an_error_that_names_it(tmp_path: Path, repository: Repository) -> None:
    absent = replace(repository.source, sqlite=repository.source.sqlite._replace(version="2"))
    with pytest.raises(BrokenDownload, match="example:sqlite:2:jar"):
        trino_runtime(tmp_path / "cache", absent)


def test_a_lost_file_is_fetched_again(tmp_path: Path, repository: Repository) -> None:
    runtime = trino_runtime(tmp_path / "cache", repository.source)
    (runtime / "plugin" / "iceberg" / "iceberg.jar").unlink()
    assert jars(trino_runtime(tmp_path / "cache", repository.source)) == WHOLE


def test_a_truncated_file_is_fetched_again(tmp_path: Path, repository: Repository) -> None:
    runtime = trino_runtime(tmp_path / "cache", repository.source)
    (runtime / "lib" / "trino.jar").write_text("t")
    assert (trino_runtime(tmp_path / "cache", repository.source) / "lib" / "trino.jar").read_text() == "trino"


def test_two_starters_at_once_unpack_once(tmp_path: Path, repository: Repository) -> None:
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: trino_runtime(tmp_path / "cache", repository.source), range(2)))
    assert (both[0], repository.asked) == (both[1], 3)


def test_what_a_killed_starter_left_is_cleared(tmp_path: Path, repository: Repository) -> None:
    runtime = trino_runtime(tmp_path / "cache", repository.source)
    shutil.rmtree(runtime / "plugin")
    (runtime / "files.json").write_text("")
    (tmp_path / "cache" / "unpacking-x").mkdir()
    trino_runtime(tmp_path / "cache", repository.source)
    assert list((tmp_path / "cache").iterdir()) == [runtime]
