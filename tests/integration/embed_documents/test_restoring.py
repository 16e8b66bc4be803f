"""Tables that the catalog has lost are registered again by their metadata files (docs/deployment/upgrades-and-backups.md)."""

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.index_tables import INDEX_TABLES
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import TABLES
from embedding_lakehouse.steps.set_up import create_tables
from tests.batches import current_chunks, put_documents, run_batch

DOCUMENTS = {"a": "# Alpha\n\nThe text of alpha.", "b": "Beta."}


def test_a_lost_catalog_is_registered_again_and_nothing_is_embedded_anew(lake: Lake) -> None:
    put_documents(lake, DOCUMENTS)
    run_batch(lake)
    before = current_chunks(lake)
    pointers = {table.name: lake.table(table).metadata_location for table in (*TABLES, *INDEX_TABLES)}
    for name in pointers:
        lake.catalog.drop_table(name)
    for name, location in pointers.items():
        lake.catalog.register_table(name, location)
    assert create_tables(tables=(table for table in ALL_TABLES if table.name in pointers), lake=lake) == []
    assert current_chunks(lake) == before
    put_documents(lake, DOCUMENTS | {"b": "Beta, edited."})
    again = run_batch(lake)
    assert again.model.texts == ["Beta, edited."]
