"""Changes that count late, as they do on AWS: for trying the lab under eventual consistency.

``kmslab engine start --settle SECONDS`` turns it on. Identity policies, permissions boundaries, trust policies, key
policies, grants and aliases then decide as they stood so many seconds ago, while reading them shows what was written. A
grant counts at once for who presents its token. A key, user or role that is newer than that has the policies that it has
now.

Sources: KMS Developer Guide, "AWS KMS eventual consistency" and "Using a grant token"; IAM User Guide, "Troubleshoot
IAM", "Changes that I make are not always immediately visible". How long AWS takes is not promised: KMS typically less
than a few seconds, in some cases several minutes (read 2026-11-22).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kmslab.engine.kms.records import KeyRecord

LOOKS_PER_DELAY = 20
LONGEST_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class View:
    """What decided at a moment.

    Attributes:
        at: the moment, as the clock told it.
        policies: of each key, by its ARN.
        aliases: the key id of each alias, by account, Region and ARN.
        grants: by id.
        identities: the parsed policies of each role and user, by kind, account and name.
        boundaries: the permissions boundary of each as `evaluation.permissions_boundary` tells it, empty for none.
        trusts: the trust policy of each role, by account and name.
    """

    at: float
    policies: dict[str, str]
    aliases: dict[tuple[str, str, str], str]
    grants: dict[str, dict[str, Any]]
    identities: dict[tuple[str, str, str], Any]
    boundaries: dict[tuple[str, str, str], list[Any]]
    trusts: dict[tuple[str, str], Any]


class Settling:
    """The views of the last seconds."""

    def __init__(
        self, seconds: float, look: Callable[[float], View], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take how long a change takes to count, what looks at the present, and a clock in seconds."""
        self.seconds = seconds
        self._look = look
        self._clock = clock
        self._views: deque[View] = deque()

    def look(self) -> None:
        """Keep a view of the present, and forget those that no decision is made on any more."""
        self._views.append(self._look(self._clock()))
        while len(self._views) > 1 and self._views[1].at <= self._clock() - self.seconds:
            self._views.popleft()

    def settled(self) -> View:
        """The newest view that is old enough; while there is none, the oldest: nothing has changed before it."""
        newest = self._clock() - self.seconds
        views = list(self._views)
        return next((view for view in reversed(views) if view.at <= newest), views[0])

    def run(self) -> None:
        """Look again and again, for as long as the process lives."""
        while True:
            self.look()
            time.sleep(min(self.seconds / LOOKS_PER_DELAY, LONGEST_PAUSE))


_settling: Settling | None = None


def begin(seconds: float) -> None:
    """Let changes count so many seconds late, from now on."""
    from ministack.core import iam_evaluator

    from kmslab.engine.hooks import extend

    global _settling  # noqa: PLW0603  # one engine in a process, set once at its start
    gather = {"role": iam_evaluator._gather_role_policies, "user": iam_evaluator._gather_user_policies}
    bound = iam_evaluator._permissions_boundary
    settling = Settling(seconds, lambda at: _present(at, gather, bound))
    settling.look()
    _settling = settling
    extend(iam_evaluator, "_gather_role_policies", "role_name", "account_id")(late_role_policies)
    extend(iam_evaluator, "_gather_user_policies", "user_name", "account_id")(late_user_policies)
    extend(iam_evaluator, "_permissions_boundary", "store", "name", "account_id")(late_boundary)
    threading.Thread(target=settling.run, name="settling", daemon=True).start()


def _present(
    at: float, gather: dict[str, Callable[[str, str], Any]], bound: Callable[..., list[Any]]
) -> View:
    from ministack.core.responses import request_scope
    from ministack.services import iam, kms

    from kmslab.engine.kms import records

    identities, boundaries = {}, {}
    for kind, store in (("role", iam._roles), ("user", iam._users)):
        for account, name in list(store._data):
            with request_scope(account, "us-east-1"):  # IAM has no Regions
                identities[kind, account, name] = gather[kind](name, account)
                boundaries[kind, account, name] = bound(store, name, account)
    return View(
        at,
        {key["Arn"]: key["Policy"] for key in list(records.store()._data.values())},
        dict(list(records.aliases()._data.items())),
        {grant["GrantId"]: grant for grant in list(kms._grants._data.values())},
        identities,
        boundaries,
        {place: role.get("AssumeRolePolicyDocument") for place, role in list(iam._roles._data.items())},
    )


def late_role_policies(stock: Any, role_name: str, account_id: str) -> Any:
    """Give the policies that a role had some time ago."""
    return _late_policies(stock, "role", role_name, account_id)


def late_user_policies(stock: Any, user_name: str, account_id: str) -> Any:
    """Give the policies that a user had some time ago."""
    return _late_policies(stock, "user", user_name, account_id)


def _late_policies(stock: Any, kind: str, name: str, account: str) -> Any:
    found = _settling.settled().identities.get((kind, account, name)) if _settling else None
    return stock(name, account) if found is None else found


def late_boundary(stock: Any, store: Any, name: str, account_id: str) -> list[Any]:
    """Give the permissions boundary that a role or user had some time ago."""
    from ministack.services import iam

    kind = "role" if store is iam._roles else "user"
    found = _settling.settled().boundaries.get((kind, account_id, name)) if _settling else None
    now: list[Any] = stock(store, name, account_id)
    return now if found is None else found


def trust_of(account: str, name: str, now: Any) -> Any:
    """The trust policy that counts for a role.

    Args:
        account: its account.
        name: its name.
        now: the trust policy that it has.
    """
    return _settling.settled().trusts.get((account, name), now) if _settling else now


def policy_of(key: KeyRecord) -> str:
    """The key policy that counts."""
    now: str = key["Policy"]
    return _settling.settled().policies.get(key["Arn"], now) if _settling else now


def key_of_alias(account: str, region: str, alias_arn: str, now: str | None) -> str | None:
    """The id of the key that an alias leads to; None: to none, or not yet.

    Args:
        account: of the alias.
        region: of the alias.
        alias_arn: its ARN.
        now: what it was last told to lead to.
    """
    return _settling.settled().aliases.get((account, region, alias_arn)) if _settling else now


def grants_that_count(
    now: Iterable[dict[str, Any]], key_arn: str, digests: Iterable[str]
) -> list[dict[str, Any]]:
    """The grants of a key that count.

    Args:
        now: those that it has.
        key_arn: the key.
        digests: of the tokens that the request presents. What a service granted itself needs none.
    """
    if not _settling:
        return list(now)
    before = {name: grant for name, grant in _settling.settled().grants.items() if grant["KeyId"] == key_arn}
    presented = set(digests)
    new = [grant for grant in now if grant["GrantId"] not in before]
    at_once = [grant for grant in new if not grant["_tokens"] or presented & set(grant["_tokens"])]
    return [*before.values(), *at_once]
