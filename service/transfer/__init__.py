# SPDX-License-Identifier: Apache-2.0
"""A whole house as a file of lines, out of one database and into another."""
