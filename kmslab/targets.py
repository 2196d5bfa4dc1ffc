"""Chooses where a command acts, and turns what AWS says about credentials into one line."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.regions import misspelt
from kmslab.model.target import Target, TargetKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import BotoCoreError

    from kmslab.lab import Access
    from kmslab.model.capability import Capability
    from kmslab.model.settings import LabSettings
    from kmslab.project import Project

PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
"""Environment variables, in lower case, that put a proxy between us and the local engine."""

_ENDPOINT = "AWS_ENDPOINT_URL"
"""An environment variable for every service; with ``_KMS`` and the like, for one."""
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_EITHER = "RequestExpired"
"""How EC2 says that a request was signed over a quarter of an hour ago or ahead ("Common Errors") and, as many found
(github.com/aws/aws-sdk-go/pull/253), that the credentials have expired; read 2026-11-22."""
_INVALID = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
    }
)
_EXPIRED_SAID = re.compile(r"ExpiredToken|token included in the request is expired")
_SKEWED = frozenset({"RequestInTheFuture", "RequestTimeTooSkewed"})
"""How S3 says that the clock of the one who signed is wrong (github.com/aws/aws-sdk-js-v3/issues/2208); the others say
it in the message of a wrong signature (AWS Developer Tools Blog, "Clock-skew correction"); read 2026-11-22."""
_VAGUE = "AuthFailure"
"""How EC2 says both that it does not know the credentials and that the clock is wrong
(altereos.com/how-to-correct-clock-skew-in-aws; MiniStack answers so too); read 2026-11-22."""
_STILL_EXPIRED = "refreshed credentials are still expired"
"""What botocore says, in a RuntimeError, of credentials that were renewed with an end that is past by this clock."""
_SKEWED_SAID = re.compile(
    r"Signature expired|Signature not yet current|Request has expired|Request is not yet valid"
)


def choose_target(project: Project, kind: TargetKind, endpoint_url: str = "") -> Target:
    """Return the target that the options name.

    Args:
        project: whose local engine is meant.
        kind: AWS or the local engine; ``endpoint_url`` wins over it.
        endpoint_url: any other emulator, spoken to with the caller's credentials.

    Raises:
        LabError: the engine does not run, there is no Region, or the endpoint is not what the options say.
    """
    if endpoint_url:
        if not _is_endpoint(endpoint_url):
            raise LabError(
                f"{endpoint_url} is no endpoint.", hint="It looks like http://127.0.0.1:4566, without a path."
            )
        if (urlsplit(endpoint_url).hostname or "").endswith(_AWS_HOSTS):
            raise LabError(
                f"{endpoint_url} is AWS itself, not another endpoint.",
                hint="For a sandbox account: --target aws.",
                exit_code=ExitCode.BAD_INPUT,
            )
        return Target(TargetKind.ENDPOINT, _region(default="us-east-1"), endpoint_url=endpoint_url)
    if kind is TargetKind.LOCAL:
        from kmslab.classroom.shells import shell_of, target_of
        from kmslab.engine import control

        if shell := shell_of(project):
            return target_of(shell)
        if control.status(project.home) is None:
            raise LabError(
                "The local engine is not running.", hint="Run `kmslab up`.", exit_code=ExitCode.ENGINE
            )
        _leave_aws_behind()
        return control.target(project.home)
    _refuse_diversion()
    return Target(TargetKind.AWS, _region())


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port raises when it is no number, or one that no port has.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _refuse_diversion() -> None:
    """Refuse a configuration that leads calls for AWS elsewhere.

    botocore could be told to ignore it (AWS_IGNORE_CONFIGURED_ENDPOINT_URLS), the CDK CLI could not:
    one half of the lab would go to AWS, the other to the endpoint.

    Raises:
        LabError: the environment or the profile names an endpoint.
    """
    import botocore.session
    from botocore.exceptions import BotoCoreError

    for name in sorted(name for name in os.environ if name.startswith(_ENDPOINT)):
        if os.environ[name]:
            raise LabError(
                f"{name} points to {os.environ[name]}, so that not every call would reach AWS.",
                hint=f"Run `unset {name} AWS_CA_BUNDLE`, or open a new shell without `kmslab env`.",
                exit_code=ExitCode.TARGET,
            )
    session = botocore.session.get_session()
    try:
        profile = session.get_scoped_config()
        sections = session.full_config.get("services", {})
    except BotoCoreError as error:
        raise _no_credentials(str(error)) from error
    services = sections.get(profile.get("services"), {})
    own = [f"{name}.endpoint_url" for name, given in services.items() if "endpoint_url" in given]
    if "endpoint_url" in profile or own:
        raise LabError(
            f"The AWS profile sets {(['endpoint_url'] if 'endpoint_url' in profile else own)[0]}, "
            "so that not every call would reach AWS.",
            hint="Take it out of ~/.aws/config, or name another profile in AWS_PROFILE.",
            exit_code=ExitCode.TARGET,
        )


def _leave_aws_behind() -> None:
    """Keep the caller's AWS configuration and proxies out of a process that talks to the local lab only.

    botocore reads them for every client, even for one with an endpoint and credentials of its own:
    a profile that does not exist, or a proxy that cannot reach 127.0.0.1, would stop it.
    """
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower() in PROXIES]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def _region(default: str = "") -> str:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        # boto3 knows AWS_DEFAULT_REGION only; the CDK CLI and the other SDKs know AWS_REGION.
        region = os.environ.get("AWS_REGION") or boto3.Session().region_name or default
    except BotoCoreError as error:
        raise _no_credentials(str(error)) from error
    if not region:
        raise LabError(
            "No Region is configured.",
            hint="Set AWS_REGION, or name a profile in AWS_PROFILE.",
            exit_code=ExitCode.TARGET,
        )
    return region


def capabilities_of(kind: TargetKind) -> frozenset[Capability]:
    """Return what AWS or the local engine enforces; other emulators are probed (`kmslab.probe.capabilities`)."""
    if kind is TargetKind.LOCAL:
        from kmslab.engine.capabilities import CAPABILITIES

        return CAPABILITIES
    from kmslab.model.capability import ALL

    return ALL


def require_sandbox(
    access: Access, settings: LabSettings, command: str, *, reader: Access | None = None
) -> None:
    """Refuse to touch an account of AWS that is no sandbox: see `kmslab.account.sandbox`, the one rule.

    Says on stderr what the rule could not make sure of, and that the clock of this machine is wrong.

    Args:
        access: with the operator's credentials.
        settings: which name sandboxes.
        command: what the user typed, for the hint to repeat.
        reader: who reads the account's tag; None: the account itself.

    Raises:
        LabError: the account is none, or it could not be looked at.
    """
    if access.target.kind is not TargetKind.AWS:
        return
    from kmslab.account import caller, clock, sandbox
    from kmslab.terminal import err, say

    try:
        with aws_errors_in_one_line():
            standing = sandbox.look(access, settings, reader)
    except LabError as error:
        raise caller.region_off(access, error.__cause__) or error from error.__cause__
    if refused := sandbox.refusal(standing, command):
        raise refused
    doubts = [sandbox.doubt(standing)]
    if reader is None:  # a class would hear it once for each seat
        with aws_errors_in_one_line():
            doubts.append(clock.warning(clock.ahead(access)))
    for doubt in filter(None, doubts):
        say(err, doubt, "yellow")


def owner_access(project: Project, access: Access) -> Access | None:
    """Return access as the account's root user, whom every key policy of the lab lets back in.

    Returns: None unless the target is the local engine: elsewhere the root user is nobody's to play. Nor is that
        of a class's seat, whose folder holds no engine.
    """
    from kmslab.engine import identity
    from kmslab.lab import Access
    from kmslab.model.target import Credentials

    if access.target.kind is not TargetKind.LOCAL:
        return None
    try:
        root = identity.load(project.home / "engine")
    except FileNotFoundError:
        return None
    credentials = Credentials(root.access_key_id, root.secret_access_key)
    return Access(replace(access.target, credentials=credentials), access.prefix)


@contextmanager
def aws_errors_in_one_line() -> Iterator[None]:
    """Turn botocore's errors about credentials, network and permissions into a ``LabError``."""
    from botocore import exceptions as botocore

    try:
        yield
    except (
        botocore.NoCredentialsError,
        botocore.PartialCredentialsError,
        botocore.ProfileNotFound,
        botocore.CredentialRetrievalError,
        botocore.SSOError,
        botocore.TokenRetrievalError,
    ) as error:
        raise _no_credentials(str(error)) from error
    except (botocore.ConnectionError, botocore.HTTPClientError) as error:
        raise _no_answer(error) from error
    except botocore.BotoCoreError as error:
        raise LabError(
            f"The AWS configuration does not work: {' '.join(str(error).split())}",
            hint="Look at AWS_* in the environment and at ~/.aws/config.",
            exit_code=ExitCode.TARGET,
        ) from error
    except RuntimeError as error:
        if _STILL_EXPIRED not in str(error):
            raise
        raise LabError(
            "The credentials were renewed and have expired already, by the clock of this machine.",
            hint="Look at the clock, and at what gives the credentials; then repeat the command.",
            exit_code=ExitCode.TARGET,
        ) from error
    except botocore.ClientError as error:
        raise _from_client_error(code_of(error), str(error)) from error


