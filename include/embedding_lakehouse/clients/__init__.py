"""Everything outside: SQL engine, Iceberg, Pinecone, embedding models. One module per system; SDKs are imported only here."""
