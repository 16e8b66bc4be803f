#!/bin/sh
# Amazon MWAA sources this on every machine before Airflow starts. Connections and secrets belong into a secrets backend, not here.
export EMBEDDING_LAKEHOUSE_SQL=/usr/local/airflow/plugins/sql
# export EMBEDDING_LAKEHOUSE_SOURCE=s3://your-bucket/documents
# export EMBEDDING_LAKEHOUSE_NOTIFIERS='[...]'
