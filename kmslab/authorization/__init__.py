"""Policies evaluated offline: the decision, the statement that decided, and what would change it.

Pure: no network, no boto3, no engine. The local engine decides with this code, and so do
``kmslab who-can`` and ``kmslab explain`` on policies that were read from any target.
"""
