-- Rewrite a table's files that are smaller than a size, and those with deleted rows, into larger ones; nothing where no file is either.
-- Grain:   no rows.
-- Names:   table_name, megabytes.
-- Used by: clients/maintenance.py

alter table {{ table_name }} execute optimize(file_size_threshold => '{{ megabytes }}MB')
