# SPDX-License-Identifier: Apache-2.0
"""Consent: how a profile gets its first tokens, and how its grant ends at the provider when it is deleted."""