def gave_out(code: str, said: str) -> LabError | None:
    """Say in one line that the credentials have expired or the clock is wrong; None: it is something else.

    Args:
        code: of an AWS error; may be empty where only its message is known.
        said: its message.
    """
    if code in _EXPIRED or _EXPIRED_SAID.search(said):
        return LabError(
            "The credentials have expired.",
            hint="Sign in again, then repeat the command.",
            exit_code=ExitCode.TARGET,
        )
    if code == _EITHER:
        return LabError(
            "EC2 says that the request has expired: the credentials have, or the clock of this machine is wrong.",
            hint="Sign in again and look at the clock, then repeat the command.",
            exit_code=ExitCode.TARGET,
        )
    if code in _SKEWED or _SKEWED_SAID.search(said):
        return LabError(
            "The clock of this machine is wrong: AWS takes no request that is signed minutes before or after its time.",
            hint="Set the clock, then repeat the command.",
            exit_code=ExitCode.TARGET,
        )
    return None


def _from_client_error(code: str, said: str) -> LabError:
    from kmslab.lab import DENIED

    if found := gave_out(code, said):
        return found
    if code == _VAGUE:
        return _no_credentials(f"EC2 does not accept them ({code}), or the clock of this machine is wrong")
    if code in _INVALID:
        return _no_credentials(f"they are not accepted ({code})")
    line = " ".join(said.split())
    if code in DENIED:
        return LabError(
            f"Not permitted: {line}",
            hint="Use credentials that may deploy and read the lab.",
            exit_code=ExitCode.TARGET,
        )
    return LabError(f"AWS answered with an error: {line}", exit_code=ExitCode.TARGET)


def _no_answer(error: BotoCoreError) -> LabError:
    hint = "Is there a network? For the local lab: `kmslab engine status`."
    if region := misspelt(error):
        hint = f"No Region {region} is known to botocore: is AWS_REGION, or the profile's region, misspelt?"
    line = f"The target does not answer: {' '.join(str(error).split())}"
    return LabError(line, hint=hint, exit_code=ExitCode.TARGET)


def _no_credentials(why: str) -> LabError:
    return LabError(
        f"No usable AWS credentials: {' '.join(why.split()).rstrip('.')}.",
        hint="Sign in (aws sso login, aws configure) or set AWS_PROFILE; without an account, leave --target local.",
        exit_code=ExitCode.TARGET,
    )
