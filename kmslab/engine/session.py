"""Short-lived credentials of the engine's administrator role, for whoever may read the lab's folder."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from kmslab.engine import identity
from kmslab.engine.administrator import NEIGHBOUR_ROLE
from kmslab.engine.authorization.trust import ADMINISTRATOR_ROLE
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import Credentials

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.engine.control import EngineInfo


def administrator_credentials(home: Path, engine: EngineInfo, seconds: int) -> Credentials:
    """Assume the administrator role as the account's root user.

    Args:
        home: the lab's folder.
        engine: which is running.
        seconds: life of the credentials.

    Raises:
        LabError: the engine refuses, or cannot be reached.
    """
    kept = identity.load(home / "engine")
    root = Credentials(kept.access_key_id, kept.secret_access_key)
    return _assume(engine, root, f"arn:aws:iam::{engine.account_id}:role/{ADMINISTRATOR_ROLE}", seconds)


def neighbour_credentials(engine: EngineInfo, administrator: Credentials, seconds: int) -> Credentials:
    """Assume the role in the account beside the lab's, as the lab's administrator.

    Args:
        engine: which is running.
        administrator: from `administrator_credentials`.
        seconds: life of the credentials; at most an hour, since a role assumes a role (IAM User Guide,
            "Role chaining").

    Raises:
        LabError: the engine refuses, or cannot be reached.
    """
    account = identity.neighbour_of(engine.account_id)
    return _assume(engine, administrator, f"arn:aws:iam::{account}:role/{NEIGHBOUR_ROLE}", seconds)


def _assume(engine: EngineInfo, who: Credentials, role_arn: str, seconds: int) -> Credentials:
    import botocore.session  # boto3 would import the S3 transfer manager too
    from botocore.exceptions import BotoCoreError, ClientError

    client: Any = botocore.session.get_session().create_client(
        "sts",
        region_name=engine.region,
        endpoint_url=engine.endpoint_url,
        verify=str(engine.ca_bundle),
        aws_access_key_id=who.access_key_id,
        aws_secret_access_key=who.secret_access_key,
        aws_session_token=who.session_token,
    )
    try:
        answer = client.assume_role(
            RoleArn=role_arn,
            RoleSessionName=f"operator-{uuid.uuid4().hex[:8]}",
            DurationSeconds=seconds,
        )["Credentials"]
    except (ClientError, BotoCoreError) as error:
        raise LabError(
            f"the local engine gives no credentials: {error}",
            hint="kmslab engine stop, then kmslab engine start",
            exit_code=ExitCode.ENGINE,
        ) from error
    return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
