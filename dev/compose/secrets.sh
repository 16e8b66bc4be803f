#!/usr/bin/env bash
# Prints fresh secrets for docker-compose.yaml in the form of .env: `bash dev/compose/secrets.sh >> .env`, once.
set -euo pipefail

# The Postgres and S3 volumes keep the secrets that they were made with: a second set would lock everybody out.
if grep -qs '^LAKEHOUSE_POSTGRES_PASSWORD=' .env; then
    echo ".env has its secrets already: nothing to do." >&2
    exit 1
fi

hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

echo "LAKEHOUSE_POSTGRES_PASSWORD=$(hex 16)"
echo "LAKEHOUSE_AIRFLOW_PASSWORD=$(hex 8)"
# Fernet wants 32 bytes in URL-safe base64.
echo "LAKEHOUSE_FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
echo "LAKEHOUSE_API_SECRET_KEY=$(hex 32)"
echo "LAKEHOUSE_JWT_SECRET=$(hex 32)"
echo "LAKEHOUSE_S3_ACCESS_KEY=$(hex 10)"
echo "LAKEHOUSE_S3_SECRET_KEY=$(hex 20)"
echo "LAKEHOUSE_PINECONE_API_KEY=$(hex 16)"
