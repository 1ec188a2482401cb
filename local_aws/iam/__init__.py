"""IAM as AWS enforces it: who may make which call on which resource.

``wildcards``, ``policy_documents``, ``conditions`` and ``evaluation`` are the policy language,
without moto, clock or network. ``permissions`` says what a call needs; ``principals`` and
``resource_policies`` read what moto stores. ``enforcement`` joins them, and the server plugs it
into ``local_aws.core.authorisation``. No module here imports a service of local_aws.
"""
