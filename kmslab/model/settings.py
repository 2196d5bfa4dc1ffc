"""What can be chosen about a lab, read from the context ``kmslab`` and validated once.

``cdk.json`` holds the defaults under ``context.kmslab``. ``-c kmslab.<key>=<value>`` overrides one of
them, and ``-c kmslab='{"prefix": "class-7"}'`` several; the CDK CLI passes both as context strings.
``docs/settings.md`` describes them for users; a test compares it with this module.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONTEXT = "kmslab"
"""The context key that holds the lab's settings."""

ROTATION_RANGE = (90, 2560)
"""Days between automatic rotations that KMS accepts (botocore's model of EnableKeyRotation)."""
PENDING_WINDOW_RANGE = (7, 30)
"""Days that KMS can keep a key before deleting it; botocore's shape says 1 to 365, KMS refuses that."""
LONGEST_TTL_HOURS = 720


def _number(value: object) -> object:
    """Read a ``-c`` value such as ``30``; what is no whole number stays as it is, to be refused."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value


def _switch(value: object) -> object:
    """Read a ``-c`` value ``true`` or ``false``; anything else stays as it is."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _listed(value: object) -> object:
    """Split a ``-c`` value such as ``111122223333,444455556666``; a list from ``cdk.json`` stays."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


# Strict, because by itself pydantic reads 7.0 and true as numbers, and 1, "on" and "yes" as true.
Number = Annotated[int, Field(strict=True), BeforeValidator(_number)]
Switch = Annotated[bool, Field(strict=True), BeforeValidator(_switch)]
Strings = BeforeValidator(_listed)
RotationDays = Annotated[
    Number,
    Field(ge=ROTATION_RANGE[0], le=ROTATION_RANGE[1], description="a whole number of days from 90 to 2560"),
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", regex_engine="python-re")


class Rotation(_Frozen):
    """Days between automatic rotations, for each key that KMS can rotate by itself."""

    s3: RotationDays = 180
    ebs: RotationDays = 365
    secrets: RotationDays = 365
    trail: RotationDays = 365
    app: RotationDays = 365
    multi_region: RotationDays = 365
    """Of the optional key ``global``; its replicas follow the primary."""


class LabSettings(_Frozen):
    """The choices of one lab.

    Every field's description completes the sentence "must be ...": it is what a user reads after a
    wrong value.
    """

    prefix: Annotated[
        str,
        Field(
            # Parameter Store refuses names that begin with aws or ssm, KMS the alias alias/aws/...;
            # bucket names begin with the prefix, and S3 reserves sthree- and amzn-s3-demo-. The trail has the
            # prefix for its name, and CloudTrail takes no name below three characters (CreateTrail). The longest
            # names that are made of it keep within 64 characters: EventBridge's and IAM's limit.
            pattern=r"^(?!aws|ssm|sthree-|amzn-s3-demo-)[a-z](?:[a-z0-9]|-(?=[a-z0-9])){2,19}\Z",
            description="3 to 20 lower-case letters, digits and single hyphens, beginning with a letter "
            "and not with aws or ssm",
        ),
    ] = "kms-lab"
    admin_user: Annotated[
        str,
        Field(
            pattern=r"^(?!(?i:root)\Z)[A-Za-z0-9+=,.@_-]{1,64}\Z",
            description="an IAM user name of 1 to 64 letters, digits and +=,.@_-, and not root",
        ),
    ] = "kenya-one"
    operators: Annotated[
        tuple[
            Annotated[
                # What is compared is aws:PrincipalArn: of a session it is the role's ARN, never one of sts.
                str,
                Field(
                    pattern=r"^arn:aws[a-z-]*:iam::(?:[0-9]{12}|\*):(?:user|role)/[A-Za-z0-9+=,.@_/*?-]+\Z"
                ),
            ],
            ...,
        ],
        Strings,
        Field(
            description="a comma-separated list of ARN patterns of IAM users or roles, such as "
            "arn:aws:iam::111122223333:role/class-*, and not of sessions (sts) or root"
        ),
    ] = ()
    """Who may assume the personas beside the admin user; empty: whoever IAM in the account allows."""
    pending_window_days: Annotated[
        Number,
        Field(
            ge=PENDING_WINDOW_RANGE[0],
            le=PENDING_WINDOW_RANGE[1],
            description="a whole number of days from 7 to 30",
        ),
    ] = 7
    rotation_days: Annotated[Rotation, Field(description='an object of days by key, such as {"s3": 180}')] = (
        Rotation()
    )
    volume_count: Annotated[Number, Field(ge=1, le=4, description="a whole number from 1 to 4")] = 1
    volume_size_gib: Annotated[
        Number, Field(ge=1, le=100, description="a whole number of GiB from 1 to 100")
    ] = 1
    network: Annotated[Switch, Field(description="true or false")] = False
    """A VPC without internet and the KMS and S3 endpoints; costs about 0.01 USD an hour."""
    instance: Annotated[Switch, Field(description="true or false, and true only with network=true")] = False
    """A small instance in that VPC that mounts the first volume."""
    global_key: Annotated[Switch, Field(description="true or false")] = False
    """A multi-Region primary key."""
    ttl_hours: Annotated[
        Number, Field(ge=0, le=LONGEST_TTL_HOURS, description="a whole number of hours from 0 to 720")
    ] = 0
    """Hours after its deployment when AWS deletes the stacks of the lab; 0: never."""
    sandbox_accounts: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9]{12}\Z")], ...],
        Strings,
        Field(description="a comma-separated list of 12-digit account ids"),
    ] = ()
    """Accounts that ``kmslab --target aws`` may touch; the other way to name one is its organization's tag."""
    permissions_boundary: Annotated[
        str,
        Field(
            pattern=r"^[\w+=,.@-]{0,128}\Z",
            description="the name of a managed policy of the account, or empty",
        ),
    ] = ""
    """Boundary of every user and role of the lab (bootstrap/least-privilege.yaml); empty: the admin user's own."""

    @model_validator(mode="after")
    def _instance_needs_network(self) -> LabSettings:
        if self.instance and not self.network:
            raise ValueError("instance")
        return self

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> LabSettings:
        """Read the settings from a CDK context: the object ``kmslab`` and its ``kmslab.<key>`` overrides.

        Args:
            context: everything that the CDK CLI passes; other keys are not ours and are ignored.

        Raises:
            LabError: naming the first key that is wrong, its value and what is allowed.
        """
        values = _object(context.get(CONTEXT, {}))
        for key, value in context.items():
            if key.startswith(f"{CONTEXT}."):
                _set(values, key.removeprefix(f"{CONTEXT}.").split("."), value)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _in_one_line(error) from None

    @classmethod
    def from_project(cls, project: Path, overrides: Mapping[str, Any] | None = None) -> LabSettings:
        """Read the settings of a project's ``cdk.json``, with overrides as ``-c`` would give them.

        Args:
            project: the folder with ``cdk.json``.
            overrides: context values by name, such as ``{"kmslab.prefix": "class-7"}``.

        Raises:
            LabError: the file cannot be read, or a value is wrong.
        """
        file = project / "cdk.json"
        try:
            context: dict[str, Any] = {**json.loads(file.read_text(encoding="utf-8"))["context"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"{file} cannot be read as a CDK project: {error}",
                hint="run this in the folder of the KMS Lab clone",
                exit_code=ExitCode.BAD_INPUT,
            ) from error
        return cls.from_context({**context, **(overrides or {})})


def _object(value: object) -> dict[str, Any]:
    """Return the object ``kmslab``, which ``-c`` passes as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise LabError(
            f"the context value {CONTEXT} must be an object of settings",
            hint=f"""for example -c '{CONTEXT}={{"prefix": "class-7"}}' or -c {CONTEXT}.prefix=class-7""",
        )
    return json.loads(json.dumps(value))  # type: ignore[no-any-return]  # a copy: the context is not ours


def _set(values: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = values[part] = {}
        values = inner
    values[path[-1]] = value


def _in_one_line(error: ValidationError) -> LabError:
    """Turn pydantic's first finding into the line that a user reads."""
    finding = error.errors(include_url=False)[0]
    path = [str(part) for part in finding["loc"]] or ["instance"]
    model: type[BaseModel] = LabSettings
    described = ""
    named = []
    for part in path:
        field = model.model_fields.get(part)
        if field is None:
            break
        named.append(part)
        described = field.description or described
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    if finding["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return LabError(
            f"{CONTEXT}.{'.'.join(path)} is no setting of the lab; the settings are {known}",
            hint="see docs/settings.md",
        )
    value = True if finding["type"] == "value_error" else finding["input"]
    return LabError(
        f"{CONTEXT}.{'.'.join(named)} is {json.dumps(value, default=str)}, but must be {described}",
        hint=f"change it in cdk.json or with -c {CONTEXT}.{'.'.join(named)}=<value>",
    )
