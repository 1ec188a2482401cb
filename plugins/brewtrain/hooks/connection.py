"""What all hooks share: the Airflow connection, botocore's settings, and account and region.

Must not be imported while DAG files are parsed: it pulls in botocore.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from boto3.session import Session
from botocore.config import Config

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.names import CONNECTION_ID, Account
from brewtrain.hooks.aws_errors import aws_errors

# One slow answer of AWS must not fail a night's run; five attempts in standard mode
# take at most about a minute. What the connection's own config_kwargs say wins.
BOTOCORE_DEFAULTS = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5})


class AwsClientHook(AwsGenericHook[Any]):
    """A boto3 client of one service, made from the connection ``brewtrain_aws``.

    Subclasses set :attr:`service` and wrap each call in ``with self.errors("what the call is
    about"):``.

    :param aws_conn_id: Airflow connection of type ``aws``.
    :param beside: A hook of the same task and connection, whose session is used as well: the
        connection is read once, and botocore reads its endpoint rules once instead of once a
        service.
    """

    service: str = "sts"

    def __init__(self, aws_conn_id: str = CONNECTION_ID, *, beside: AwsClientHook | None = None) -> None:
        super().__init__(aws_conn_id=aws_conn_id, client_type=self.service)
        if beside is not None and beside.aws_conn_id != aws_conn_id:
            raise ValueError(f"hook of connection {aws_conn_id!r} beside one of {beside.aws_conn_id!r}")
        self._beside = beside

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        """The connection, with botocore's settings filled in.

        :raises DeploymentError: If the connection does not exist. The provider would fall back to
            whatever credentials the worker happens to have, which may be those of another account.
        """
        if self._beside is not None:
            return self._beside.conn_config
        wrapper = super().conn_config
        # The provider leaves a placeholder where no connection was found.
        if not isinstance(wrapper.conn_id, str):
            raise DeploymentError(
                f"Airflow connection {self.aws_conn_id!r} does not exist; add it: "
                f"airflow connections add {self.aws_conn_id} --conn-type aws "
                '--conn-extra \'{"region_name": "REGION"}\''
            )
        wrapper.botocore_config = (
            BOTOCORE_DEFAULTS.merge(wrapper.botocore_config) if wrapper.botocore_config else BOTOCORE_DEFAULTS
        )
        return wrapper

    @cached_property
    def _session(self) -> Session:
        if self._beside is not None:
            return self._beside._session
        return super().get_session(region_name=self.region_name)

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> Session:
        """Return the session of the connection, made once.

        :param region_name: See the provider's method.
        :param deferrable: See the provider's method.
        """
        if deferrable or region_name != self.region_name:
            return super().get_session(region_name=region_name, deferrable=deferrable)
        return self._session

    def errors(self, subject: str) -> AbstractContextManager[None]:
        """Translate what botocore raises inside the block (:func:`.aws_errors.aws_errors`).

        :param subject: What the calls are about, for the error's text.
        """
        return aws_errors(self.service, subject)

    @cached_property
    def account(self) -> Account:
        """Account and region of the connection.

        :raises DeploymentError: If the connection has no region or no usable credentials.
        :raises TransientError: If AWS could not be asked.
        """
        subject = f"Airflow connection {self.aws_conn_id!r}"
        with aws_errors("sts", subject):
            region = self._session.region_name
            if not region:
                raise DeploymentError(f"{subject} names no region; set region_name in its extra")
            return Account(account_id=str(self.account_id), region=region)
