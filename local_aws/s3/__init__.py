"""What local_aws adds to moto's S3."""
