# SPDX-License-Identifier: Apache-2.0
"""Who did what to which resource: events written with what they tell of, and a chain that follows them."""
