# SPDX-License-Identifier: Apache-2.0
"""Tables of the audit trail. Names are kept beside ids, since users can be deleted."""

from sqlalchemy import BigInteger, Index, LargeBinary
from sqlmodel import Field

from service.storage.tables import BigKey, StoredRow


class AuditEventRow(StoredRow, table=True):
    """One event. `seal` is the position of the seal that covers it, 0 while there is none."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_seal_id", "seal", "id"), {"sqlite_autoincrement": True})

    id: int = Field(sa_type=BigKey, primary_key=True)
    time: int = Field(sa_type=BigInteger)
    organization: int = Field(sa_type=BigInteger)
    actor_id: int = Field(sa_type=BigInteger)
    actor: str
    subject_id: int = Field(sa_type=BigInteger)
    subject: str
    action: str
    resource: str
    changes: str
    request_id: str
    seal: int = Field(sa_type=BigInteger)


class AuditSealRow(StoredRow, table=True):
    """A link of the chain: a keyed digest over the link before it and the events it covers, in order of their ids."""

    __tablename__ = "audit_seals"

    position: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    time: int = Field(sa_type=BigInteger)
    events: int
    digest: bytes = Field(sa_type=LargeBinary)
