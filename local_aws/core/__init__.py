"""What every service of local_aws stands on: the server, the front, the call log, faults and saved state."""
