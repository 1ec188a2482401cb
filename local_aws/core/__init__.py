"""The core of local_aws: what every request passes, whichever service it is for.

A request comes in through `server` (the process and its port; `moto_server` has moto's application
behind it) and reaches `front`, which lets it pass, in this order: `control` if it is one of
local_aws's own endpoints below ``/_local/``; `call_identity`, which tells service, operation and
principal (with `rest_routes` for REST APIs and `call_resources` for the resource's ARN);
`fault_rules`, which may refuse it for a test; `authorisation`, the seam into which `local_aws.iam`
plugs; then the service, one of those that `services` lists or moto with its `moto_patches`; and at
the end `call_log`. Whatever is refused on the way is put into AWS's form by `aws_errors`. Beside
that path, `clients` is how services call each other, and `persistence` keeps the state of all of
them in a file.
"""
