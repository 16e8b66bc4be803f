"""Tables as they are declared: created where they are missing, given the columns that they lack, never dropped."""

from collections.abc import Iterable, Iterator

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import ListType, NestedField, TimestamptzType
from pyiceberg.types import PrimitiveType as Primitive

from embedding_lakehouse.core.tables import BOUNDED_METADATA, Column, Table
from embedding_lakehouse.errors import ConfigurationError

DAY = "day("


def ensure_table(catalog: Catalog, table: Table) -> bool:
    """Create the table, or add the columns that it lacks; whether anything changed. Never drops a column, row or table.

    A new table gets an empty snapshot, since a branch needs one to start from.
    """
    is_new = _create_namespace(catalog, table.schema_name)
    try:
        existing = catalog.load_table(table.name)
    except NoSuchTableError:
        return _create_table(catalog, table) or is_new
    changed = _add_missing_columns(existing, table)
    if existing.current_snapshot() is None:
        existing.append(existing.schema().as_arrow().empty_table())
        return True
    return changed


def _create_namespace(catalog: Catalog, name: str) -> bool:
    """Whether it was created. Looked for first, since who may create tables in a database need not be allowed to create databases."""
    if catalog.namespace_exists(name):
        return False
    try:
        catalog.create_namespace(name)
    except NamespaceAlreadyExistsError:
        return False
    return True


def _create_table(catalog: Catalog, table: Table) -> bool:
    schema = Schema(*_fields(table.columns))
    properties = {**table.properties, **BOUNDED_METADATA, "write.parquet.compression-codec": "zstd"}
    try:
        created = catalog.create_table(table.name, schema, partition_spec=_partition_spec(table, schema), properties=properties)
    except TableAlreadyExistsError:
        return False
    created.append(created.schema().as_arrow().empty_table())
    return True


def _add_missing_columns(existing: IcebergTable, table: Table) -> bool:
    present = {field.name: field for field in existing.schema().fields}
    missing = [column for column in table.columns if column.name not in present]
    for column in table.columns:
        if column.name in present and str(present[column.name].field_type) != str(_type(column.type, 0)):
            raise ConfigurationError(
                f"{table.name}.{column.name} is {present[column.name].field_type}, this version needs {column.type}: "
                "migrate the column by hand, nothing was changed"
            )
    if missing:
        with existing.update_schema() as update:
            for column in missing:
                update.add_column(column.name, _type(column.type, 0), doc=column.meaning)
    return bool(missing)


def _fields(columns: Iterable[Column]) -> Iterator[NestedField]:
    columns = list(columns)
    for position, column in enumerate(columns, start=1):
        yield NestedField(position, column.name, _type(column.type, len(columns) + position), required=False, doc=column.meaning)


def _type(name: str, element_id: int) -> Primitive | ListType:
    if name == "timestamptz":
        return TimestamptzType()
    if name.startswith("list<"):
        return ListType(element_id=element_id, element_type=Primitive.model_validate(name[5:-1]), element_required=False)
    return Primitive.model_validate(name)


def _partition_spec(table: Table, schema: Schema) -> PartitionSpec:
    fields = []
    for position, expression in enumerate(table.partitioned_by):
        is_day = expression.startswith(DAY)
        column = expression.removeprefix(DAY).removesuffix(")") if is_day else expression
        fields.append(
            PartitionField(
                source_id=schema.find_field(column).field_id,
                field_id=1000 + position,
                transform=DayTransform() if is_day else IdentityTransform(),
                name=f"{column}_day" if is_day else column,
            )
        )
    return PartitionSpec(*fields)
