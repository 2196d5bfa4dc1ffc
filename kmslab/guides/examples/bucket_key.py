"""Page 5: write and read the same objects twice, without a Bucket Key and with one, and count what KMS was asked.

- ``python -m kmslab.guides.examples.bucket_key use BUCKET KEY_ARN OBJECTS`` writes and reads, and says nothing.
- ``python -m kmslab.guides.examples.bucket_key count BUCKET < events.json`` counts the events of the trail as CSV.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

WITHOUT, WITH = "guide-05/without/", "guide-05/with/"
OPERATIONS = ("GenerateDataKey", "Decrypt")


def write_and_read(s3: Any, bucket: str, key_arn: str, objects: int) -> None:
    """Write and read objects under a KMS key, each with its own request to KMS, and then with the Bucket Key."""
    for prefix, bucket_key in ((WITHOUT, False), (WITH, True)):
        for number in range(objects):
            name = f"{prefix}{number}"
            s3.put_object(
                Bucket=bucket,
                Key=name,
                Body=b"revenue: 42",
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=key_arn,
                BucketKeyEnabled=bucket_key,
            )
            s3.get_object(Bucket=bucket, Key=name)["Body"].read()


def count(bucket: str, events: Iterable[str]) -> str:
    """Count requests by their encryption context: with a Bucket Key it is the bucket's ARN, else the object's.

    Args:
        bucket: the bucket's name.
        events: what CloudTrail recorded of the key, each event as JSON.

    Returns: a table as CSV.
    """
    arn = f"arn:aws:s3:::{bucket}"
    seen: Counter[tuple[str, str]] = Counter()
    for event in map(json.loads, events):
        context = (event.get("requestParameters") or {}).get("encryptionContext", {}).get("aws:s3:arn", "")
        if context == arn or context.startswith(f"{arn}/{WITHOUT}"):
            seen[event["eventName"], "with" if context == arn else "without"] += 1
    rows = [
        [f"{kind} a Bucket Key", *(str(seen[operation, kind]) for operation in OPERATIONS)]
        for kind in ("without", "with")
    ]
    return "".join(f"{','.join(row)}\n" for row in [["", *OPERATIONS], *rows])


def main(arguments: list[str]) -> int:
    """Do what the first word says."""
    action, bucket, *more = arguments
    if action == "count":
        sys.stdout.write(count(bucket, json.load(sys.stdin)))
        return 0
    import boto3

    key_arn, objects = more
    write_and_read(boto3.client("s3"), bucket, key_arn, int(objects))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
