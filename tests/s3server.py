"""A server that speaks S3 over HTTP on loopback, for the tests."""

from __future__ import annotations

import itertools
import logging

import boto3
from moto.server import ThreadedMotoServer


class S3Server:
    """Keeps everything in memory. `environment` is what a client needs to reach it."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self._numbers = itertools.count(1)
        self.client = boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def new_bucket(self) -> str:
        """The URL of a folder in a new bucket."""
        name = f"bucket{next(self._numbers)}"
        self.client.create_bucket(Bucket=name)
        return f"s3://{name}/some/prefix"

    def keys(self, url: str) -> list[str]:
        """All keys in the bucket of a URL."""
        found = self.client.list_objects_v2(Bucket=url.split("/")[2]).get("Contents", [])
        return [item["Key"] for item in found]

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()
