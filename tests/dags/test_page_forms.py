"""The forms of the Embeddings page show Params that their DAGs have."""

import ast
from pathlib import Path

import pytest

from embedding_lakehouse.page.forms import FORMS, Form

DAGS = Path(__file__).parents[2] / "dags"


def params(dag_id: str) -> set[str]:
    """The names in the DAG file's PARAMS."""
    for node in ast.parse((DAGS / f"{dag_id}.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARAMS" and isinstance(node.value, ast.Dict):
            return {str(ast.literal_eval(key)) for key in node.value.keys if key}
    return set()


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.dag_id)
def test_a_form_asks_for_nothing_that_its_dag_does_not_take(form: Form) -> None:
    assert {field.name for field in form.fields} <= params(form.dag_id)
