"""GetAccountAuthorizationDetails shows permissions boundaries, as AWS does; MiniStack leaves them out.

Source: IAM API Reference, UserDetail and RoleDetail.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape


def install() -> None:
    """Apply the hook."""
    from ministack.services import iam

    from kmslab.engine.hooks import extend

    extend(iam, "_get_account_authorization_details", "p")(with_boundaries)


def with_boundaries(stock: Any, p: Any) -> Any:
    """Add the boundary to each user and role that has one."""
    from ministack.services import iam

    status, headers, body = stock(p)
    text = body.decode()
    for entity in (*iam._users.values(), *iam._roles.values()):
        if boundary := entity.get("PermissionsBoundary"):
            itself = f"<Arn>{entity['Arn']}</Arn>"
            shown = (
                "<PermissionsBoundary><PermissionsBoundaryType>PermissionsBoundaryPolicy</PermissionsBoundaryType>"
                f"<PermissionsBoundaryArn>{escape(boundary)}</PermissionsBoundaryArn></PermissionsBoundary>"
            )
            text = text.replace(itself, f"{itself}{shown}", 1)
    return status, headers, text.encode()
