// The lab's stacks once more, in JavaScript: the same constructs with the same settings, in the same order.
//
// What is data is not written again: policies and acknowledged findings come from the Python app's own
// assembly (lab.json, made by __init__.py). The benchmark compares the templates of both byte by byte.
const { readFileSync } = require("node:fs");
const cdk = require("aws-cdk-lib");
const cloudtrail = require("aws-cdk-lib/aws-cloudtrail");
const ec2 = require("aws-cdk-lib/aws-ec2");
const events = require("aws-cdk-lib/aws-events");
const iam = require("aws-cdk-lib/aws-iam");
const kms = require("aws-cdk-lib/aws-kms");
const s3 = require("aws-cdk-lib/aws-s3");
const secretsmanager = require("aws-cdk-lib/aws-secretsmanager");
const sns = require("aws-cdk-lib/aws-sns");

const lab = JSON.parse(readFileSync(process.env.KMSLAB_BENCHMARK_DATA, "utf8"));
const prefix = lab.settings.prefix;
const arns = {};

// Put this app's tokens where the other's template imports a key's ARN.
function fill(value) {
  if (Array.isArray(value)) return value.map(fill);
  if (value === null || typeof value !== "object") return value;
  if (value["Fn::ImportValue"]) return arns[lab.exports[value["Fn::ImportValue"]]];
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
}

class LabStack extends cdk.Stack {
  constructor(app, name, description) {
    super(app, `${prefix}-${name}`, { description });
    this.short = name;
    this.data = lab.stacks[name];
  }

  of(id) {
    return this.data.properties[id];
  }

  policy(id, property = "PolicyDocument") {
    return fill(this.of(id)[property]);
  }

  output(name, value) {
    new cdk.CfnOutput(this, name, { value, description: this.data.outputs[name] });
  }

  acknowledge(construct) {
    const findings = lab.acknowledged[construct.node.path];
    if (findings) {
      cdk.Validations.of(construct).acknowledge(
        ...Object.entries(findings).map(([id, reason]) => ({ id, reason })),
      );
    }
    return construct;
  }

  attach(id) {
    const policy = this.of(id);
    return this.acknowledge(
      new iam.CfnManagedPolicy(this, id, {
        description: policy.Description,
        policyDocument: this.policy(id),
        roles: policy.Roles,
      }),
    );
  }

  secret(id, kmsKeyId) {
    const generated = this.of(id).GenerateSecretString;
    return this.acknowledge(
      new secretsmanager.CfnSecret(this, id, {
        description: this.of(id).Description,
        kmsKeyId,
        generateSecretString: {
          secretStringTemplate: generated.SecretStringTemplate,
          generateStringKey: generated.GenerateStringKey,
          passwordLength: generated.PasswordLength,
          requireEachIncludedType: generated.RequireEachIncludedType,
          excludeCharacters: generated.ExcludeCharacters,
          excludePunctuation: generated.ExcludePunctuation,
        },
      }),
    );
  }
}

class Keys extends LabStack {
  constructor(app) {
    super(app, "keys", "KMS Lab: keys and aliases");
    for (const [id, name] of lab.keys) {
      const wanted = this.of(id);
      const key = new kms.CfnKey(this, id, {
        description: wanted.Description,
        keyPolicy: wanted.KeyPolicy,
        keySpec: wanted.KeySpec,
        keyUsage: wanted.KeyUsage,
        origin: wanted.Origin,
        enableKeyRotation: wanted.EnableKeyRotation,
        rotationPeriodInDays: wanted.RotationPeriodInDays,
        pendingWindowInDays: wanted.PendingWindowInDays,
      });
      key.cfnOptions.deletionPolicy = cdk.CfnDeletionPolicy.DELETE;
      key.cfnOptions.updateReplacePolicy = cdk.CfnDeletionPolicy.RETAIN;
      this.acknowledge(key);
      new kms.CfnAlias(this, `${id}Alias`, { aliasName: `alias/${prefix}/${name}`, targetKeyId: key.ref });
      this.output(`Key${id}`, key.attrArn);
      arns[name] = key.attrArn;
    }
  }
}

