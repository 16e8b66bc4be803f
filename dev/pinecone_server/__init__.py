"""A Pinecone-compatible server for development and tests: exact brute-force search, records in append-only logs on the local disk."""
