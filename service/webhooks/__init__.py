# SPDX-License-Identifier: Apache-2.0
"""Webhooks: changes of profiles, sent to where an organization wants to hear of them."""