class Identity extends LabStack {
  constructor(app) {
    super(app, "identity", "KMS Lab: admin user and personas");
    const bounds = this.acknowledge(
      new iam.CfnManagedPolicy(this, "AdminBoundaryPolicy", {
        managedPolicyName: `${prefix}-admin-boundary`,
        description: "KMS Lab: what the admin user can at most do",
        policyDocument: this.policy("AdminBoundaryPolicy"),
      }),
    );
    const rules = new iam.CfnManagedPolicy(this, "RequireMfa", {
      description: "KMS Lab: without MFA, nothing but setting up MFA",
      policyDocument: this.policy("RequireMfa"),
    });
    const group = this.acknowledge(
      new iam.CfnGroup(this, "Administrators", {
        managedPolicyArns: [
          cdk.Fn.sub("arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"),
          rules.ref,
        ],
      }),
    );
    const password = this.secret("AdminPassword", arns.secrets);
    const user = new iam.CfnUser(this, "User", {
      userName: lab.settings.admin_user,
      groups: [group.ref],
      permissionsBoundary: bounds.ref,
      loginProfile: {
        password: cdk.Fn.join("", [
          "{{resolve:secretsmanager:",
          password.ref,
          ":SecretString:password}}",
        ]),
        passwordResetRequired: true,
      },
    });
    this.output("AdminUser", user.ref);
    this.output("AdminPasswordSecret", password.ref);
    this.output("AdminBoundary", bounds.ref);
    for (const name of lab.roles) {
      const wanted = this.of(name);
      const role = new iam.CfnRole(this, name, {
        roleName: wanted.RoleName,
        description: wanted.Description,
        assumeRolePolicyDocument: this.policy(name, "AssumeRolePolicyDocument"),
        maxSessionDuration: wanted.MaxSessionDuration,
      });
      this.output(`Role${name}`, role.attrArn);
      if (this.of(`${name}Policy`)) this.attach(`${name}Policy`).addResourceDependency(role);
    }
  }
}

class Storage extends LabStack {
  constructor(app) {
    super(app, "storage", "KMS Lab: S3 buckets");
    const key = kms.Key.fromKeyArn(this, "Key", arns.s3);
    this.logs = this.bucket("AccessLogs", { encryption: s3.BucketEncryption.S3_MANAGED });
    const data = this.logged("Data", {
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      blockedEncryptionTypes: [s3.BlockedEncryptionType.SSE_C],
    });
    for (const statement of lab.refusals) {
      data.addToResourcePolicy(
        iam.PolicyStatement.fromJson({ ...fill(statement), Resource: data.arnForObjects("*") }),
      );
    }
    const sse = this.logged("SseS3", { encryption: s3.BucketEncryption.S3_MANAGED });
    const managed = this.logged("AwsManaged", {
      encryption: s3.BucketEncryption.KMS_MANAGED,
      bucketKeyEnabled: true,
    });
    const dsse = this.logged("Dsse", { encryption: s3.BucketEncryption.DSSE, encryptionKey: key });
    this.output("DataBucket", data.bucketName);
    this.output("AccessLogBucket", this.logs.bucketName);
    this.output("SseS3Bucket", sse.bucketName);
    this.output("AwsManagedBucket", managed.bucketName);
    this.output("DsseBucket", dsse.bucketName);
    for (const persona of ["DataOwner", "DataReader", "StorageOperator", "Auditor"]) {
      this.attach(`${persona}Policy`);
    }
  }

  bucket(name, choices) {
    return this.acknowledge(
      new s3.Bucket(this, name, {
        blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
        objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforceSSL: true,
        minimumTLSVersion: 1.2,
        versioned: true,
        removalPolicy: cdk.RemovalPolicy.DESTROY,
        autoDeleteObjects: true,
        ...choices,
      }),
    );
  }

  logged(name, choices) {
    return this.bucket(name, {
      serverAccessLogsBucket: this.logs,
      serverAccessLogsPrefix: `${name.toLowerCase()}/`,
      ...choices,
    });
  }
}

