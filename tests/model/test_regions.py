from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from kmslab.model.regions import known, lacking, lacks, misspelt

if TYPE_CHECKING:
    from collections.abc import Iterable

EBS = "https://ebs.eu-central-1.amazonaws.com"


def error(code: str, message: str = "", operation: str = "CreateKey") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UnknownOperationException", ""),
        ("InvalidAction", "The action UpdateObjectEncryption is not valid for this web service."),
        ("NotImplemented", "A header you provided implies functionality that is not implemented"),
        ("UnsupportedOperationException", "KeySpec SM2 is not supported in this Region"),
        (
            "ValidationException",
            "1 validation error detected: Value 'ML_DSA_65' at 'keySpec' failed to satisfy constraint: "
            "Member must satisfy enum value set: [RSA_2048, HMAC_256]",
        ),
        ("Unsupported", "t3.nano is not supported in your requested Availability Zone (eu-central-1c)"),
    ],
)
def test_what_a_service_says_that_lacks_something(code: str, message: str) -> None:
    said = lacking(error(code, message))
    assert said.startswith(f"this target does not offer CreateKey as the check needs it ({code}: ")
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UnsupportedOperationException", "The key is not a symmetric encryption key"),
        ("ValidationException", "1 validation error detected: Value null at 'keyId'"),
        ("AccessDeniedException", "no identity-based policy allows the kms:CreateKey action"),
        ("ThrottlingException", "Rate exceeded"),
    ],
)
def test_what_a_service_says_that_has_it(code: str, message: str) -> None:
    assert lacking(error(code, message)) == ""


def test_other_errors_say_nothing_of_the_region() -> None:
    assert lacking(NoCredentialsError()) == ""
    assert lacking(ZeroDivisionError()) == ""


def names(monkeypatch: pytest.MonkeyPatch, existing: Iterable[str], number: int = socket.EAI_NONAME) -> None:
    """Have only these names exist."""

    def look_up(host: str, *_: Any) -> list[Any]:
        if host not in existing:
            raise socket.gaierror(number, "Name or service not known")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_a_service_whose_name_does_not_exist_beside_one_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"sts.eu-central-1.amazonaws.com"})
    assert lacking(EndpointConnectionError(endpoint_url=EBS)) == (
        "eu-central-1 has no ebs: the name ebs.eu-central-1.amazonaws.com does not exist"
    )


def test_without_a_network_no_service_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ())
    assert lacking(EndpointConnectionError(endpoint_url=EBS)) == ""


def test_a_name_that_could_not_be_looked_up_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"sts.eu-central-1.amazonaws.com"}, socket.EAI_AGAIN)
    assert lacking(EndpointConnectionError(endpoint_url=EBS)) == ""


@pytest.mark.parametrize("url", [EBS, "https://127.0.0.1:4566", "https://iam.amazonaws.com"])
def test_a_service_that_is_there_and_does_not_answer(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    names(monkeypatch, {"ebs.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com"})
    assert lacking(EndpointConnectionError(endpoint_url=url)) == ""


@pytest.mark.parametrize(
    "line",
    [
        "kms-lab-keys failed: ValidationError: Template format error: Unrecognized resource types: [AWS::X::Y]",
        "Resource handler returned message: KeySpec ML_DSA_65 is not supported in this Region",
    ],
)
def test_what_a_deployment_says(line: str) -> None:
    assert lacks(line)
    assert not lacks("Resource handler returned message: not authorized to perform: kms:CreateKey")


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-7"])
def test_regions_that_there_are(region: str) -> None:
    assert known(region)
    assert misspelt(EndpointConnectionError(endpoint_url=f"https://sts.{region}.amazonaws.com")) == ""


@pytest.mark.parametrize("region", ["eu-centrall-1", "us-gov-west-9", "xx-north-1"])
def test_a_region_that_there_is_not(region: str) -> None:
    assert misspelt(EndpointConnectionError(endpoint_url=f"https://sts.{region}.amazonaws.com/")) == region


def test_no_region_in_an_address_of_our_own() -> None:
    assert misspelt(EndpointConnectionError(endpoint_url="https://127.0.0.1:4566")) == ""
