"""Clients of S3, made from settings; the embedded S3 and AWS differ by nothing but these."""

from typing import TYPE_CHECKING

from hawk.settings import BrokerSettings, ObjectStoreSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient


def s3_client(settings: ObjectStoreSettings) -> "S3Client":
    """Return a client with short timeouts and three tries; safe to share between threads."""
    import boto3
    from botocore.config import Config

    secret = settings.s3_secret_access_key
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 3, "mode": "standard"},
            signature_version="s3v4",  # of addresses that are signed for others, too
            s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
        ),
    )


def sts_client(settings: BrokerSettings) -> "STSClient":
    """Return a client of STS; the embedded one answers at the address of S3."""
    import boto3
    from botocore.config import Config

    secret = settings.s3_secret_access_key
    return boto3.client(
        "sts",
        endpoint_url=settings.sts_endpoint_url or settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"}),
    )
