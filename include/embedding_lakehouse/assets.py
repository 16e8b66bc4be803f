"""The assets by which the DAGs meet: each is a state of the lake, never a message."""

from airflow.sdk import Asset

SOURCE_DOCUMENTS = Asset("source_documents", uri="iceberg://docs_db/source_documents")
EMBEDDING_BACKLOG = Asset("embedding_backlog", uri="iceberg://embeddings_db/embedding_backlog")
DOCUMENT_EMBEDDINGS = Asset("document_embeddings", uri="iceberg://embeddings_db/document_embeddings")
