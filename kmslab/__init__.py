"""KMS Lab: AWS KMS encryption, provisioned with AWS CDK and proven end to end."""
