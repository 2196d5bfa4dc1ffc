"""Website configurations that S3 refuses, as recorded from it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import refused

INDEX = {"IndexDocument": {"Suffix": "index.html"}}
TO = {"RedirectAllRequestsTo": {"HostName": "there"}}


def ruled(**rule: Any) -> dict[str, Any]:
    return {**INDEX, "RoutingRules": [rule]}


@pytest.mark.parametrize(
    ("configuration", "code", "words"),
    [
        ({"IndexDocument": {"Suffix": "/a"}}, "InvalidArgument", "Suffix is not well formed"),
        ({"IndexDocument": {"Suffix": ""}}, "InvalidArgument", "Suffix is not well formed"),
        ({**INDEX, **TO}, "InvalidArgument", "cannot be provided in conjunction with other Routing Rules"),
        ({}, "InvalidArgument", "must be provided if RedirectAllRequestsTo is empty"),
        (
            {"RedirectAllRequestsTo": {"HostName": "a", "Protocol": "ftp"}},
            "InvalidRequest",
            "Invalid protocol",
        ),
        ({**INDEX, "RoutingRules": []}, "MalformedXML", ""),
        (ruled(Condition={"KeyPrefixEquals": "a"}), "MalformedXML", ""),
        (ruled(Condition={}, Redirect={"HostName": "a"}), "InvalidRequest", "Condition cannot be empty"),
        (ruled(Redirect={"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}), "InvalidRequest", "not both"),
        (ruled(Redirect={"Protocol": "ftp"}), "InvalidRequest", "Invalid protocol"),
    ],
)
def test_a_configuration_that_is_none_is_refused(
    s3: Any, bucket: str, configuration: dict[str, Any], code: str, words: str
) -> None:
    with refused(code, words):
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)
    with refused("NoSuchWebsiteConfiguration"):
        s3.get_bucket_website(Bucket=bucket)


def test_a_website_is_configured(s3: Any, bucket: str) -> None:
    for configuration in (INDEX, TO, ruled(Redirect={"HostName": "a", "Protocol": "https"})):
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)
        told = s3.get_bucket_website(Bucket=bucket)
        assert {name: told[name] for name in configuration} == configuration
