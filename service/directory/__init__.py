# SPDX-License-Identifier: Apache-2.0
"""Organizations, users, roles, bindings and API tokens."""
