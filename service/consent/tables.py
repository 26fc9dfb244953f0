# SPDX-License-Identifier: Apache-2.0
"""Tables of authorizations that wait for their answer, and of revocations. Times are epoch microseconds."""

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlmodel import Field

from service.storage.tables import StoredRow


class AuthorizationRow(StoredRow, table=True):
    """An authorization request whose answer somebody's browser is to bring: it is gone as soon as that has come.

    The state is a keyed digest, the code verifier is sealed. `user_id` is who began; `actor_id` who did so on their
    behalf, NULL where nobody did; `organization` that of whoever logged in.
    """

    __tablename__ = "authorizations"

    state_digest: str = Field(primary_key=True)
    profile_id: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("profiles.id", ondelete="CASCADE"),), index=True
    )
    user_id: int = Field(sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True)
    actor_id: int | None = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("users.id", ondelete="CASCADE"),), index=True, nullable=True
    )
    organization: int = Field(
        sa_type=BigInteger, sa_column_args=(ForeignKey("organizations.number", ondelete="CASCADE"),)
    )
    code_verifier: bytes = Field(sa_type=LargeBinary)
    redirect_uri: str
    scope: str
    expires: int = Field(sa_type=BigInteger, index=True)
    created: int = Field(sa_type=BigInteger)


class RevocationRow(StoredRow, table=True):
    """A token of a profile that is deleted, which its provider is to revoke, and all that it takes to ask for that.

    It outlives profile, application and organization, and so it refers to none of them.
    """

    __tablename__ = "revocations"

    id: str = Field(primary_key=True)
    profile_id: int = Field(sa_type=BigInteger)
    organization: int = Field(sa_type=BigInteger)
    revocation_uri: str
    client_id: str
    client_secret: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    client_authentication: int
    token: bytes = Field(sa_type=LargeBinary)
    token_type_hint: str
    attempts: int
    next_try: int = Field(sa_type=BigInteger, index=True)
    first_try: int = Field(sa_type=BigInteger)
