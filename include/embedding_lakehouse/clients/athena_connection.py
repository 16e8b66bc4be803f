"""The Airflow connection to Athena, as the Amazon provider's AthenaSQLHook reads it, completed by `aws_default`."""

import json
import os
from copy import copy
from functools import cached_property
from typing import Any

import pyathena.error
from airflow.exceptions import AirflowException, AirflowNotFoundException
from airflow.providers.amazon.aws.hooks.athena_sql import AthenaSQLHook
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from embedding_lakehouse.clients.athena import AthenaService
from embedding_lakehouse.clients.athena_errors import refusal
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, TransientError

OWN_CREDENTIALS = ("role_arn", "profile_name", "aws_access_key_id", "session_kwargs")


def athena_service(conn_id: str) -> AthenaService:
    """Athena behind an Airflow connection; nothing is asked of AWS yet."""
    return AthenaService(conn_id, lambda: _opened(conn_id))


class AthenaHook(AthenaSQLHook):
    """What the connection itself says comes first, and what it leaves open from the one that its extra `aws_conn_id` names (`aws_default`).

    The provider merges the other way round: extras of `aws_default` would win, and its keys would be lost.
    """

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        """The connection with what it takes from the other one."""
        own = copy(self.get_connection(self.athena_conn_id))
        extra = own.extra_dejson
        if not own.login and not any(extra.get(name) for name in OWN_CREDENTIALS):
            try:
                other = self.get_connection(extra.get("aws_conn_id") or AwsBaseHook.default_conn_name)
            except AirflowNotFoundException:
                other = None
            if other:
                own.login, own.password = other.login, other.password
                # An endpoint there is that of another service, as a rule of S3.
                extra = {name: value for name, value in other.extra_dejson.items() if name != "endpoint_url"} | extra
        own.extra, own.conn_type = json.dumps(_with_endpoint(extra)), "aws"
        merged = AwsConnectionWrapper(conn=own, region_name=extra.get("region_name") or _region_of_the_worker())
        # The provider hands every extra on to PyAthena, but not the client's settings. What is throttled this package asks for again.
        merged.extra_config["config"] = merged.botocore_config or Config(retries={"total_max_attempts": 1})
        return merged


def _with_endpoint(extra: dict[str, Any]) -> dict[str, Any]:
    endpoint = extra.get("service_config", {}).get("athena", {}).get("endpoint_url")
    return extra | {"endpoint_url": endpoint} if endpoint else extra


def _region_of_the_worker() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _opened(conn_id: str) -> Any:
    hook = AthenaHook(athena_conn_id=conn_id)
    if not hook.conn_config.region_name:
        raise _lacking(conn_id, "no region: add region_name to its extra")
    try:
        return hook.get_conn()
    except pyathena.error.ProgrammingError as error:
        lack = "neither a work_group nor an s3_staging_dir, where Athena puts what it answers: add one of them to its extra"
        raise _lacking(conn_id, lack) from error
    except (ClientError, BotoCoreError) as error:
        refused = refusal(error, conn_id)
        raise refused if isinstance(refused, TransientError) else refused.kind(str(refused)) from error
    except (AirflowException, TypeError, ValueError) as error:
        raise _lacking(conn_id, f"something that Athena's client does not take: {error}") from error


def _lacking(conn_id: str, lack: str) -> LakehouseError:
    return ConfigurationError(f"the connection {conn_id} (type athena) has {lack}")
