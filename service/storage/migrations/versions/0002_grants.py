# SPDX-License-Identifier: Apache-2.0
"""Access rules, grants, JWT mappings, token policies and device authorizations; what Venafi's applications need."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite counts an INTEGER PRIMARY KEY by itself, and no other type.
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# As they were when this migration was written; service/directory/bootstrap.py has them for new databases.
BUILT_IN_ROLES = (
    (
        5,
        "Auditor",
        "Sees all of OAuth and changes nothing.",
        "APPLICATIONS_VIEW USERS_VIEW ROLES_VIEW RULES_VIEW GRANTS_VIEW JWT_MAPPINGS_VIEW",
    ),
    (
        6,
        "Grant Administrator",
        "Sees applications and rules, sees and revokes grants.",
        "APPLICATIONS_VIEW RULES_VIEW GRANTS_VIEW GRANTS_REVOKE",
    ),
    (
        7,
        "OAuth Administrator",
        "Administers applications, rules, grants and their roles.",
        (
            "APPLICATIONS_VIEW APPLICATIONS_MANAGE APPLICATIONS_UPDATE USERS_VIEW ROLES_VIEW ROLES_BIND "
            "RULES_VIEW RULES_MANAGE GRANTS_VIEW GRANTS_REVOKE TOKENS_ISSUE TOKENS_INTROSPECT TOKEN_POLICY_MANAGE JWT_MAPPINGS_VIEW JWT_MAPPINGS_MANAGE"
        ),
    ),
    (
        8,
        "Application Owner",
        "Administers single applications.",
        (
            "APPLICATIONS_VIEW APPLICATIONS_MANAGE APPLICATIONS_UPDATE ROLES_BIND RULES_VIEW RULES_MANAGE "
            "GRANTS_VIEW GRANTS_REVOKE"
        ),
    ),
    (9, "Application Maintainer", "Changes single applications.", "APPLICATIONS_VIEW APPLICATIONS_UPDATE ROLES_BIND"),
)

_NEW_TEXTS = ("vendor", "uri", "required_scopes")


def upgrade() -> None:
    _create_tables()
    _widen_applications()
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT count(*) FROM roles")).scalar_one():
        _move_roles(connection)
        _add_roles(connection)


def _widen_applications() -> None:
    for name in _NEW_TEXTS:
        empty = "[]" if name == "required_scopes" else ""
        op.add_column("applications", sa.Column(name, sa.String(), nullable=False, server_default=empty))
    # SQLite cannot change a column: the nullable one is another, which takes the name.
    op.add_column("applications", sa.Column("renewable_or_not", sa.Boolean(), nullable=True))
    op.execute("UPDATE applications SET renewable_or_not = renewable")
    op.drop_column("applications", "renewable")
    op.execute("ALTER TABLE applications RENAME COLUMN renewable_or_not TO renewable")


def _move_roles(connection: sa.Connection) -> None:
    """Gives roles of one's own that have the numbers of the new built-in ones new numbers, behind all others."""
    columns = "organization, name, description, permissions, built_in, created, updated, revision"
    last = connection.execute(sa.text("SELECT max(id) FROM roles")).scalar_one()
    found = connection.execute(sa.text("SELECT id FROM roles WHERE id BETWEEN 5 AND 9 ORDER BY id")).scalars().all()
    for new, old in enumerate(found, start=max(last, 9) + 1):
        ids = {"new": new, "old": old}
        copy = f"INSERT INTO roles (id, {columns}) SELECT :new, {columns} FROM roles WHERE id = :old"  # noqa: S608
        connection.execute(sa.text(copy), ids)
        connection.execute(sa.text("UPDATE role_bindings SET role_id = :new WHERE role_id = :old"), ids)
        connection.execute(sa.text("DELETE FROM roles WHERE id = :old"), ids)


def _add_roles(connection: sa.Connection) -> None:
    now = time.time_ns() // 1000
    insert = sa.text(
        "INSERT INTO roles (id, organization, name, description, permissions, built_in, created, updated, revision)"
        " VALUES (:id, 1, :name, :description, :permissions, :built_in, :now, :now, 1)"
    )
    for number, name, description, permissions in BUILT_IN_ROLES:
        values = {"id": number, "name": name, "description": description, "permissions": permissions}
        connection.execute(insert, {**values, "built_in": True, "now": now})
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT setval(pg_get_serial_sequence('roles', 'id'), (SELECT max(id) FROM roles))"))


