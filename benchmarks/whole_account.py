"""Everything of one account of the local engine, as its root user sees it, to be compared with a later look.

For benchmarks that ask whether anything was lost or left. The lab's own proof (`kmslab.residue`) goes by tags and
by membership in stacks; here neither counts: what is there is there, whoever made it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.temporary import LEAVING, REPLICA_REGIONS
from kmslab.model.persona import Persona
from kmslab.residue.services import SERVICES
from kmslab.residue.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kmslab.lab import Access

    Thing = tuple[str, Any]

LOOKS = 8
"""Questions at a time."""
DELIVERED = "AWSLogs/"
"""How the names of objects begin that services deliver: there are more with each minute."""
AWS_OWN = "alias/aws/"
SYMMETRIC = "SYMMETRIC_DEFAULT"
BOOTSTRAP = ("CDKToolkit", "cdk-bootstrap", "cdk-hnb659fds")
"""In the names of what ``cdk bootstrap`` made, which belongs to the account and not to the lab."""


def look(owner: Access) -> dict[str, str]:
    """Return a digest of how each thing stands, by its kind and id; what waits for its deletion is not there.

    Args:
        owner: as the account's root user, whom no policy of the lab keeps from looking.

    Raises:
        ClientError: a service does not answer.
    """
    looks: list[Callable[[], Iterator[Thing]]] = [
        *(partial(_listed, owner, service) for service in SERVICES),
        *(partial(_keys, owner, region) for region in REPLICA_REGIONS["aws"]),
        *(partial(part, owner) for part in (_objects, _parameters, _secrets, _outputs, _settings)),
    ]
    with ThreadPoolExecutor(LOOKS) as pool:
        found = [one for some in pool.map(lambda find: list(find()), looks) for one in some]
    account = owner.account
    return {
        name.replace(account, "*"): _digest(how, account)
        for name, how in found
        if not any(part in name for part in BOOTSTRAP)
    }


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Say what was lost, left and changed between two looks, one line each."""
    return [
        *(f"lost: {name}" for name in sorted(before.keys() - after.keys())),
        *(f"left: {name}" for name in sorted(after.keys() - before.keys())),
        *(f"changed: {name}" for name in sorted(before.keys() & after.keys()) if before[name] != after[name]),
    ]


def shape(seen: Iterable[str]) -> dict[str, str]:
    """Return how many things there are of each kind: the same for every deployment of one lab."""
    return {kind: str(number) for kind, number in Counter(name.split(" ", 1)[0] for name in seen).items()}


def _digest(how: Any, account: str) -> str:
    text = json.dumps(how, sort_keys=True, default=str).replace(account, "*")
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _listed(owner: Access, service: str) -> Iterator[Thing]:
    for one in SERVICES[service](owner):
        if not one.until:
            yield f"{one.kind} {one.id}", [one.key, one.tags()]


def _keys(owner: Access, region: str) -> Iterator[Thing]:
    """Keys with what may be done to each, and their aliases."""
    kms = owner.client(Persona.OPERATOR, "kms", region=region)
    for arn in [one["KeyArn"] for one in _all(kms, "list_keys", "Keys")]:
        about = kms.describe_key(KeyId=arn)["KeyMetadata"]
        if about["KeyState"] in LEAVING or about["KeyManager"] == "AWS":
            continue  # AWS's own come with their first use, and stay
        policy = kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
        yield (
            f"kms:key {arn}",
            [
                about["KeyState"],
                json.loads(policy),
                _rotation(kms, arn) if about["KeySpec"] == SYMMETRIC else None,
                sorted(str(one) for one in _all(kms, "list_resource_tags", "Tags", KeyId=arn)),
            ],
        )
        for grant in _all(kms, "list_grants", "Grants", KeyId=arn):
            yield f"kms:grant {grant['GrantId']} {grant.get('Name', '')}", grant["Operations"]
    for alias in _all(kms, "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith(AWS_OWN):
            yield f"kms:alias {region} {alias['AliasName']}", alias["TargetKeyId"]


def _rotation(kms: Any, arn: str) -> list[Any]:
    found = kms.get_key_rotation_status(KeyId=arn)
    return [found["KeyRotationEnabled"], found.get("RotationPeriodInDays")]


def _objects(owner: Access) -> Iterator[Thing]:
    """Versions of objects, uploads that were never completed, and each bucket's policy and encryption."""
    s3 = owner.client(Persona.OPERATOR, "s3")
    for bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        if bucket.startswith(BOOTSTRAP):
            continue  # its objects are nobody's loss
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                if DELIVERED not in one["Key"]:
                    yield f"s3:object {bucket}/{one['Key']} {one['VersionId']}", one.get("ETag")
        for upload in _all(s3, "list_multipart_uploads", "Uploads", Bucket=bucket):
            yield f"s3:upload {bucket}/{upload['Key']} {upload['UploadId']}", ""
        yield (
            f"s3:encryption {bucket}",
            s3.get_bucket_encryption(Bucket=bucket).get("ServerSideEncryptionConfiguration"),
        )


def _parameters(owner: Access) -> Iterator[Thing]:
    ssm = owner.client(Persona.OPERATOR, "ssm")
    for name in [one["Name"] for one in _all(ssm, "describe_parameters", "Parameters")]:
        found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        yield f"ssm:value {name}", [found["Type"], found["Value"]]


def _secrets(owner: Access) -> Iterator[Thing]:
    manager = owner.client(Persona.OPERATOR, "secretsmanager")
    for arn in [one["ARN"] for one in _all(manager, "list_secrets", "SecretList")]:
        # Another value would be another version; the value itself its policy keeps even from the root user.
        yield (
            f"secretsmanager:versions {arn}",
            [
                manager.describe_secret(SecretId=arn)["VersionIdsToStages"],
                manager.get_resource_policy(SecretId=arn).get("ResourcePolicy"),
            ],
        )


def _outputs(owner: Access) -> Iterator[Thing]:
    """What each stack exports."""
    cloudformation = owner.client(Persona.OPERATOR, "cloudformation")
    for one in _all(cloudformation, "describe_stacks", "Stacks"):
        if one["StackStatus"] != "DELETE_COMPLETE":
            yield (
                f"cloudformation:outputs {one['StackName']}",
                sorted((output["OutputKey"], output["OutputValue"]) for output in one.get("Outputs", ())),
            )


def _settings(owner: Access) -> Iterator[Thing]:
    found = read_settings(owner)
    aliases = _all(owner.client(Persona.OPERATOR, "kms"), "list_aliases", "Aliases")
    awss = {one.get("TargetKeyId") for one in aliases if one["AliasName"].startswith(AWS_OWN)}
    theirs = AWS_OWN in found.key or found.key.rpartition("/")[2] in awss  # it comes with its first use
    whose = "AWS's own" if theirs else found.key
    yield "ec2:settings of the account", [found.encrypts, whose, found.sharing]


def _all(client: Any, operation: str, member: str, **parameters: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(member, ())
