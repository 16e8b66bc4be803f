"""The steps of `ingest_documents`: list what changed, read it, compare it with the documents, merge the difference."""
