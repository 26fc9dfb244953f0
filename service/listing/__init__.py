# SPDX-License-Identifier: Apache-2.0
"""How every list is filtered, ordered and paged (AIP-132, AIP-158, AIP-160): one mechanism for all List methods.

Knows SQLAlchemy Core, service.crypto and service.errors, and none of the rooms that use it.
"""
