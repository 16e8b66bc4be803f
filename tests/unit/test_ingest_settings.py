"""What the Params of a run mean."""

import pytest

from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.errors import ConfigurationError


@pytest.mark.parametrize("source", ["", "  ", None])
def test_a_run_without_a_source_is_refused(source: str | None) -> None:
    with pytest.raises(ConfigurationError, match="EMBEDDING_LAKEHOUSE_SOURCE"):
        IngestSettings.from_params({"source": source})


def test_params_of_the_dag_that_are_not_settings_are_left_out() -> None:
    assert IngestSettings.from_params({"source": " /documents ", "other": 1}) == IngestSettings("/documents")


def test_what_decides_the_documents_of_a_file_changes_the_reader() -> None:
    readers = {
        IngestSettings("x", **changed).reader
        for changed in ({}, {"id_prefix": "a"}, {"id_column": "a"}, {"text_column": "a"}, {"title_column": "a"})
    }
    assert len(readers) == 5


def test_limits_and_places_do_not_change_the_reader() -> None:
    changed = IngestSettings(
        "y", conn_id="c", pattern="*.md", max_document_megabytes=1, parse_seconds=1, delete_limit=0, allow_deletes=True
    )
    assert changed.reader == IngestSettings("x").reader
    assert changed.limits != IngestSettings("x").limits
