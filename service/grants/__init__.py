# SPDX-License-Identifier: Apache-2.0
"""Who may get tokens of which client application, under which policy, and what was issued."""
