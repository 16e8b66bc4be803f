"""Embeddings as data: Apache Iceberg is their system of record, Pinecone an index derived from it."""
