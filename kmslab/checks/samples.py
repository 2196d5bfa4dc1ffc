"""Things that checks of several topics make for themselves, and remove: objects, public keys, patience."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from kmslab.lab import Failed, Inconclusive, NotOffered, patience
from kmslab.model.evidence import code_of
from kmslab.model.naming import ENCRYPTION_CONTEXT, PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.lab import Access, Lab

T = TypeVar("T")

OBJECT_PREFIX = "kmslab-temporary/"
"""Where checks put their objects: a crashed run's are found here, by the run id that follows."""


@dataclass(frozen=True, slots=True)
class SampleObject:
    """A name for an object in a bucket; whatever is stored under it is removed when the run ends.

    Attributes:
        lab: the check's lab.
        bucket: the bucket's name.
        key: the object's key, unique to the check.
        body: what `put` stores.
    """

    lab: Lab
    bucket: str
    key: str
    body: bytes

    @property
    def where(self) -> dict[str, Any]:
        """The parameters that name the object in every S3 call."""
        return {"Bucket": self.bucket, "Key": self.key}

    def put(self, persona: Persona = Persona.DATA_OWNER, **headers: Any) -> Any:
        """Store the object as somebody who may; returns S3's response."""
        return self.lab.allowed(persona, "s3:PutObject", Body=self.body, **self.where, **headers)

    def get(self, persona: Persona = Persona.DATA_OWNER) -> bytes:
        """Read the object as somebody who may."""
        body: bytes = self.lab.allowed(persona, "s3:GetObject", **self.where)["Body"].read()
        return body

    def head(self, persona: Persona = Persona.DATA_OWNER) -> Any:
        """S3's description of the object: how it is encrypted, not what it holds."""
        return self.lab.allowed(persona, "s3:HeadObject", **self.where)


def sample_object(lab: Lab, bucket: str = "") -> SampleObject:
    """Name an object, in the data bucket unless told otherwise.

    All that is stored under the names of one run is removed together when it ends (`kmslab.checks.sweep.retire`):
    a listing and a deletion for each bucket, not for each object.
    """
    bucket = bucket or lab.outputs.data_bucket
    sampled_buckets(lab.access, lab.run_id).add(bucket)
    return SampleObject(
        lab, bucket, f"{objects_of(lab.run_id)}{uuid4().hex}", f"kmslab sample {uuid4().hex}".encode()
    )


def objects_of(run_id: str) -> str:
    """How the keys of the objects begin that the checks of a run store."""
    return f"{OBJECT_PREFIX}{run_id}/"


def sampled_buckets(access: Access, run_id: str) -> set[str]:
    """Names of the buckets that a run has named objects in so far."""
    return access.once(("sampled buckets", run_id), set[str])


def decrypted(lab: Lab, blob: bytes) -> bytes:
    """Decrypt what lies under the app key, as the data owner and with the lab's encryption context."""
    plaintext: bytes = lab.allowed(
        Persona.DATA_OWNER, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=ENCRYPTION_CONTEXT
    )["Plaintext"]
    return plaintext


_SILENCE = logging.NullHandler()


def encryption_sdk() -> Any:
    """The AWS Encryption SDK: the package ``aws_encryption_sdk`` with the modules that checks use.

    Its modules import each other in circles. Checks run in threads: where two import them in different orders,
    one meets half a module or a deadlock. So this is the one place that imports them (a test holds it).
    """
    import aws_encryption_sdk.exceptions
    import aws_encryption_sdk.key_providers.kms

    # The SDK logs what it raises; a refusal that a check wants to see is no news for the terminal.
    logging.getLogger("aws_encryption_sdk").addHandler(_SILENCE)
    return aws_encryption_sdk


def encryption_client(sdk: Any) -> Any:
    """A client of the AWS Encryption SDK that writes and reads committed messages only."""
    return sdk.EncryptionSDKClient(commitment_policy=sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def read_if_any(lab: Lab, action: str, absent: str, **parameters: Any) -> Any:
    """Like `Lab.read`, for a setting that may not be there: the answer is then empty.

    Args:
        lab: the check's lab.
        action: ``service:Operation``.
        absent: the error code with which the service says that there is none.
        parameters: of the call.

    Raises:
        Inconclusive: the look-up failed otherwise.
    """
    from botocore.exceptions import ClientError

    try:
        return lab.read(action, **parameters)
    except Inconclusive as unclear:
        error = unclear.__cause__
        if isinstance(error, ClientError) and code_of(error) == absent:
            return {}
        raise


def temporary_tags(lab: Lab) -> list[dict[str, str]]:
    """The tags that mark what a check of this lab made, so that the next run can sweep what a crash left."""
    return [{"Key": TEMPORARY_TAG, "Value": lab.run_id}, {"Key": PREFIX_TAG, "Value": lab.prefix}]


def settle_seconds(lab: Lab) -> float:
    """How long the target may take until a change of a key or a permission is seen everywhere."""
    return patience(lab.access.target)


def soon(lab: Lab, look: Callable[[], T]) -> T:
    """Return what ``look`` returns; look again while it fails, since a change was made a moment ago.

    Raises:
        Failed, Inconclusive: from ``look``, still after the target had time to settle.
    """
    seconds = settle_seconds(lab)
    deadline = time.monotonic() + seconds

    def seen() -> list[T]:
        try:
            return [look()]
        except NotOffered:
            raise
        except (Failed, Inconclusive):
            if time.monotonic() >= deadline:
                raise
            return []

    found: list[T] = lab.wait_until(seen, "the change", seconds=seconds + 60)
    return found[0]


def refused_soon(lab: Lab, persona: Persona, action: str, **parameters: Any) -> str:
    """Like `Lab.refused`, but the refusal may take a while: a change was made a moment ago."""
    return soon(lab, lambda: lab.refused(persona, action, **parameters))
