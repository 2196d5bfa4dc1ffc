"""Take over a function of MiniStack, and only where its seam is still the one we know.

MiniStack finds its functions as module globals or in a dispatch dictionary on every call, so a
replaced attribute takes effect at once. Three things would make a replacement silently useless:
the function was renamed, its parameters changed, or another module imported it by name. Each of
them stops the engine at start, with the name of the seam.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import ModuleType

F = TypeVar("F", bound="Callable[..., Any]")


class IncompatibleMiniStackError(RuntimeError):
    """A seam of MiniStack is not what the engine was tested with."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One change to MiniStack.

    Attributes:
        target: what is changed: ``module.function``, or ``module.table[key]``.
        room: the module of ours that changes it.
        purpose: the first line of the replacement's docstring.
    """

    target: str
    room: str
    purpose: str


APPLIED: list[Hook] = []
"""Every hook, in the order of application; printed by ``python -m kmslab.engine --hooks``."""


def extend(module: ModuleType | type, name: str, *parameters: str) -> Callable[[F], F]:
    """Replace ``module.name`` by a function that receives the stock function first.

    Args:
        module: a module of MiniStack, or a class.
        name: its function; a coroutine function is replaced by one.
        parameters: the names of its leading parameters, as the replacement relies on them.

    Raises:
        IncompatibleMiniStackError: the seam has changed.
    """

    def apply(replacement: F) -> F:
        where = f"{module.__name__}.{name}"
        stock = _seam(vars(module).get(name), where, parameters)
        hooked = _bind(replacement, stock)
        setattr(module, name, hooked)
        _replace_in_tables(module, stock, hooked)
        _refuse_copies(name, stock, where)
        _note(where, replacement)
        return replacement

    return apply


def extend_entry(module: ModuleType, table: str, key: str, *parameters: str) -> Callable[[F], F]:
    """Replace one entry of a dispatch dictionary by a function that receives the stock function first.

    Raises:
        IncompatibleMiniStackError: the table, the entry or its parameters have changed.
    """

    def apply(replacement: F) -> F:
        where = f"{module.__name__}.{table}[{key}]"
        entries = _table(module, table)
        stock = _seam(entries.get(key), where, parameters)
        entries[key] = _bind(replacement, stock)
        _note(where, replacement)
        return replacement

    return apply


def add_entry(module: ModuleType, table: str, key: str, value: object, purpose: str) -> None:
    """Add to a dispatch dictionary what MiniStack lacks.

    Raises:
        IncompatibleMiniStackError: MiniStack has come to know the entry, so ours may be obsolete.
    """
    entries = _table(module, table)
    where = f"{module.__name__}.{table}[{key}]"
    if key in entries:
        raise IncompatibleMiniStackError(f"{where} exists already")
    entries[key] = value
    room = str(getattr(value, "__module__", ""))
    # A function of MiniStack's own may be what its table lacks: then it is the caller's choice.
    if not room.startswith("kmslab."):
        room = sys._getframe(1).f_globals["__name__"]
    APPLIED.append(Hook(where, room, purpose))


def add_method(kind: type, name: str, method: Callable[..., Any]) -> None:
    """Add to a class what MiniStack's lacks.

    Raises:
        IncompatibleMiniStackError: MiniStack has come to know the method, so ours may be obsolete.
    """
    where = f"{kind.__name__}.{name}"
    if name in vars(kind):
        raise IncompatibleMiniStackError(f"{where} exists already")
    setattr(kind, name, method)
    _note(where, method)


def replace_value(module: ModuleType, name: str, value: object, purpose: str) -> None:
    """Replace a constant of a module; functions that read it at call time see the new one.

    Raises:
        IncompatibleMiniStackError: the constant is gone or of another type.
    """
    where = f"{module.__name__}.{name}"
    if type(vars(module).get(name)) is not type(value):
        raise IncompatibleMiniStackError(f"{where} is not a {type(value).__name__}")
    setattr(module, name, value)
    APPLIED.append(Hook(where, str(sys._getframe(1).f_globals["__name__"]), purpose))


def _seam(stock: Any, where: str, parameters: tuple[str, ...]) -> Any:
    if not callable(stock):
        raise IncompatibleMiniStackError(f"{where} is gone")
    found = tuple(inspect.signature(stock).parameters)
    if found[: len(parameters)] != parameters:
        raise IncompatibleMiniStackError(f"{where} takes {found}, not {parameters}")
    return stock


def _bind(replacement: Callable[..., Any], stock: Any) -> Callable[..., Any]:
    hooked = functools.partial(replacement, stock)
    if inspect.iscoroutinefunction(stock):

        @functools.wraps(stock)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            return await hooked(*args, **kwargs)

        return coroutine

    @functools.wraps(stock)
    def function(*args: Any, **kwargs: Any) -> Any:
        return hooked(*args, **kwargs)

    return function


def _table(module: ModuleType, table: str) -> MutableMapping[str, Any]:
    entries = vars(module).get(table)
    if not isinstance(entries, dict):
        raise IncompatibleMiniStackError(f"{module.__name__}.{table} is not a dictionary")
    return entries


def _replace_in_tables(module: ModuleType | type, stock: Any, hooked: Any) -> None:
    for entries in [value for value in vars(module).values() if isinstance(value, dict)]:
        for key in [key for key, value in entries.items() if value is stock]:
            entries[key] = hooked


def _refuse_copies(name: str, stock: Any, where: str) -> None:
    for other in list(sys.modules.values()):
        known = getattr(other, "__name__", "")
        if known.startswith("ministack.") and vars(other).get(name) is stock:
            raise IncompatibleMiniStackError(f"{known} holds its own copy of {where}")


def _note(where: str, replacement: Callable[..., Any]) -> None:
    purpose = (replacement.__doc__ or "").strip().splitlines()
    if not purpose:
        raise ValueError(f"the replacement of {where} has no docstring that says why")
    APPLIED.append(Hook(where, replacement.__module__, purpose[0]))
