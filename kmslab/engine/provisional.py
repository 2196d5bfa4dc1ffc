"""What an unfinished deployment makes is not saved until the deployment has ended.

Nobody would finish half a deployment after the engine's death: the stack never began, and what it made is
gone. Everything else that happens meanwhile is saved. Which entries of MiniStack's stores a deployment makes
or takes away is noticed where they are set and removed, in the context of the stack's operation.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Stack = tuple[str, str, str]

_DEPLOYMENT: ContextVar[Stack | None] = ContextVar("kmslab_deployment", default=None)
_touched: dict[tuple[Any, ...], Stack] = {}
"""Scoped key of an entry, in whichever store, to the stack whose operation made it or took it away."""


@contextmanager
def deploying(stack_name: str) -> Iterator[None]:
    """Notice what is made and removed as a stack's; tasks and threads begun within inherit it.

    Args:
        stack_name: its name or ARN.
    """
    from ministack.core.responses import get_account_id, get_region

    name = stack_name.split("/")[1] if stack_name.startswith("arn:") else stack_name
    token = _DEPLOYMENT.set((get_account_id(), get_region(), name))
    try:
        yield
    finally:
        _DEPLOYMENT.reset(token)


def unfinished() -> set[Stack]:
    """Account, Region and name of each stack that is being worked on."""
    from ministack.services import cloudformation

    # dict's own items: to look is not to have in hand, or each commit would look at what every stack holds.
    entries = list(dict.items(cloudformation._stacks._data))
    stacks = [(key, str(stack.get("StackStatus", ""))) for key, stack in entries]
    return {
        key for key, status in stacks if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
    }


class Holding:
    """What is held back at one moment; the stacks are looked at only for what a deployment may have made."""

    @cached_property
    def _stacks(self) -> set[Stack]:
        """Those that are being worked on; what belongs to one that has ended is forgotten."""
        found = unfinished()
        for key, stack in list(_touched.items()):
            if stack not in found:
                del _touched[key]
        return found

    def entry(self, key: Any) -> bool:
        """Whether an entry's coming or going is a deployment's that has not ended."""
        stack = _touched.get(key)
        return stack is not None and stack in self._stacks

    def record(self, key: Any, value: Any) -> bool:
        """Whether an entry of CloudFormation's own stores is about such a stack.

        Args:
            key: account, Region and name or ARN.
            value: a stack, its events or a change set.
        """
        if not isinstance(key, tuple):
            return False
        account, region, name = key
        if isinstance(value, dict) and "StackName" in value:
            name = value["StackName"]
        elif str(name).startswith("arn:"):
            name = str(name).split("/")[1]
        return (account, region, name) in self._stacks


def _noticed(stock: Callable[..., Any], store: Any, key: Any, *rest: Any) -> Any:
    """Notice an entry that a deployment makes or removes."""
    if stack := _DEPLOYMENT.get():
        _touched[store._scoped(key)] = stack
    return stock(store, key, *rest)


def install() -> None:
    """Notice it in both kinds of stores."""
    from ministack.core.responses import AccountRegionScopedDict, AccountScopedDict

    for kind in (AccountRegionScopedDict, AccountScopedDict):
        for method in ("__setitem__", "__delitem__", "pop", "setdefault"):
            extend(kind, method, "self", "key")(_noticed)
