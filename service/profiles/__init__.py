# SPDX-License-Identifier: Apache-2.0
"""Profiles, the grants held at other providers, and the links that say who uses them."""
