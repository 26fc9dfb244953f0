# SPDX-License-Identifier: Apache-2.0
"""The table of replies that are kept so that a request can be repeated (AIP-155)."""

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field

from service.storage.tables import StoredRow


class RequestReplyRow(StoredRow, table=True):
    """The reply to a request with a request id: a keyed digest of the request, and the reply sealed."""

    __tablename__ = "request_replies"

    user_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    method: str = Field(primary_key=True)
    request_id: str = Field(primary_key=True)
    request_digest: bytes = Field(sa_type=LargeBinary)
    reply: bytes = Field(sa_type=LargeBinary)
    created: int = Field(sa_type=BigInteger, index=True)
