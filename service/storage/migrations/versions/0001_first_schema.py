# SPDX-License-Identifier: Apache-2.0
"""The first schema: directory, applications, profiles, links, audit trail, kept replies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts an INTEGER PRIMARY KEY by itself, and no other type.
BigKey = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("changes", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("seal", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_events_seal_id", "audit_events", ["seal", "id"], unique=False)
    op.create_table(
        "audit_seals",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit_seals"),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "organizations",
        sa.Column("number", BigKey, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_organizations"),
        sa.UniqueConstraint("id", name="uq_organizations_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "request_replies",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "method", "request_id", name="pk_request_replies"),
    )
    op.create_index("ix_request_replies_created", "request_replies", ["created"], unique=False)
    op.create_table(
        "applications",
        sa.Column("number", BigKey, nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("authorize_uri", sa.String(), nullable=False),
        sa.Column("token_uri", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("allowed_scopes", sa.String(), nullable=False),
        sa.Column("grant_types", sa.String(), nullable=False),
        sa.Column("redirect_uris", sa.String(), nullable=False),
        sa.Column("access_token_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("grant_lifetime", sa.BigInteger(), nullable=False),
        sa.Column("renewable", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organizations.number"], name="fk_applications_organization"),
        sa.PrimaryKeyConstraint("number", name="pk_applications"),
        sa.UniqueConstraint("id", name="uq_applications_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_applications_organization", "applications", ["organization"], unique=False)
    op.create_index("ix_applications_owner_id", "applications", ["owner_id"], unique=False)
    op.create_table(
        "roles",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("permissions", sa.String(), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organizations.number"], name="fk_roles_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_roles_organization", "roles", ["organization"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_digest", sa.String(), nullable=False),
        sa.Column("password_expires", sa.BigInteger(), nullable=False),
        sa.Column("credential_revision", sa.Integer(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("permissions", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organizations.number"], name="fk_users_organization"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_users_organization", "users", ["organization"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_tokens_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("digest", name="uq_api_tokens_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_tokens_user_id", "api_tokens", ["user_id"], unique=False)
    op.create_table(
        "application_secrets",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("application_number", sa.BigInteger(), nullable=False),
        sa.Column("generated", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_number"],
            ["applications.number"],
            name="fk_application_secrets_application_number",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_application_secrets"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_application_secrets_application_number", "application_secrets", ["application_number"], unique=False
    )
    op.create_table(
        "profiles",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("creator_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("application_number", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("access_token", sa.LargeBinary(), nullable=True),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=True),
        sa.Column("verification_token", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["application_number"], ["applications.number"], name="fk_profiles_application_number"),
        sa.ForeignKeyConstraint(["organization"], ["organizations.number"], name="fk_profiles_organization"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_profiles_owner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_profiles"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_profiles_application_number", "profiles", ["application_number"], unique=False)
    op.create_index("ix_profiles_creator_id", "profiles", ["creator_id"], unique=False)
    op.create_index("ix_profiles_organization_id", "profiles", ["organization", "id"], unique=False)
    op.create_index("ix_profiles_owner_id", "profiles", ["owner_id"], unique=False)
    op.create_table(
        "role_bindings",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("place_kind", sa.Integer(), nullable=False),
        sa.Column("place_number", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_role_bindings_role_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_role_bindings_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_role_bindings"),
        sa.UniqueConstraint(
            "user_id",
            "role_id",
            "place_kind",
            "place_number",
            name="uq_role_bindings_user_id_role_id_place_kind_place_number",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_role_bindings_role_id", "role_bindings", ["role_id"], unique=False)
    op.create_table(
        "profile_links",
        sa.Column("id", BigKey, nullable=False),
        sa.Column("organization", sa.BigInteger(), nullable=False),
        sa.Column("creator_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=True),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organizations.number"], name="fk_profile_links_organization"),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name="fk_profile_links_profile_id"),
        sa.PrimaryKeyConstraint("id", name="pk_profile_links"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_profile_links_creator_id", "profile_links", ["creator_id"], unique=False)
    op.create_index("ix_profile_links_organization_id", "profile_links", ["organization", "id"], unique=False)
    op.create_index("ix_profile_links_profile_id", "profile_links", ["profile_id"], unique=False)
    op.create_index(
        "uq_profile_links_profile_id",
        "profile_links",
        ["profile_id", "kind", "external_id"],
        unique=True,
        sqlite_where=sa.text("external_id <> ''"),
        postgresql_where=sa.text("external_id <> ''"),
    )


def downgrade() -> None:
    op.drop_index("uq_profile_links_profile_id", table_name="profile_links")
    op.drop_index("ix_profile_links_profile_id", table_name="profile_links")
    op.drop_index("ix_profile_links_organization_id", table_name="profile_links")
    op.drop_index("ix_profile_links_creator_id", table_name="profile_links")
    op.drop_table("profile_links")
    op.drop_index("ix_role_bindings_role_id", table_name="role_bindings")
    op.drop_table("role_bindings")
    op.drop_index("ix_profiles_owner_id", table_name="profiles")
    op.drop_index("ix_profiles_organization_id", table_name="profiles")
    op.drop_index("ix_profiles_creator_id", table_name="profiles")
    op.drop_index("ix_profiles_application_number", table_name="profiles")
    op.drop_table("profiles")
    op.drop_index("ix_application_secrets_application_number", table_name="application_secrets")
    op.drop_table("application_secrets")
    op.drop_index("ix_api_tokens_user_id", table_name="api_tokens")
    op.drop_table("api_tokens")
    op.drop_index("ix_users_organization", table_name="users")
    op.drop_table("users")
    op.drop_index("ix_roles_organization", table_name="roles")
    op.drop_table("roles")
    op.drop_index("ix_applications_owner_id", table_name="applications")
    op.drop_index("ix_applications_organization", table_name="applications")
    op.drop_table("applications")
    op.drop_index("ix_request_replies_created", table_name="request_replies")
    op.drop_table("request_replies")
    op.drop_table("organizations")
    op.drop_table("facts")
    op.drop_table("audit_seals")
    op.drop_index("ix_audit_events_seal_id", table_name="audit_events")
    op.drop_table("audit_events")
