-- Note which sync repairs what a comparison found.
-- Grain:   one row per reconciliation_id.
-- Binds:   1. sync_id, 2. reconciliation_id.
-- Used by: clients/reconciliations.py

update embeddings_db.index_reconciliations
set repair_sync_id = ?
where reconciliation_id = ?
