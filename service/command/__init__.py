# SPDX-License-Identifier: Apache-2.0
"""The subcommands of `almoner`, a module each: `configure` adds the arguments and says what runs them."""
