"""The objects under `pending/` on S3: files that have arrived in part or whole, and that nobody has judged yet."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hawk.errors import Conflict, Upstream
from hawk.log_import.stamp import StampedLog
from hawk.naming import pending_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

SMALLEST_PART_BYTES = 5 * 1024 * 1024  # S3 takes no less for a part, but for the last
LARGEST_COPY_BYTES = 256 * 1024 * 1024  # of the 5 GiB that S3 allows: each copy must answer in time
COPIES_AT_ONCE = 4


class PendingObjects:
    """Uploads by their id; every method raises Upstream where S3 fails."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def begin(self, upload_id: str) -> str:
        """Return the id of a new multipart upload."""
        with _upstream():
            answer = self._s3.create_multipart_upload(Bucket=self._bucket, Key=pending_key(upload_id))
        return answer["UploadId"]

    def put_part(self, upload_id: str, s3_upload_id: str, number: int, data: bytes) -> str:
        """Keep a part and return its etag."""
        with _upstream():
            answer = self._s3.upload_part(
                Bucket=self._bucket, Key=pending_key(upload_id), UploadId=s3_upload_id, PartNumber=number, Body=data
            )
        return answer["ETag"]

    def complete(self, upload_id: str, s3_upload_id: str, etags: Sequence[tuple[int, str]], *, size_bytes: int) -> None:
        """Make the parts one object; done already is done."""
        from botocore.exceptions import ClientError

        parts: list[CompletedPartTypeDef] = [{"PartNumber": number, "ETag": etag} for number, etag in etags]
        with _upstream():
            try:
                self._s3.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=pending_key(upload_id),
                    UploadId=s3_upload_id,
                    MultipartUpload={"Parts": parts},
                )
            except ClientError as error:
                if _code(error) != "NoSuchUpload" or self._size(upload_id) != size_bytes:
                    raise
            if self._size(upload_id) != size_bytes:
                raise Upstream("S3 did not keep the file whole.", hint="Run the same command again.")

    def etag(self, upload_id: str) -> str:
        """Return the etag of a complete object."""
        with _upstream():
            answer = self._s3.head_object(Bucket=self._bucket, Key=pending_key(upload_id))
        return answer["ETag"].strip('"')

    def place(self, upload_id: str, stamped: StampedLog, key: str) -> None:
        """Put the stamped log at a key. Its kept bytes are copied within S3, whatever their size."""
        source = pending_key(upload_id)
        with _upstream():
            if stamped.kept_bytes < SMALLEST_PART_BYTES:
                head = self._read(source, stamped.kept_bytes)
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=head + stamped.tail)
                return
            s3_upload_id = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]
            try:
                self._copy(source, stamped, key, s3_upload_id)
            except BaseException:
                with contextlib.suppress(Exception):  # the first error is the one to tell
                    self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=s3_upload_id)
                raise

    def discard(self, upload_id: str, s3_upload_id: str | None) -> None:
        """Remove what there is of an upload, if anything."""
        from botocore.exceptions import ClientError

        with _upstream():
            if s3_upload_id is not None:
                try:
                    self._s3.abort_multipart_upload(
                        Bucket=self._bucket, Key=pending_key(upload_id), UploadId=s3_upload_id
                    )
                except ClientError as error:
                    if _code(error) != "NoSuchUpload":
                        raise
            self._s3.delete_object(Bucket=self._bucket, Key=pending_key(upload_id))

    def _copy(self, source: str, stamped: StampedLog, key: str, s3_upload_id: str) -> None:
        ranges = list(enumerate(_ranges(stamped.kept_bytes), start=1))

        def copy(numbered: tuple[int, tuple[int, int]]) -> "CompletedPartTypeDef":
            number, (begin, end) = numbered
            answer = self._s3.upload_part_copy(
                Bucket=self._bucket,
                Key=key,
                UploadId=s3_upload_id,
                PartNumber=number,
                CopySource={"Bucket": self._bucket, "Key": source},
                CopySourceRange=f"bytes={begin}-{end - 1}",
            )
            return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

        with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="s3-copy") as workers:
            parts = list(workers.map(copy, ranges))
        last_number = len(parts) + 1
        last = self._s3.upload_part(
            Bucket=self._bucket, Key=key, UploadId=s3_upload_id, PartNumber=last_number, Body=stamped.tail
        )
        parts.append({"PartNumber": last_number, "ETag": last["ETag"]})
        self._s3.complete_multipart_upload(
            Bucket=self._bucket, Key=key, UploadId=s3_upload_id, MultipartUpload={"Parts": parts}
        )

    def _read(self, key: str, size_bytes: int) -> bytes:
        if size_bytes == 0:
            return b""
        answer = self._s3.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{size_bytes - 1}")
        return answer["Body"].read()

    def _size(self, upload_id: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return self._s3.head_object(Bucket=self._bucket, Key=pending_key(upload_id))["ContentLength"]
        except ClientError as error:
            if _code(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise


def _ranges(size_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges that together are the bytes, none smaller than a part may be."""
    begin = 0
    while begin < size_bytes:
        end = min(begin + LARGEST_COPY_BYTES, size_bytes)
        if 0 < size_bytes - end < SMALLEST_PART_BYTES:
            end = size_bytes
        yield begin, end
        begin = end


@contextmanager
def _upstream() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if _code(error) == "NoSuchUpload":
            raise Conflict(
                "The upload was given up meanwhile.", hint="Run the same command again to begin anew."
            ) from error
        raise Upstream(f"The object store refused: {_code(error)}.", hint="Try again in a moment.") from error
    except BotoCoreError as error:
        raise Upstream("The object store does not answer.", hint="Try again in a moment.") from error


def _code(error: object) -> str:
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
