"""The Embeddings page of the Airflow UI: what the lake and the index hold, how they came to it, and what may be done about it."""
