"""`make policy`: print the IAM policies that one pipeline needs."""