class Volumes extends LabStack {
  constructor(app) {
    super(app, "volumes", "KMS Lab: EBS volumes");
    const volume = new ec2.CfnVolume(this, "Data1", {
      availabilityZone: cdk.Fn.select(0, cdk.Fn.getAzs()),
      encrypted: true,
      kmsKeyId: arns.ebs,
      size: lab.settings.volume_size_gib,
      volumeType: "gp3",
      tags: [{ key: "Name", value: `${prefix}-data1` }],
    });
    volume.cfnOptions.deletionPolicy = cdk.CfnDeletionPolicy.DELETE;
    this.acknowledge(volume);
    this.output("DataVolume", volume.ref);
    this.attach("DataOwnerPolicy");
    this.attach("StorageOperatorPolicy");
  }
}

class Secrets extends LabStack {
  constructor(app) {
    super(app, "secrets", "KMS Lab: a secret");
    const secret = this.secret("App", arns.secrets);
    new secretsmanager.CfnResourcePolicy(this, "AppPolicy", {
      secretId: secret.ref,
      resourcePolicy: this.policy("AppPolicy", "ResourcePolicy"),
      blockPublicPolicy: true,
    });
    this.output("AppSecret", secret.ref);
    this.attach("DataOwnerPolicy");
    this.attach("AuditorPolicy");
  }
}

class Audit extends LabStack {
  constructor(app) {
    super(app, "audit", "KMS Lab: trail and alarms");
    const bucket = this.acknowledge(
      new s3.Bucket(this, "TrailLogs", {
        encryption: s3.BucketEncryption.KMS,
        encryptionKey: kms.Key.fromKeyArn(this, "Key", arns.trail),
        bucketKeyEnabled: false,
        blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
        objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforceSSL: true,
        versioned: true,
        removalPolicy: cdk.RemovalPolicy.DESTROY,
        autoDeleteObjects: true,
      }),
    );
    const [look, write] = lab.logDelivery;
    bucket.addToResourcePolicy(iam.PolicyStatement.fromJson({ ...look, Resource: bucket.bucketArn }));
    bucket.addToResourcePolicy(
      iam.PolicyStatement.fromJson({
        ...write,
        Resource: `${bucket.bucketArn}/AWSLogs/${cdk.Aws.ACCOUNT_ID}/*`,
      }),
    );
    const trail = this.acknowledge(
      new cloudtrail.CfnTrail(this, "ManagementEvents", {
        trailName: prefix,
        isLogging: true,
        s3BucketName: bucket.bucketName,
        kmsKeyId: arns.trail,
        enableLogFileValidation: true,
        includeGlobalServiceEvents: true,
        isMultiRegionTrail: true,
      }),
    );
    trail.node.addDependency(bucket.policy);
    this.output("Trail", trail.attrArn);
    this.output("TrailBucket", bucket.bucketName);
    const topic = new sns.CfnTopic(this, "Alarms", {
      topicName: `${prefix}-alarms`,
      kmsMasterKeyId: arns.trail,
    });
    const wanted = this.of("DangerousKeyOperations");
    const rule = new events.CfnRule(this, "DangerousKeyOperations", {
      name: wanted.Name,
      description: wanted.Description,
      eventPattern: wanted.EventPattern,
      targets: [{ id: "alarms", arn: topic.ref }],
    });
    new sns.CfnTopicPolicy(this, "AlarmsPolicy", {
      topics: [topic.ref],
      policyDocument: this.policy("AlarmsPolicy"),
    });
    this.output("AlarmRule", cdk.Fn.select(1, cdk.Fn.split("rule/", rule.attrArn)));
    this.output("AlarmTopic", topic.ref);
    this.attach("AuditorPolicy");
  }
}

const app = new cdk.App({ analyticsReporting: false, stackTraces: false, treeMetadata: false });
new Keys(app);
const identity = new Identity(app);
for (const Dependent of [Storage, Volumes, Secrets, Audit]) {
  new Dependent(app).addStackDependency(identity);
}
cdk.Tags.of(app).add("kmslab:prefix", prefix);
for (const stack of app.node.children) stack.addStackTag("kmslab:prefix", prefix);
app.synth();
