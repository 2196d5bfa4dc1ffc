"""The commands that answer questions about access: what can be typed. The work is in ``kmslab.commands``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kmslab.model.target import TargetKind
from kmslab.options import ContextOption, EndpointOption, TargetOption, Where


class AnswerFormat(StrEnum):
    """Values of ``--format`` of the questions."""

    TABLE = "table"
    JSON = "json"


ViaOption = Annotated[
    str,
    typer.Option(
        "--via", metavar="SERVICE", help="Through a service that uses the key for its caller: s3, ec2."
    ),
]
EncryptionContextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encryption-context",
        metavar="KEY=VALUE",
        help="The encryption context of the request instead of the lab's; empty for none. Can be repeated.",
    ),
]
FormatOption = Annotated[AnswerFormat, typer.Option("--format", help="table for people, json for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("who-can")(who_can)
    app.command("explain")(explain)


def who_can(
    operation: Annotated[
        str,
        typer.Argument(
            help="decrypt, sign, put-key-policy, kms:Decrypt; read, write, attach for what a key protects; all."
        ),
    ],
    thing: Annotated[
        str,
        typer.Argument(
            help="A key (app, alias/kms-lab/app, an id, an ARN), s3://bucket/key, a volume, a secret; all."
        ),
    ],
    *,
    everyone: Annotated[
        bool, typer.Option("--all", help="Every user and role of the account, beside the personas.")
    ] = False,
    via: ViaOption = "",
    encryption_context: EncryptionContextOption = None,
    answer: FormatOption = AnswerFormat.TABLE,
    target: TargetOption = Where.LOCAL,
    endpoint_url: EndpointOption = "",
    context: ContextOption = None,
) -> None:
    """Say who may do something with a key or with what it protects, and by which statement.

    Computed from key policy, identity policies, boundaries, grants and their conditions, as they are on the
    target now. Nothing is tried, and nothing is changed: `kmslab verify --only access` tries it.

    An object, a volume or a secret takes two permissions: the service's, and that on its key through
    the service. Exits with 0 whoever may.
    """
    from kmslab.commands import who_can as command

    command.run(
        command.Asked(TargetKind(target), endpoint_url, context or [], via, encryption_context),
        operation,
        thing,
        everyone=everyone,
        as_json=answer is AnswerFormat.JSON,
    )


def explain(
    who: Annotated[
        str, typer.Argument(help="A persona (data-reader), another user or role by name or ARN, or root.")
    ],
    action: Annotated[str, typer.Argument(help="kms:Decrypt, decrypt, s3:GetObject, iam:PassRole.")],
    resource: Annotated[str, typer.Argument(help="As for `kmslab who-can`, or any ARN.")],
    *,
    via: ViaOption = "",
    encryption_context: EncryptionContextOption = None,
    answer: FormatOption = AnswerFormat.TABLE,
    target: TargetOption = Where.LOCAL,
    endpoint_url: EndpointOption = "",
    context: ContextOption = None,
) -> None:
    """Say whether somebody may do something, by which statement, and what would change it.

    What identity policies and the boundary say is compared with IAM's own policy simulator. The simulator
    knows no key policies of roles and no grants, so the whole answer is the lab's.

    Exits with 0 when it is allowed and when it is refused: both are answers.
    """
    from kmslab.commands import explain as command
    from kmslab.commands.who_can import Asked

    command.run(
        Asked(TargetKind(target), endpoint_url, context or [], via, encryption_context),
        who,
        action,
        resource,
        as_json=answer is AnswerFormat.JSON,
    )
