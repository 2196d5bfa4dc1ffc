"""The S3 condition keys about encryption that a bucket policy can use on a write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core import iam_actions

from kmslab.engine.hooks import extend
from kmslab.engine.kms import records
from kmslab.engine.s3.headers import CUSTOMER_ALGORITHM, KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def install() -> None:
    """Add what MiniStack leaves out of a PutObject's context."""

    @extend(iam_actions, "s3_service_context", "iam_action", "query_params", "path", "headers")
    def s3_service_context(
        stock: Callable[..., dict[str, Any]],
        iam_action: str,
        query_params: Mapping[str, Any] | None,
        path: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Name the key, as the ARN that policies compare, and the use of SSE-C."""
        context = stock(iam_action, query_params, path, headers)
        if iam_action == "s3:PutObject" and headers:
            if given := headers.get(KEY):
                key = records.resolve(given)
                context[f"s3:{KEY}"] = key["Arn"] if key else given
            if given := headers.get(CUSTOMER_ALGORITHM):
                context[f"s3:{CUSTOMER_ALGORITHM}"] = given
        return context
