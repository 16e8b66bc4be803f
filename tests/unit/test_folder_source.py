"""What a local folder shows of itself, and what it keeps to itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from embedding_lakehouse.clients.sources import Tally, source_of
from embedding_lakehouse.clients.sources.folder import FolderSource, _opened
from embedding_lakehouse.core.documents import Rejected
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import ListedFile
from embedding_lakehouse.errors import ConfigurationError

NOBODY = 65_534


def listed(folder: Path | str, tally: Tally | None = None) -> dict[str, ListedFile]:
    return {file.path: file for file in FolderSource(str(folder)).files(tally or Tally())}


def problems(folder: Path) -> dict[str, str]:
    return {path: file.etag for path, file in listed(folder).items() if file.problem}


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything: where the tests run as root, the body runs as somebody else."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may reach."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_files_in_folders_are_named_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "a.md").write_text("abc")
    (file,) = listed(tmp_path).values()
    assert (file.path, file.size_bytes, file.problem) == ("x/y/a.md", 3, None)


@pytest.mark.parametrize("address", ["{}", "{}/", "file://{}", "{}/x/.."])
def test_an_address_of_the_folder_is_as_good_as_another(tmp_path: Path, address: str) -> None:
    source = source_of(IngestSettings(address.format(tmp_path)))
    assert source.uri == f"file://{tmp_path}"


def test_what_is_not_a_document_is_counted(tmp_path: Path) -> None:
    for name in ("a.md", "b.png", ".hidden.md", "~$c.docx"):
        (tmp_path / name).write_text("abc")
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    tally = Tally()
    assert list(listed(tmp_path, tally)) == ["a.md"]
    assert (tally.ignored, tally.is_complete) == (5, True)


def test_a_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        listed(tmp_path / "missing")


def test_a_relative_folder_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="relative"):
        listed("documents")


@pytest.mark.parametrize("address", ["gs://bucket/x", "https://example.com/x"])
def test_an_unknown_kind_of_source_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="neither a folder nor an s3:// prefix"):
        source_of(IngestSettings(address))


def test_a_folder_that_may_not_be_listed_is_a_configuration_error(open_folder: Path) -> None:
    open_folder.chmod(0o000)
    with unprivileged(), pytest.raises(ConfigurationError, match=r"may not be listed \(Permission denied\)"):
        listed(open_folder)
    open_folder.chmod(0o755)


def test_a_locked_folder_inside_is_shown_and_makes_the_listing_incomplete(open_folder: Path) -> None:
    (open_folder / "locked").mkdir(mode=0o000)
    (open_folder / "a.md").write_text("abc")
    tally = Tally()
    with unprivileged():
        files = listed(open_folder, tally)
    assert files["locked/"].etag == "unreadable"
    assert "a.md" in files
    assert not tally.is_complete


def test_a_file_that_may_not_be_read_is_rejected(open_folder: Path) -> None:
    (open_folder / "a.md").write_text("abc")
    (open_folder / "a.md").chmod(0o000)
    with unprivileged(), pytest.raises(Rejected, match="Permission denied") as caught:
        FolderSource(str(open_folder)).read("a.md", 10)
    assert caught.value.code == "unreadable"


def test_links_that_leave_the_folder_are_shown_and_not_followed(tmp_path: Path) -> None:
    source = tmp_path / "documents"
    source.mkdir()
    outside = tmp_path / "documents-secret"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (source / "file.md").symlink_to(outside / "secret.md")
    (source / "relative.md").symlink_to("../documents-secret/secret.md")
    (source / "folder").symlink_to(outside)
    assert problems(source) == {"file.md": "outside", "relative.md": "outside", "folder": "outside"}
    assert set(listed(source)) == {"file.md", "relative.md", "folder"}


def test_a_file_that_becomes_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    source = tmp_path / "documents"
    source.mkdir()
    (source / "a.md").symlink_to("/etc/hostname")
    with pytest.raises(Rejected) as caught:
        FolderSource(str(source)).read("a.md", 10)
    assert caught.value.code == "outside"


def test_links_inside_the_folder_make_no_circle(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("abc")
    (tmp_path / "b.md").symlink_to("a.md")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "round").symlink_to(tmp_path)
    assert set(listed(tmp_path)) == {"a.md", "b.md"}
    assert problems(tmp_path) == {}


def test_a_broken_link_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to("missing.md")
    assert problems(tmp_path) == {"a.md": "unreadable"}


def test_a_name_that_is_not_utf8_is_shown_escaped(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.md")).write_text("abc")
    assert problems(tmp_path) == {"a\\xff.md": "bad_id"}


def test_a_source_that_is_a_link_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.md").write_text("abc")
    (tmp_path / "link").symlink_to("real")
    source = FolderSource(str(tmp_path / "link"))
    assert [file.path for file in source.files(Tally())] == ["a.md"]
    assert source.read("a.md", 10) == b"abc"
    assert source.uri == f"file://{tmp_path}/link"


def test_at_most_the_wanted_bytes_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"abcdef")
    assert FolderSource(str(tmp_path)).read("a.md", 3) == b"abc"


def test_a_folder_that_becomes_a_link_after_it_was_looked_at_is_not_followed(tmp_path: Path) -> None:
    source, outside = tmp_path / "documents", tmp_path / "outside"
    for folder in (source, outside):
        folder.mkdir()
        (folder / "a.md").write_text(folder.name)
    (source / "inside").symlink_to(outside)
    for path in ("inside/a.md", "../outside/a.md"):
        with pytest.raises(Rejected) as caught:
            FolderSource(str(source)).read(path, 10)
        assert caught.value.code == "outside"
    # The look and the opening are two calls: in between somebody may put a link there.
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        _opened(str(source), "inside/a.md")


def test_a_file_that_becomes_a_pipe_is_rejected_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.md")
    with pytest.raises(Rejected, match="something else than a file"):
        FolderSource(str(tmp_path)).read("a.md", 10)


def test_a_file_is_read_through_folders_and_links_inside(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "a.md").write_text("abc")
    (tmp_path / "b.md").symlink_to("x/y/a.md")
    source = FolderSource(str(tmp_path))
    assert (source.read("x/y/a.md", 10), source.read("b.md", 10)) == (b"abc", b"abc")
