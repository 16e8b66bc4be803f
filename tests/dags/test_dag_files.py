"""How a DAG file is written: short, one DAG, each task one call, nothing that belongs elsewhere."""

import ast
from pathlib import Path

import pytest
from airflow.utils.file import might_contain_dag_via_default_heuristic

FILES = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))
SDKS = {"boto3", "numpy", "openai", "pandas", "pinecone", "pyarrow", "pyiceberg", "trino", "wordllama"}
LONGEST = 90

every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def functions(node: ast.AST, *decorators: str) -> list[ast.FunctionDef]:
    """The functions below a node under a decorator of one of these names, called or not."""
    found = (each for each in ast.walk(node) if isinstance(each, ast.FunctionDef))
    return [each for each in found if any(ast.unparse(used).partition("(")[0] in decorators for used in each.decorator_list)]


def tasks(file: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(file.read_text())
    return functions(tree, "lakehouse_task", "task")


@every_file
def test_a_file_is_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST


@every_file
def test_airflow_takes_a_file_for_one_with_dags(file: Path) -> None:
    assert might_contain_dag_via_default_heuristic(str(file))


@every_file
def test_a_file_holds_one_dag_of_its_own_name(file: Path) -> None:
    assert [dag.name for dag in functions(ast.parse(file.read_text()), "dag", "profile_dag")] == [file.stem]


@every_file
def test_a_dag_takes_what_all_dags_have_in_common(file: Path) -> None:
    ((declared,),) = (dag.decorator_list for dag in functions(ast.parse(file.read_text()), "dag", "profile_dag"))
    said = {keyword.arg: ast.unparse(keyword.value) for keyword in declared.keywords}
    assert (said[None], said["doc_md"], said["max_active_runs"]) == ("DAG_DEFAULTS", "__doc__", "1")
    assert {"schedule", "tags"} <= said.keys()


@every_file
def test_a_task_is_one_import_and_one_call(file: Path) -> None:
    bodies = {task.name: [type(step).__name__ for step in task.body] for task in tasks(file)}
    assert bodies
    assert all(body in (["ImportFrom", "Return"], ["ImportFrom", "Expr"]) for body in bodies.values()), bodies


@every_file
def test_a_task_calls_a_step_of_its_own_name(file: Path) -> None:
    renamed = {"continue_backlog": "require_backlog"}
    called = {task.name: ast.unparse(task.body[-1]) for task in tasks(file)}
    assert all(f".{renamed.get(name, name)}(" in call for name, call in called.items()), called


@every_file
def test_no_file_imports_an_sdk(file: Path) -> None:
    imports = [each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.Import | ast.ImportFrom)]
    names = {alias.name for each in imports for alias in each.names} | {
        each.module or "" for each in imports if isinstance(each, ast.ImportFrom)
    }
    assert not {name.partition(".")[0] for name in names} & SDKS
