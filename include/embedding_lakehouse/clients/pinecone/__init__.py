"""The Pinecone service behind the Airflow connection `pinecone_default`: its indexes, and the records in them.

What a request may wait for is decided here alone: the SDK's own retries, which its REST client always makes, are switched off.
"""

import logging

from embedding_lakehouse.clients.pinecone.imports import CANCELLED, COMPLETED, FAILED
from embedding_lakehouse.clients.pinecone.index import Record, VectorIndex, Written
from embedding_lakehouse.clients.pinecone.refusals import IndexBusy
from embedding_lakehouse.clients.pinecone.service import IndexService, MissingIndex, service_from_connection

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "FAILED",
    "IndexBusy",
    "IndexService",
    "MissingIndex",
    "Record",
    "VectorIndex",
    "Written",
    "service_from_connection",
]

# The SDK writes a line for every request.
logging.getLogger("pinecone").setLevel(logging.WARNING)
