"""What docs/deployment gives to be used as it stands: the chart's values and the image of clusters."""

import re
from typing import Any

import pytest
import yaml

from dev.stack.component import ROOT
from tests.compose import resolved_compose

FOLDER = ROOT / "docs" / "deployment"
DOCKERFILES = [ROOT / "dev" / "compose" / "Dockerfile", FOLDER / "Dockerfile"]


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "helm-values.yaml").read_text())
    return found


def test_the_charts_values_hold_no_secret(values: dict[str, Any]) -> None:
    connections = {each["envName"] for each in values["secret"]}
    assert {f"AIRFLOW_CONN_{name}_DEFAULT" for name in ("ICEBERG", "TRINO", "PINECONE")} <= connections
    assert all(set(each) == {"envName", "secretName", "secretKey"} for each in values["secret"])
    assert {values["data"]["metadataSecretName"], values["fernetKeySecretName"], values["jwtSecretName"]}
    assert [each["name"] for each in values["env"] if re.search("CONN|KEY|SECRET|PASSWORD", each["name"])] == []


def test_the_charts_values_name_the_airflow_of_the_requirements(values: dict[str, Any]) -> None:
    assert f"apache-airflow=={values['airflowVersion']}\n" in (ROOT / "requirements.txt").read_text()


def test_the_charts_pods_run_without_root_and_keep_no_volume(values: dict[str, Any]) -> None:
    assert values["securityContexts"]["pod"]["runAsNonRoot"] is True
    assert values["securityContexts"]["containers"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert values["workers"]["celery"]["persistence"] == {"enabled": False}


def test_every_secret_of_the_values_is_made_in_the_guide(values: dict[str, Any]) -> None:
    named = {each["secretName"] for each in values["secret"]} | {values["data"]["metadataSecretName"]}
    named |= {values[key] for key in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")}
    assert set(re.findall(r"create secret generic (\S+)", (FOLDER / "helm.md").read_text())) == named


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_image_ends_as_the_user_of_airflow(file: Any) -> None:
    assert re.findall(r"^USER (\S+)", file.read_text(), re.MULTILINE)[-1] == "airflow"


def test_the_image_of_clusters_has_all_of_the_code_on_top_of_the_one_of_compose() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    assert f"FROM {resolved_compose()['services']['airflow-scheduler']['image']}\n" in text
    assert re.findall(r"^COPY --chown=airflow:root (\w+) /opt/airflow/\1$", text, re.MULTILINE) == ["dags", "plugins", "include", "sql"]
