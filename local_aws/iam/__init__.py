"""IAM as AWS enforces it: who may make which call on which resource.

Pure policy language: ``wildcards``, ``policy_documents``, ``conditions``, ``evaluation`` (no moto,
clock or network). What a call needs: ``permissions``. What moto stores: ``principals``,
``resource_policies``. Joined in ``enforcement``, which the server plugs into
``local_aws.core.authorisation``. No module here imports a service of local_aws.
"""
