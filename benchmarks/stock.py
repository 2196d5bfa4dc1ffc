"""Stock MiniStack, as it comes, behind the same TLS as our engine: what the engine is compared with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def stock_engine(home: Path) -> Iterator[tuple[str, str]]:
    """Run it in a process of its own; yield its endpoint and the CA bundle.

    Args:
        home: of an engine of ours that is running: its certificate is used.
    """
    tls = home / "engine" / "tls"
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    settings = {
        "BIND_HOST": LOOPBACK,
        "DOCKER_HOST": "unix:///nonexistent",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "SERVICES": "kms,s3,iam,sts",
    }
    with tempfile.TemporaryDirectory(prefix="kmslab-stock-") as folder, socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.stock", str(listener.fileno()), str(tls)]
        process = subprocess.Popen(  # noqa: S603  # this interpreter and this module
            command,
            cwd=folder,
            env={**inherited, **settings, "STATE_DIR": folder, "S3_DATA_DIR": folder},
            pass_fds=(listener.fileno(),),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # Until it accepts, the socket queues what is asked.
            yield f"https://{LOOPBACK}:{port}", str(tls / "ca.pem")
        finally:
            process.kill()
            process.wait()


def main() -> None:
    """Serve stock MiniStack on an open socket: its descriptor, and the folder of the certificate."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app

    config = Config()
    config.bind = [f"fd://{sys.argv[1]}"]
    config.certfile, config.keyfile = f"{sys.argv[2]}/server.pem", f"{sys.argv[2]}/server-key.pem"
    config.alpn_protocols = ["http/1.1"]
    config.accesslog = None
    asyncio.run(serve(app.app, config))


if __name__ == "__main__":
    main()
