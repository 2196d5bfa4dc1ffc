"""Whether this machine's clock is AWS's: a signature is only good for minutes.

How far the clocks may differ: "AWS must receive a request within five minutes of its time stamp" (IAM User Guide,
"Create a signed AWS API request"); S3 takes fifteen ("Error responses", RequestTimeTooSkewed). Read 2026-11-22.
botocore corrects no clock (github.com/boto/boto3/issues/1252); the CDK CLI's SDK does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from kmslab.account import refusals
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.finding import Finding

TOLERATED = timedelta(minutes=1)
"""From here on it is told: what checks sign for a minute ends early or begins late."""

_WHAT = "Clock"
_SET_IT = (
    "Set it: from five minutes on AWS takes no request, and before that checks may miss what they wait for."
)


def ahead(access: Access) -> timedelta | None:
    """Return how far this machine's clock is ahead of AWS's, to the second; None: the answer has no date.

    Raises:
        ClientError, BotoCoreError: STS did not answer.
    """
    sts = access.client(Persona.OPERATOR, "sts")
    before = datetime.now(UTC)
    answer = sts.get_caller_identity()
    midst = before + (datetime.now(UTC) - before) / 2
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return midst - parsedate_to_datetime(date) if date else None


def warning(difference: timedelta | None) -> str:
    """Say in one line that the clock is wrong; empty: it is not, or nothing is known of it."""
    if difference is None or abs(difference) < TOLERATED:
        return ""
    return f"The clock of this machine is {_apart(difference)} AWS's. {_SET_IT}"


def look(access: Access) -> Finding:
    """Compare the clocks."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        difference = ahead(access)
    except (ClientError, BotoCoreError) as error:
        return unseen(
            _WHAT, f"could not be compared ({refusals.why(error)})", refusals.mend(error, "Try again.")
        )
    if difference is None:
        return unseen(
            _WHAT, "could not be compared: the answer has no date", "Is there a proxy that takes it away?"
        )
    if warning(difference):
        return wrong(_WHAT, f"{_apart(difference)} AWS's", _SET_IT, ExitCode.TARGET)
    return fine(_WHAT, "AWS's, to the minute")


def _apart(difference: timedelta) -> str:
    seconds = abs(round(difference.total_seconds()))
    return f"{seconds // 60} min {seconds % 60} s {'ahead of' if difference > timedelta() else 'behind'}"
