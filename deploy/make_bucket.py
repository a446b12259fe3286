"""Makes the bucket that STORAGE_URL names, unless it is there; waits two minutes for the storage to answer."""

import os
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from loadify.bucket_url import bucket

options = bucket("STORAGE_URL", os.environ["STORAGE_URL"])
client = boto3.client(
    "s3",
    endpoint_url=options.get("endpoint_url"),
    region_name=options["region_name"],
    aws_access_key_id=options.get("access_key"),
    aws_secret_access_key=options.get("secret_key"),
)
until = time.monotonic() + 120
while True:
    try:
        if options["bucket_name"] not in [found["Name"] for found in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=options["bucket_name"])
        break
    except (BotoCoreError, ClientError) as problem:
        if time.monotonic() > until:
            sys.exit(f"The bucket {options['bucket_name']} could not be made: {problem}")
        time.sleep(1)
