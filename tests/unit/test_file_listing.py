"""Which files are documents, and how many may vanish."""

import pytest

from embedding_lakehouse.core.listing import check_deletes, check_overlap, is_wanted, media_type
from embedding_lakehouse.errors import ApprovalRequired, ConfigurationError


@pytest.mark.parametrize(
    "path", ["a.txt", "a.MD", "x/a.markdown", "a.rst", "a.Html", "a.htm", "a.PDF", "a.docx", "a.csv", "a.jsonl", "a.ndjson"]
)
def test_a_supported_format_is_wanted_whatever_its_case(path: str) -> None:
    assert is_wanted(path, "*")


@pytest.mark.parametrize("path", ["a.png", "README", "txt", "a.txt.bak", ".md", ".git/a.md", "x/.hidden/a.md", "~$report.docx", "x/"])
def test_other_formats_hidden_files_and_lock_files_are_not(path: str) -> None:
    assert not is_wanted(path, "*")


@pytest.mark.parametrize(("pattern", "is_match"), [("*.md", True), ("handbook/*", True), ("a.md", False), ("*.txt", False)])
def test_a_pattern_goes_by_the_whole_path(pattern: str, is_match: bool) -> None:
    assert is_wanted("handbook/x/a.md", pattern) is is_match


def test_the_media_type_goes_by_the_ending() -> None:
    assert media_type("x.y/a.b.MD") == "text/markdown"
    assert media_type("x.md/a") is None


@pytest.mark.parametrize(("deleted", "documents"), [(0, 0), (0, 5), (4, 5), (5, 6), (10, 100)])
def test_few_deletes_need_no_consent(deleted: int, documents: int) -> None:
    assert check_deletes(deleted, documents, 0.1, allowed=False) is None


@pytest.mark.parametrize(("deleted", "documents"), [(1, 1), (5, 5), (11, 100), (1_000_000, 8_000_000)])
def test_more_deletes_than_the_limit_need_consent(deleted: int, documents: int) -> None:
    with pytest.raises(ApprovalRequired, match=f"{deleted:,} of the source's {documents:,} documents.*allow_deletes"):
        check_deletes(deleted, documents, 0.1, allowed=False)


def test_consent_allows_every_delete() -> None:
    assert check_deletes(5, 5, 0.0, allowed=True) is None


@pytest.mark.parametrize(("source", "known"), [("file:///a/b", "file:///a"), ("file:///a", "file:///a/b"), ("s3://x", "s3://x/y")])
def test_a_source_inside_another_one_is_refused(source: str, known: str) -> None:
    with pytest.raises(ConfigurationError, match="overlaps"):
        check_overlap(source, [known])


def test_neighbours_and_the_source_itself_do_not_overlap() -> None:
    assert check_overlap("file:///a/b", ["file:///a/b", "file:///a/bc", "s3://a/b"]) is None


@pytest.mark.parametrize("path", ["../secret.md", "a/../../secret.md", "./a.md", "a/./b.md", "a/.."])
def test_a_key_that_leads_elsewhere_is_no_document(path: str) -> None:
    assert not is_wanted(path, "*")
