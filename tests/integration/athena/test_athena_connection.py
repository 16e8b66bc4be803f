"""What a connection of type `athena` must say, what it may leave to `aws_default`, and what is said where AWS refuses it."""

import json
from collections.abc import Callable

import pytest

from embedding_lakehouse.clients.athena_connection import AthenaHook
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.errors import ConfigurationError, LakehouseError
from tests.athena_stand_in import START, AthenaStandIn, refused

ENGINE = Callable[..., SqlEngine]


@pytest.mark.parametrize("conn_type", ["athena", "aws"])
def test_the_type_of_the_connection_chooses_the_engine(connected: ENGINE, conn_type: str) -> None:
    assert connected(conn_type).name == "athena"


@pytest.mark.parametrize("conn_type", ["trino", "generic"])
def test_any_other_connection_is_trino_s(connected: ENGINE, conn_type: str) -> None:
    assert connected(conn_type).name == "trino"


def test_a_workgroup_alone_is_enough(connected: ENGINE, athena: AthenaStandIn) -> None:
    connected(s3_staging_dir=None).rows("one")
    assert "ResultConfiguration" not in athena.asked(START)[0]


def test_an_output_location_alone_is_enough(connected: ENGINE, athena: AthenaStandIn) -> None:
    connected(work_group=None).rows("one")
    assert "WorkGroup" not in athena.asked(START)[0]


def test_without_either_the_error_names_both(connected: ENGINE) -> None:
    with pytest.raises(ConfigurationError, match=r"trino_default \(type athena\) has neither a work_group nor an s3_staging_dir"):
        connected(s3_staging_dir=None, work_group=None).rows("one")


def test_a_missing_region_is_named(connected: ENGINE) -> None:
    with pytest.raises(ConfigurationError, match=r"trino_default \(type athena\) has no region: add region_name"):
        connected(region_name=None).rows("one")


def test_the_worker_s_region_is_the_default(connected: ENGINE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert connected(region_name=None).rows("one") == []


def test_keys_and_region_may_be_those_of_aws_default_but_not_its_endpoint(
    connected: ENGINE, athena: AthenaStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"endpoint_url": "http://127.0.0.1:9/s3", "region_name": "eu-central-1", "role_arn": None}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "login": "other", "password": "x", "extra": extra}))
    assert connected(login=None).rows("one") == []
    found = AthenaHook(athena_conn_id="trino_default").conn_config
    assert (found.aws_access_key_id, found.region_name, found.endpoint_url) == ("other", "us-east-1", athena.address)


def test_keys_of_its_own_are_never_mixed_with_those_of_aws_default(connected: ENGINE, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"role_arn": "arn:aws:iam::1:role/other", "aws_session_token": "other"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "login": "other", "password": "x", "extra": extra}))
    connected()
    found = AthenaHook(athena_conn_id="trino_default").conn_config
    assert (found.aws_access_key_id, found.aws_session_token, found.role_arn) == ("testing", None, None)


def test_no_credentials_at_all_name_the_connection(connected: ENGINE, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws"}))
    with pytest.raises(ConfigurationError, match=r"sql/one\.sql: the connection trino_default cannot be used.*credentials"):
        connected(login=None).rows("one")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            refused("AccessDeniedException", "not authorized to perform: athena:StartQueryExecution"),
            "refuses the credentials or their rights",
        ),
        (
            refused("ExpiredTokenException", "The security token included in the request is expired"),
            "refuses the credentials or their rights",
        ),
        (refused("UnrecognizedClientException", "The security token is invalid"), "refuses the credentials or their rights"),
        (
            refused("InvalidRequestException", "No output location provided. An output location is required"),
            "give the connection s3_staging_dir",
        ),
        (refused("InvalidRequestException", "WorkGroup lake is not found."), "give the connection a work_group that exists"),
    ],
)
def test_what_the_account_refuses_names_the_connection(connected: ENGINE, athena: AthenaStandIn, answer: tuple, said: str) -> None:
    athena.plan(START, answer)
    with pytest.raises(ConfigurationError, match=rf"sql/one\.sql: the connection trino_default cannot be used for Athena: .*{said}"):
        connected().rows("one")
    assert len(athena.asked(START)) == 1


def test_moto_s_own_words_for_an_unknown_workgroup_are_understood(connected: ENGINE) -> None:
    with pytest.raises(ConfigurationError, match=r"WorkGroup does not exist.*: give the connection a work_group that exists"):
        connected(work_group="none").rows("one")


def test_a_statement_that_does_not_parse_is_refused_at_once(connected: ENGINE, athena: AthenaStandIn) -> None:
    athena.plan(START, refused("InvalidRequestException", "line 1:8: mismatched input 'from'"))
    with pytest.raises(LakehouseError, match=r"sql/one\.sql: InvalidRequestException: line 1:8: mismatched input"):
        connected().rows("one")
    assert len(athena.asked(START)) == 1
