# SPDX-License-Identifier: Apache-2.0
"""Applications: clients of ours, and our registrations at providers."""
