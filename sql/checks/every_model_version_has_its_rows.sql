-- The branch has exactly the rows of main, where it began, and those of the batch, for each model version.
-- Why:     publishing moves main to the branch: a row that the branch lacks would be lost, one too many would come with it.
-- Grain:   one row per model version whose counts differ.
-- Binds:   1. batch_id, 2. batch_id.
-- Names:   embeddings_base (embeddings_db.document_embeddings: where the branch left main), embeddings_snapshot (the same: the branch).
-- Used by: steps/embed_documents/auditing.py

with

stated as (

    select
        model_version,
        count(*) as branch_count,
        0 as main_count,
        0 as batch_count
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    group by model_version

    union all

    select
        model_version,
        0 as branch_count,
        count(*) as main_count,
        0 as batch_count
    from embeddings_db.document_embeddings for version as of {{ embeddings_base }}
    group by model_version

    union all

    select
        model_version,
        0 as branch_count,
        0 as main_count,
        count(*) as batch_count
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?
    group by model_version

    union all

    -- A batch that is part of main already, where only the publishing of its ledger is left.
    select
        model_version,
        0 as branch_count,
        0 as main_count,
        -count(*) as batch_count
    from embeddings_db.document_embeddings for version as of {{ embeddings_base }}
    where batch_id = ?
    group by model_version

)

select
    model_version,
    sum(branch_count) as branch_count,
    sum(main_count) as main_count,
    sum(batch_count) as batch_count
from stated
group by model_version
having sum(branch_count) <> sum(main_count) + sum(batch_count)
