# SPDX-License-Identifier: Apache-2.0
"""Memberships of client applications in organizations, rotation of their secrets, and roles in an organization."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# SQLite counts an INTEGER PRIMARY KEY by itself, and no other type.
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# As they were when this migration was written; service/directory/bootstrap.py has them for new databases.
BUILT_IN_ROLES = (
    (
        "Organization Owner",
        "May do everything in one organization.",
        (
            "ADMINISTRATOR MANAGEMENT_API ON_BEHALF_OF PROFILES_LIST PROFILES_GET PROFILES_REVEAL "
            "PROFILES_CREATE PROFILES_UPDATE PROFILES_DELETE PROFILES_ALL LINKS_VIEW LINKS_MANAGE "
            "APPLICATIONS_VIEW APPLICATIONS_REVEAL APPLICATIONS_MANAGE APPLICATIONS_UPDATE USERS_VIEW "
            "USERS_CREATE USERS_UPDATE USERS_DELETE CHANGE_PASSWORD OWN_API_TOKENS ROLES_VIEW ROLES_CREATE "
            "ROLES_UPDATE ROLES_DELETE ROLES_BIND ORGANIZATIONS_MANAGE USE_JDBC USE_ODBC USE_ODATA WEB_UI "
            "SQL_EDITOR REGISTER_EXTERNAL_AUTHENTICATION LIMITS IP_ALLOW_LIST RULES_VIEW RULES_MANAGE "
            "GRANTS_VIEW GRANTS_REVOKE TOKENS_ISSUE TOKENS_INTROSPECT TOKEN_POLICY_MANAGE JWT_MAPPINGS_VIEW "
            "JWT_MAPPINGS_MANAGE"
        ),
    ),
    (
        "Organization Administrator",
        "Administers all that is in one organization.",
        (
            "MANAGEMENT_API ON_BEHALF_OF PROFILES_LIST PROFILES_GET PROFILES_REVEAL PROFILES_CREATE "
            "PROFILES_UPDATE PROFILES_DELETE PROFILES_ALL LINKS_VIEW LINKS_MANAGE APPLICATIONS_VIEW "
            "APPLICATIONS_REVEAL APPLICATIONS_MANAGE APPLICATIONS_UPDATE USERS_VIEW USERS_CREATE USERS_UPDATE "
            "USERS_DELETE CHANGE_PASSWORD OWN_API_TOKENS ROLES_VIEW ROLES_CREATE ROLES_UPDATE ROLES_DELETE "
            "ROLES_BIND USE_JDBC USE_ODBC USE_ODATA WEB_UI SQL_EDITOR REGISTER_EXTERNAL_AUTHENTICATION LIMITS "
            "IP_ALLOW_LIST RULES_VIEW RULES_MANAGE GRANTS_VIEW GRANTS_REVOKE TOKENS_ISSUE TOKENS_INTROSPECT "
            "TOKEN_POLICY_MANAGE JWT_MAPPINGS_VIEW JWT_MAPPINGS_MANAGE"
        ),
    ),
    (
        "Developer",
        "Keeps applications, and profiles of their own.",
        (
            "MANAGEMENT_API PROFILES_LIST PROFILES_GET PROFILES_REVEAL PROFILES_CREATE PROFILES_UPDATE "
            "PROFILES_DELETE LINKS_VIEW LINKS_MANAGE APPLICATIONS_VIEW APPLICATIONS_MANAGE "
            "APPLICATIONS_UPDATE CHANGE_PASSWORD OWN_API_TOKENS ROLES_VIEW"
        ),
    ),
    (
        "Organization Member",
        "Sees their own profiles.",
        ("MANAGEMENT_API PROFILES_LIST PROFILES_GET CHANGE_PASSWORD OWN_API_TOKENS"),
    ),
)
NAMES = tuple(name for name, _, _ in BUILT_IN_ROLES)


def upgrade() -> None:
    op.create_table(
        "client_memberships",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("application_number", sa.BigInteger(), nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_number"],
            ["applications.number"],
            name=op.f("fk_client_memberships_application_number_applications"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization"],
            ["organizations.number"],
            name=op.f("fk_client_memberships_organization_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_memberships")),
        sa.UniqueConstraint(
            "application_number", "organization", name=op.f("uq_client_memberships_application_number")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_client_memberships_organization"), "client_memberships", ["organization"])
    op.add_column(
        "applications",
        sa.Column("owner_only_secret_rotation", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("applications", sa.Column("secret_rotation_lifetime", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_application_secrets_expires"), "application_secrets", ["expires"])
    op.add_column("users", sa.Column("application_number", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_users_application_number"), "users", ["application_number"], unique=True)
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT count(*) FROM roles")).scalar_one():
        _add_roles(connection)


def _add_roles(connection: sa.Connection) -> None:
    """Adds the new built-in roles behind all others: nothing asks for them by their ids."""
    insert = sa.text(
        "INSERT INTO roles (organization, name, description, permissions, built_in, created, updated, revision)"
        " VALUES (1, :name, :description, :permissions, :built_in, :now, :now, 1)"
    )
    now = time.time_ns() // 1_000
    for name, description, permissions in BUILT_IN_ROLES:
        values = {"name": name, "description": description, "permissions": permissions}
        connection.execute(insert, {**values, "built_in": True, "now": now})


def downgrade() -> None:
    roles = sa.table("roles", sa.column("name", sa.String()), sa.column("built_in", sa.Boolean()))
    op.execute(roles.delete().where(roles.c.built_in, roles.c.name.in_(NAMES)))
    # What clients own has no owner before this migration; see service/directory/tables.py.
    op.execute("UPDATE profiles SET owner_id = 1 WHERE owner_id IN (SELECT id FROM users WHERE application_number > 0)")
    op.execute("DELETE FROM users WHERE application_number IS NOT NULL")
    op.drop_index(op.f("ix_users_application_number"), table_name="users")
    op.drop_column("users", "application_number")
    op.drop_index(op.f("ix_application_secrets_expires"), table_name="application_secrets")
    op.drop_column("applications", "secret_rotation_lifetime")
    op.drop_column("applications", "owner_only_secret_rotation")
    op.drop_index(op.f("ix_client_memberships_organization"), table_name="client_memberships")
    op.drop_table("client_memberships")
