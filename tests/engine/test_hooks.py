"""Hooks: only onto seams that are as they were tested, and every one of them listed."""

from __future__ import annotations

import sys
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from kmslab import engine
from kmslab.engine import hooks
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.engine.identity import Identity


@pytest.fixture
def stock() -> Iterator[ModuleType]:
    """A module as MiniStack's are: a function, a dispatch table that holds it, a caller."""
    module = ModuleType("ministack.test_stock")
    source = """
def greet(name, loud=False):
    return f"hello {name}" + "!" * loud

async def later(name):
    return name

def call(name):
    return greet(name)

TABLE = {"Greet": greet}
LIMITS = (1, 2)
"""
    exec(source, vars(module))  # noqa: S102  # the module under test is text
    before = list(hooks.APPLIED)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]
    hooks.APPLIED[:] = before


def test_a_replacement_is_used_everywhere_and_can_call_the_stock_function(stock: Any) -> None:
    @hooks.extend(stock, "greet", "name", "loud")
    def greet(original: Any, name: str, loud: bool = False) -> str:  # the seam's own
        """Say who else is there."""
        return str(original(name, loud)) + " and all"

    assert stock.greet is not greet
    assert stock.greet("Ada", loud=True) == "hello Ada! and all"
    assert stock.call("Ada") == stock.TABLE["Greet"]("Ada") == "hello Ada and all"
    assert hooks.APPLIED[-1] == hooks.Hook("ministack.test_stock.greet", __name__, "Say who else is there.")


def test_a_coroutine_function_stays_one(stock: Any) -> None:
    import asyncio
    import inspect

    @hooks.extend(stock, "later", "name")
    async def later(original: Any, name: str) -> str:
        """Twice."""
        return str(await original(name)) * 2

    assert inspect.iscoroutinefunction(stock.later)
    assert asyncio.run(stock.later("ab")) == "abab"
    assert stock.later is not later


def test_one_entry_of_a_table_can_be_replaced_alone(stock: Any) -> None:
    def silent(_original: Any, _name: str) -> str:
        """Say nothing."""
        return ""

    hooks.extend_entry(stock, "TABLE", "Greet", "name")(silent)
    assert stock.TABLE["Greet"]("Ada") == ""
    assert stock.greet("Ada") == "hello Ada"


def explained(_original: Any, name: str) -> str:
    """A replacement."""
    return name


def silent_about_itself(_original: Any, name: str) -> str:
    return name


def test_a_changed_seam_is_refused(stock: Any) -> None:
    for name, parameters, words in (
        ("gone", ("name",), "is gone"),
        ("greet", ("who",), "takes"),
        ("LIMITS", (), "is gone"),
    ):
        with pytest.raises(hooks.IncompatibleMiniStackError, match=words):
            hooks.extend(stock, name, *parameters)(explained)
    with pytest.raises(hooks.IncompatibleMiniStackError, match="is gone"):
        hooks.extend_entry(stock, "TABLE", "Gone", "name")(explained)
    with pytest.raises(hooks.IncompatibleMiniStackError, match="not a dictionary"):
        hooks.extend_entry(stock, "greet", "Greet", "name")(explained)
    with pytest.raises(hooks.IncompatibleMiniStackError, match="exists already"):
        hooks.add_entry(stock, "TABLE", "Greet", explained, "why")
    with pytest.raises(hooks.IncompatibleMiniStackError, match="not a frozenset"):
        hooks.replace_value(stock, "LIMITS", frozenset(), "why")


def test_a_copy_by_name_elsewhere_is_refused(stock: Any) -> None:
    other: Any = ModuleType("ministack.test_other")
    other.greet = stock.greet
    sys.modules[other.__name__] = other
    try:
        with pytest.raises(
            hooks.IncompatibleMiniStackError, match=r"ministack\.test_other holds its own copy"
        ):
            hooks.extend(stock, "greet", "name")(explained)
    finally:
        del sys.modules[other.__name__]


def test_a_replacement_says_why(stock: Any) -> None:
    with pytest.raises(ValueError, match="docstring"):
        hooks.extend(stock, "greet", "name")(silent_about_itself)


def test_values_and_entries_are_added_and_listed(stock: Any) -> None:
    hooks.add_entry(stock, "TABLE", "Wave", explained, "waving")
    hooks.replace_value(stock, "LIMITS", (3,), "less")
    assert stock.TABLE["Wave"] is explained
    assert stock.LIMITS == (3,)
    assert [(hook.target, hook.purpose) for hook in hooks.APPLIED[-2:]] == [
        ("ministack.test_stock.TABLE[Wave]", "waving"),
        ("ministack.test_stock.LIMITS", "less"),
    ]


@pytest.mark.parametrize("found", ["1.5.32", "1.5.34", "2.0.0"])
def test_an_untested_ministack_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr(engine, "version", lambda _: found)
    monkeypatch.setattr(hooks, "APPLIED", [])
    with pytest.raises(LabError) as caught:
        engine.install()
    assert caught.value.message == f"the engine is tested with MiniStack 1.5.33 only, found {found}"
    assert caught.value.exit_code is ExitCode.ENGINE
    assert "\n" not in caught.value.message


def test_a_missing_ministack_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(engine, "version", missing)
    with pytest.raises(LabError, match="found none"):
        engine.refuse_untested_ministack()


def test_every_hook_of_the_core_is_listed_with_its_purpose(inside: Identity) -> None:
    core = {
        hook.target.removeprefix("ministack.")
        for hook in hooks.APPLIED
        if hook.room.startswith(("kmslab.engine.kms", "kmslab.engine.authorization", "kmslab.engine.state"))
    }
    assert core == {
        "app.SERVICE_REGISTRY[kmslab]",
        "app._dispatch_service_request",
        "app._loaded_modules[kmslab]",
        "app._maybe_record_cloudtrail",
        "app._state_map[kmslab]",
        "core.iam_actions.extract_iam_action",
        "core.iam_actions.request_tag_context",
        "core.iam_evaluator._is_root_key",
        "core.iam_evaluator._permissions_boundary",
        "core.iam_evaluator._resource_policy",
        "core.iam_evaluator.check_credentials",
        "core.iam_evaluator.combine_resource_policy",
        "core.iam_evaluator.enforce",
        "core.iam_evaluator.evaluate",
        "core.iam_evaluator.evaluate_resource_policy",
        "core.iam_evaluator.evaluate_trust_policy",
        "core.iam_evaluator.parse_policy_document",
        "core.lambda_runtime.execution_credentials",
        "services.iam._IAM_HANDLERS[SetDefaultPolicyVersion]",
        "services.iam._build_simulate_results_real",
        "services.iam._get_account_authorization_details",
        "services.iam._simulate_custom_policy",
        "services.iam._simulate_principal_policy",
        "services.kms._check_key_state",
        "services.kms._create_key",
        "services.kms._key_metadata",
        "services.kms._resolve_key",
        "services.kms._schedule_key_deletion",
        "services.kms.get_state",
        "services.kms.handle_request",
        "services.kms.key_policy_for_arn",
        "services.kms.load_persisted_state",
        "services.sts._assumed_role_arn",
    }
    assert all(hook.purpose.strip() and hook.room.startswith("kmslab.engine.") for hook in hooks.APPLIED)
    assert inside.account_id