def _create_tables() -> None:
    op.create_table(
        "token_policies",
        sa.Column("organization", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("access_token_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("grant_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("renewable", sa.Boolean(), nullable=False),
        sa.Column("refused_grant_types", sa.String(), nullable=False),
        sa.Column("certificate_field", sa.Integer(), nullable=False),
        sa.Column("certificate_issuers", sa.String(), nullable=False),
        sa.Column("annotations", sa.String(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.number"], name="fk_token_policies_organization", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organization", name="pk_token_policies"),
    )
    op.create_table(
        "access_rules",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("application_number", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("allowed_scopes", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("access_token_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("grant_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("renewable", sa.Boolean(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_number"],
            ["applications.number"],
            name="fk_access_rules_application_number",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_access_rules_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_access_rules"),
        sa.UniqueConstraint("application_number", "user_id", name="uq_access_rules_application_number_user_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_rules_user_id", "access_rules", ["user_id"], unique=False)
    op.create_table(
        "device_authorizations",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("application_number", sa.BigInteger(), nullable=False),
        sa.Column("device_code", sa.LargeBinary(), nullable=False),
        sa.Column("user_code", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("decision", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("polled", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_number"],
            ["applications.number"],
            name="fk_device_authorizations_application_number",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_device_authorizations_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_device_authorizations"),
        sa.UniqueConstraint("device_code", name="uq_device_authorizations_device_code"),
        sa.UniqueConstraint("user_code", name="uq_device_authorizations_user_code"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_device_authorizations_application_number", "device_authorizations", ["application_number"], unique=False
    )
    op.create_index("ix_device_authorizations_expires", "device_authorizations", ["expires"], unique=False)
    op.create_index("ix_device_authorizations_user_id", "device_authorizations", ["user_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("application_number", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("grant_type", sa.Integer(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("renewable", sa.Boolean(), nullable=False),
        sa.Column("access_token", sa.LargeBinary(), nullable=False),
        sa.Column("access_token_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("access_token_issued", sa.BigInteger(), nullable=False),
        sa.Column("access_token_expires", sa.BigInteger(), nullable=False),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=True),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_number"], ["applications.number"], name="fk_grants_application_number", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_grants_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.UniqueConstraint("access_token", name="uq_grants_access_token"),
        sa.UniqueConstraint("refresh_token", name="uq_grants_refresh_token"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_grants_application_number_user_id", "grants", ["application_number", "user_id"], unique=False)
    revoked = sa.text("revoked > 0")
    op.create_index("ix_grants_revoked", "grants", ["revoked"], postgresql_where=revoked, sqlite_where=revoked)
    op.create_index("ix_grants_expires", "grants", ["expires"], unique=False)
    op.create_index("ix_grants_user_id", "grants", ["user_id"], unique=False)
    op.create_table(
        "jwt_mappings",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("issuer_uri", sa.String(), nullable=False),
        sa.Column("purpose_field", sa.String(), nullable=False),
        sa.Column("purpose_match", sa.String(), nullable=False),
        sa.Column("id_field", sa.String(), nullable=False),
        sa.Column("id_match", sa.String(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization"], ["organizations.number"], name="fk_jwt_mappings_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_jwt_mappings_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_jwt_mappings"),
        sa.UniqueConstraint("organization", "name", name="uq_jwt_mappings_organization_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jwt_mappings_user_id", "jwt_mappings", ["user_id"], unique=False)
    op.create_table(
        "used_refresh_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("grant_id", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grants.id"], name="fk_used_refresh_tokens_grant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name="pk_used_refresh_tokens"),
    )
    op.create_index("ix_used_refresh_tokens_grant_id", "used_refresh_tokens", ["grant_id"], unique=False)
    op.create_index("ix_used_refresh_tokens_used", "used_refresh_tokens", ["used"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM roles WHERE id BETWEEN 5 AND 9 AND built_in")
    op.add_column("applications", sa.Column("always", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE applications SET always = coalesce(renewable, false)")
    op.drop_column("applications", "renewable")
    op.execute("ALTER TABLE applications RENAME COLUMN always TO renewable")
    for name in reversed(_NEW_TEXTS):
        op.drop_column("applications", name)
    op.drop_index("ix_used_refresh_tokens_used", table_name="used_refresh_tokens")
    op.drop_index("ix_used_refresh_tokens_grant_id", table_name="used_refresh_tokens")
    op.drop_table("used_refresh_tokens")
    op.drop_index("ix_jwt_mappings_user_id", table_name="jwt_mappings")
    op.drop_table("jwt_mappings")
    op.drop_index("ix_grants_user_id", table_name="grants")
    op.drop_index("ix_grants_revoked", table_name="grants")
    op.drop_index("ix_grants_expires", table_name="grants")
    op.drop_index("ix_grants_application_number_user_id", table_name="grants")
    op.drop_table("grants")
    op.drop_index("ix_device_authorizations_user_id", table_name="device_authorizations")
    op.drop_index("ix_device_authorizations_expires", table_name="device_authorizations")
    op.drop_index("ix_device_authorizations_application_number", table_name="device_authorizations")
    op.drop_table("device_authorizations")
    op.drop_index("ix_access_rules_user_id", table_name="access_rules")
    op.drop_table("access_rules")
    op.drop_table("token_policies")
