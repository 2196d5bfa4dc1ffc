"""boto3 sessions and how their clients behave: whose credentials, how patient, how often again."""

from __future__ import annotations

import random
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.model.target import Credentials, Target

ATTEMPTS = 6
"""How often a call is tried. Of calls that fail one time in ten, all six fail one time in a million."""
CONNECT_SECONDS = 5
READ_SECONDS = 15
"""How long one attempt may take: what the lab calls answers within a second or two."""

FIRST_DELAY_SECONDS = 0.1
"""Most that is waited before the second attempt. botocore waits ten times as long, which on a short run counts
(decision 0019)."""
GROWTH = 3
"""How many times longer the wait before each further attempt may be: who is throttled again waits like others."""
THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""How the services that the lab uses say that they are asked too often."""
TRANSIENT_STATUS = 500


def client_config(target: Target, *, for_s3: bool = False) -> Any:
    """Return botocore's ``Config`` for every client of a target (retries: decision 0019).

    Args:
        target: where the client's calls go.
        for_s3: for a client of S3, for which botocore still presigns with Signature Version 2. S3 refuses
            such URLs for objects under KMS keys (S3 User Guide, "Specifying server-side encryption with AWS
            KMS"); the other services sign with Version 4 by themselves.
    """
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=16,
        signature_version="s3v4" if for_s3 else None,
        user_agent="kmslab",  # botocore's own is put together anew for every request
        s3={"addressing_style": "path"} if target.endpoint_url else {},
    )


def delay(attempts: int, response: tuple[Any, Any] | None, **_: Any) -> float | None:
    """Say how many seconds to wait before a call is tried again: a handler of botocore's ``needs-retry``.

    Args:
        attempts: how often it has been tried.
        response: botocore's pair of the HTTP response and what was read from it; None: there was none.

    Returns: None leaves both the decision and the delay to botocore.
    """
    if response is None or attempts >= ATTEMPTS:
        return None
    http, parsed = response
    if http.status_code < TRANSIENT_STATUS and parsed.get("Error", {}).get("Code") not in THROTTLED:
        return None
    longest: float = FIRST_DELAY_SECONDS * GROWTH ** (attempts - 1)
    return random.random() * longest  # noqa: S311  # jitter, not a secret


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


def of_operator(credentials: Credentials | None) -> Any:
    """Return the operator's credentials as botocore's clients ask for them.

    Args:
        credentials: see `as_operator`.

    Raises:
        NoCredentialsError: boto3's default chain finds none.
        BotoCoreError: it finds half of them, or somebody who does not answer.
    """
    import botocore.session
    from botocore.credentials import Credentials as Given
    from botocore.exceptions import NoCredentialsError

    if credentials:
        return Given(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    found = botocore.session.get_session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def of_role(assume: Callable[[], Mapping[str, Any]]) -> Any:
    """Return a role's credentials as botocore's clients ask for them; assumed now, and again before each hour is over.

    Args:
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

    given = assume()
    return RefreshableCredentials(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        given["SessionToken"],
        given["Expiration"],
        renew,
        "assume-role",
        # Asked with each call. botocore's own asks dateutil for the machine's time zone: 2 % of what a call costs.
        time_fetcher=lambda: datetime.now(UTC),
    )


_BEARER: ContextVar[Any] = ContextVar("kmslab_bearer")
"""The credentials of whom the current call is made for."""
_SIGNING = ("_make_api_call", "generate_presigned_url", "generate_presigned_post")
"""The methods of botocore's clients in which something is signed; every operation goes through the first."""


def acting_as(client: Any, credentials: Any) -> Any:
    """Return a client as somebody's: all but the credentials is shared.

    A client of one's own costs several milliseconds: its handlers, its rules of endpoints, its TLS settings.

    Args:
        client: whose session was made with `WhoeverCalls`.
        credentials: what botocore asks for ``get_frozen_credentials`` at each call.
    """
    theirs = object.__new__(type(client))
    theirs.__dict__.update(client.__dict__)

    def signing(method: Callable[..., Any]) -> Callable[..., Any]:
        def signed(*arguments: Any, **named: Any) -> Any:
            token = _BEARER.set(credentials)
            try:
                return method(*arguments, **named)
            finally:
                _BEARER.reset(token)

        return signed

    for name in _SIGNING:
        if hasattr(type(client), name):
            setattr(theirs, name, signing(getattr(client, name)))
    return theirs


class WhoeverCalls:
    """The credentials of a client that many share: those of whom a call is made for (`acting_as`).

    botocore's clients ask for `get_frozen_credentials` whenever they sign, and, when they are made, for a function
    that knows the account.
    """

    method = "kmslab"
    account_id = None
    """botocore puts it into endpoints of services that have one for each account; the lab uses none."""

    def get_frozen_credentials(self) -> Any:
        """Return botocore's ``ReadOnlyCredentials``."""
        return _BEARER.get().get_frozen_credentials()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return what looks at a property when it is needed."""
        return lambda: getattr(self, name)


def of_whoever_calls(region: str) -> Any:
    """Return a boto3 session whose clients sign for whoever calls; see `acting_as`.

    Args:
        region: where its clients are unless told otherwise.
    """
    from botocore.loaders import create_loader

    core = _core(create_loader())
    core.register_component("credential_provider", _Provider(WhoeverCalls()))
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
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
    return core


def moment(told: Any) -> datetime:
    """Read a timestamp of an answer: ISO 8601 or seconds since 1970; what is neither, botocore reads.

    botocore asks dateutil, which tries every way to write a date: a twentieth of a call's processor time.

    Returns: with its time zone; UTC for seconds, where botocore takes the machine's.
    """
    if isinstance(told, str):
        try:
            found = datetime.fromisoformat(told)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None:
            return found
    else:
        try:
            return datetime.fromtimestamp(told, UTC)
        except (OverflowError, OSError, TypeError, ValueError):
            pass  # botocore counts where the platform cannot
    from botocore.utils import parse_timestamp

    read: datetime = parse_timestamp(told)
    return read


def _session(core: Any, region: str) -> Any:
    import boto3

    return boto3.Session(botocore_session=core, region_name=region)
