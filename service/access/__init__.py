# SPDX-License-Identifier: Apache-2.0
"""Who is calling, and the one decision whether they may."""
