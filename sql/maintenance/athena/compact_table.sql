-- Rewrite a table's small files, and those with deleted rows, into larger ones; what is small, the table's own properties say.
-- Grain:   no rows.
-- Names:   table_name.
-- Used by: clients/maintenance.py

optimize {{ table_name }} rewrite data using bin_pack
