-- The last batch of a profile that a state of the ledger includes.
-- Grain:   one row; null where the profile had none by then.
-- Binds:   1. profile.
-- Names:   versions (embeddings_db.document_versions).
-- Used by: clients/drift.py

select max(batch_number) as batch_number
from embeddings_db.document_versions for version as of {{ versions }}
where profile = ?
