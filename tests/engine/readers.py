"""What each resource type is, told by the AWS APIs in the words of a template's properties."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

Properties = dict[str, Any]


def _own_tags(tags: Any, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    found = [{"Key": tag[key], "Value": tag[value]} for tag in tags]
    return sorted((tag for tag in found if not tag["Key"].startswith("aws:")), key=lambda tag: tag["Key"])


def _key(engine: Engine, key_id: str) -> Properties:
    kms = engine.client("kms", engine.root)  # the lab's key policies name nobody else of this account
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    found = {
        name: shown[name]
        for name in ("Description", "KeySpec", "KeyUsage", "Origin", "Enabled", "MultiRegion")
    }
    found["KeyPolicy"] = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    found["Tags"] = _own_tags(kms.list_resource_tags(KeyId=key_id)["Tags"], "TagKey", "TagValue")
    if shown["KeySpec"] == "SYMMETRIC_DEFAULT" and shown["Origin"] == "AWS_KMS":
        rotation = kms.get_key_rotation_status(KeyId=key_id)
        found["EnableKeyRotation"] = rotation["KeyRotationEnabled"]
        found["RotationPeriodInDays"] = rotation.get("RotationPeriodInDays")
    return found


def _alias(engine: Engine, name: str) -> Properties:
    pages = engine.client("kms").get_paginator("list_aliases").paginate()
    shown = next(a for page in pages for a in page["Aliases"] if a["AliasName"] == name)
    key = engine.client("kms", engine.root).describe_key(KeyId=shown["TargetKeyId"])["KeyMetadata"]
    return {"AliasName": name, "TargetKeyId": {key["KeyId"], key["Arn"]}}


def _bucket(engine: Engine, name: str) -> Properties:
    s3 = engine.client("s3")
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    for rule in rules:
        rule["ServerSideEncryptionByDefault"] = rule.pop("ApplyServerSideEncryptionByDefault")
    log = s3.get_bucket_logging(Bucket=name).get("LoggingEnabled", {})
    return {
        "BucketName": name,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": rules},
        "LoggingConfiguration": {
            "DestinationBucketName": log.get("TargetBucket"),
            "LogFilePrefix": log.get("TargetPrefix"),
        },
        "OwnershipControls": {
            "Rules": s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
        },
        "PublicAccessBlockConfiguration": s3.get_public_access_block(Bucket=name)[
            "PublicAccessBlockConfiguration"
        ],
        "VersioningConfiguration": {"Status": s3.get_bucket_versioning(Bucket=name).get("Status")},
        "Tags": _own_tags(s3.get_bucket_tagging(Bucket=name)["TagSet"]),
    }


def _bucket_policy(engine: Engine, physical_id: str) -> Properties:
    bucket = physical_id.removesuffix("-policy")
    found = engine.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    return {"Bucket": bucket, "PolicyDocument": json.loads(found)}


def _volume(engine: Engine, volume_id: str) -> Properties:
    shown = engine.client("ec2").describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    names = ("AvailabilityZone", "Encrypted", "Size", "VolumeType", "Iops", "Throughput")
    return {
        **{n: shown.get(n) for n in names},
        "KmsKeyId": shown.get("KmsKeyId"),
        "Tags": _own_tags(shown.get("Tags", [])),
    }


def _only(members: Properties, *names: str) -> Properties:
    return {name: members[name] for name in names if name in members}


def _instance(engine: Engine, instance_id: str) -> Properties:
    ec2 = engine.client("ec2")
    shown = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    mapping = shown["BlockDeviceMappings"][0]
    root = ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"][0]
    volume = {n: root[n] for n in ("Encrypted", "KmsKeyId", "VolumeType") if n in root}
    by_instance = [{"Name": "attachment.instance-id", "Values": [instance_id]}]
    attached = ec2.describe_volumes(Filters=by_instance)["Volumes"]
    return {
        **{n: shown[n] for n in ("ImageId", "InstanceType", "SubnetId", "EbsOptimized")},
        "AvailabilityZone": shown["Placement"]["AvailabilityZone"],
        "SecurityGroupIds": [group["GroupId"] for group in shown["SecurityGroups"]],
        "MetadataOptions": shown["MetadataOptions"],
        "BlockDeviceMappings": [
            {
                "DeviceName": mapping["DeviceName"],
                "Ebs": {**volume, "VolumeSize": root["Size"], **_only(mapping["Ebs"], "DeleteOnTermination")},
            }
        ],
        "Volumes": [
            _only(attachment, "Device", "VolumeId")
            for further in attached
            for attachment in further["Attachments"]
            if further["VolumeId"] != root["VolumeId"]
        ],
        "Tags": _own_tags(shown.get("Tags", [])),
    }


def _volume_attachment(engine: Engine, physical_id: str) -> Properties:
    volume_id, _ = physical_id.split("|")
    shown = engine.client("ec2").describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["Attachments"][0]
    return {name: shown[name] for name in ("VolumeId", "InstanceId", "Device")}


def _policies(names: list[str], read: Callable[[str], Any]) -> list[Properties]:
    return [{"PolicyName": name, "PolicyDocument": read(name)["PolicyDocument"]} for name in names]


def _role(engine: Engine, name: str) -> Properties:
    iam = engine.client("iam")
    shown = iam.get_role(RoleName=name)["Role"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        **{
            n: shown.get(n)
            for n in ("RoleName", "Description", "MaxSessionDuration", "AssumeRolePolicyDocument")
        },
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "Policies": _policies(inline, lambda policy: iam.get_role_policy(RoleName=name, PolicyName=policy)),
        "PermissionsBoundary": shown.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "Tags": _own_tags(shown.get("Tags", [])),
    }


def _group(engine: Engine, name: str) -> Properties:
    iam = engine.client("iam")
    attached = iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]
    inline = iam.list_group_policies(GroupName=name)["PolicyNames"]
    return {
        "GroupName": name,
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "Policies": _policies(inline, lambda policy: iam.get_group_policy(GroupName=name, PolicyName=policy)),
    }


def _user(engine: Engine, name: str) -> Properties:
    iam = engine.client("iam")
    shown = iam.get_user(UserName=name)["User"]
    attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    return {
        "UserName": name,
        "Groups": [group["GroupName"] for group in iam.list_groups_for_user(UserName=name)["Groups"]],
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "PermissionsBoundary": shown.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "Tags": _own_tags(shown.get("Tags", [])),
    }


def _managed_policy(engine: Engine, arn: str) -> Properties:
    iam = engine.client("iam")
    shown = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=shown["DefaultVersionId"])["PolicyVersion"]
    holders = iam.list_entities_for_policy(PolicyArn=arn)
    return {
        "ManagedPolicyName": shown["PolicyName"],
        "Description": shown.get("Description"),
        "PolicyDocument": version["Document"],
        "Roles": [role["RoleName"] for role in holders["PolicyRoles"]],
        "Groups": [group["GroupName"] for group in holders["PolicyGroups"]],
    }


def _secret(engine: Engine, arn: str) -> Properties:
    shown = engine.client("secretsmanager").describe_secret(SecretId=arn)
    found = {name: shown.get(name) for name in ("Name", "Description", "KmsKeyId")}
    return {**found, "Tags": _own_tags(shown.get("Tags", []))}


def _secret_policy(engine: Engine, arn: str) -> Properties:
    found = engine.client("secretsmanager").get_resource_policy(SecretId=arn)
    return {"SecretId": found["ARN"], "ResourcePolicy": json.loads(found["ResourcePolicy"])}


def _topic(engine: Engine, arn: str) -> Properties:
    sns = engine.client("sns")
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    return {
        "TopicName": arn.rsplit(":", 1)[-1],
        "DisplayName": attributes.get("DisplayName"),
        "KmsMasterKeyId": attributes.get("KmsMasterKeyId"),
        "Tags": _own_tags(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    }


def _rule(engine: Engine, name: str) -> Properties:
    events = engine.client("events")
    shown = events.describe_rule(Name=name)
    return {
        **{n: shown.get(n) for n in ("Name", "Description", "State")},
        "EventPattern": json.loads(shown["EventPattern"]),
        "Targets": events.list_targets_by_rule(Rule=name)["Targets"],
        "Tags": _own_tags(events.list_tags_for_resource(ResourceARN=shown["Arn"])["Tags"]),
    }


def _trail(engine: Engine, name: str) -> Properties:
    cloudtrail = engine.client("cloudtrail")
    shown = cloudtrail.get_trail(Name=name)["Trail"]
    tags = cloudtrail.list_tags(ResourceIdList=[shown["TrailARN"]])["ResourceTagList"][0]["TagsList"]
    return {
        **{
            n: shown.get(n)
            for n in ("S3BucketName", "S3KeyPrefix", "IsMultiRegionTrail", "IncludeGlobalServiceEvents")
        },
        "TrailName": shown["Name"],
        "KMSKeyId": shown.get("KmsKeyId"),
        "EnableLogFileValidation": shown["LogFileValidationEnabled"],
        "IsLogging": cloudtrail.get_trail_status(Name=name)["IsLogging"],
        "EventSelectors": cloudtrail.get_event_selectors(TrailName=name).get("EventSelectors"),
        "Tags": _own_tags(tags),
    }


def _function(engine: Engine, name: str) -> Properties:
    shown = engine.client("lambda").get_function_configuration(FunctionName=name)
    return {n: shown.get(n) for n in ("Timeout", "MemorySize", "Handler", "Role", "Runtime", "Description")}


def _parameter(engine: Engine, name: str) -> Properties:
    shown = engine.client("ssm").get_parameter(Name=name)["Parameter"]
    return {"Name": shown["Name"], "Value": shown["Value"]}


READERS: dict[str, Callable[[Engine, str], Properties]] = {
    "AWS::CloudTrail::Trail": _trail,
    "AWS::EC2::Instance": _instance,
    "AWS::EC2::Volume": _volume,
    "AWS::EC2::VolumeAttachment": _volume_attachment,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Group": _group,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Role": _role,
    "AWS::IAM::User": _user,
    "AWS::KMS::Alias": _alias,
    "AWS::KMS::Key": _key,
    "AWS::KMS::ReplicaKey": _key,
    "AWS::Lambda::Function": _function,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SecretsManager::ResourcePolicy": _secret_policy,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SNS::Topic": _topic,
    "AWS::SSM::Parameter": _parameter,
}
