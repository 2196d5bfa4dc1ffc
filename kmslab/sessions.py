"""boto3 sessions: with the operator's credentials, or as a role whose credentials renew themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.model.target import Credentials


def as_operator(loader: Any, region: str, credentials: Credentials | None) -> Any:
    """Return a boto3 session of the operator.

    Args:
        loader: botocore's; one that all sessions share parses each service model once.
        region: where its clients are unless told otherwise.
        credentials: None: boto3's default chain, which renews what can be renewed.
    """
    core = _core(loader)
    if credentials:
        core.set_credentials(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        )
    return _session(core, region)


def as_role(loader: Any, region: str, assume: Callable[[], Mapping[str, Any]]) -> Any:
    """Return a boto3 session of a role; it assumes the role now, and again before each hour is over.

    Args:
        loader: see `as_operator`.
        region: see `as_operator`.
        assume: returns the ``Credentials`` of an AssumeRole response.

    Raises:
        ClientError, BotoCoreError: the role cannot be assumed now. When it cannot be assumed later,
            the call that needed it raises CredentialRetrievalError, which nobody takes for a refusal.
    """
    from botocore.credentials import RefreshableCredentials
    from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

    def renew() -> dict[str, str]:
        try:
            return _metadata(assume())
        except (ClientError, BotoCoreError) as error:
            raise CredentialRetrievalError(provider="AssumeRole", error_msg=str(error)) from error

    core = _core(loader)
    renewing = RefreshableCredentials.create_from_metadata(_metadata(assume()), renew, "assume-role")
    core.register_component("credential_provider", _Provider(renewing))
    return _session(core, region)


class _Provider:
    """Where a botocore session asks for credentials, instead of botocore's default chain."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


def _metadata(given: Mapping[str, Any]) -> dict[str, str]:
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "token": given["SessionToken"],
        "expiry_time": given["Expiration"].isoformat(),
    }


def _core(loader: Any) -> Any:
    import botocore.session

    core = botocore.session.get_session()
    core.register_component("data_loader", loader)
    return core


def _session(core: Any, region: str) -> Any:
    import boto3

    return boto3.Session(botocore_session=core, region_name=region)
