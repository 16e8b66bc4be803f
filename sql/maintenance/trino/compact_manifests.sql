-- Rewrite a table's manifests, so that planning reads few of them.
-- Grain:   no rows.
-- Names:   table_name.
-- Used by: clients/maintenance.py

alter table {{ table_name }} execute optimize_manifests
