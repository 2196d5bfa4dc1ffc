"""Credentials of the functions that the engine runs: CDK's auto-delete-objects, above all."""

from __future__ import annotations

import secrets
import threading
from typing import Any

_lock = threading.Lock()
_secrets: dict[str, dict[str, str]] = {}


def install() -> None:
    """Apply the hook."""
    from ministack.core import lambda_runtime

    from kmslab.engine.hooks import extend

    extend(lambda_runtime, "execution_credentials", "config")(execution_credentials)


def execution_credentials(stock: Any, config: dict[str, Any]) -> dict[str, str]:
    """Make a function's session secret random: MiniStack derives it from the function's name."""
    from ministack.services import sts

    found: dict[str, str] = stock(config)
    access_key = found["AWS_ACCESS_KEY_ID"]
    with _lock:
        secret = _secrets.setdefault(
            access_key,
            {"SecretAccessKey": secrets.token_urlsafe(30), "SessionToken": secrets.token_urlsafe(64)},
        )
    sts._sessions[access_key].update(secret)
    return {
        **found,
        "AWS_SECRET_ACCESS_KEY": secret["SecretAccessKey"],
        "AWS_SESSION_TOKEN": secret["SessionToken"],
    }
