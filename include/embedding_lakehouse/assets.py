"""The assets by which the DAGs meet: each is a state of the lake, never a message.

They have names and no URI: with one, every parse of a DAG file loads every provider's URI handlers, boto3 among them.
"""

from airflow.sdk import Asset

SOURCE_DOCUMENTS = Asset("source_documents")
EMBEDDING_BACKLOG = Asset("embedding_backlog")
DOCUMENT_EMBEDDINGS = Asset("document_embeddings")
INDEX_RELEASES = Asset("index_releases")
