# SPDX-License-Identifier: Apache-2.0
"""What the forms of the activation page send."""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.constraints import Body

UserCode = Annotated[str, Meta(max_length=64, description="The code that the device shows.")]


class ByCode(Struct):
    """Path parameters of the page with a code filled in."""

    user_code: UserCode


class ActivationBody(Body):
    """One form for all: the last button says what is meant by it. What is left empty is asked for again."""

    form_token: Annotated[str, Meta(max_length=64)] = ""
    user_code: UserCode = ""
    username: Annotated[str, Meta(max_length=134)] = ""
    password: Annotated[str, Meta(max_length=1024)] = ""
    decision: Annotated[str, Meta(max_length=16, description="`look`, `allow` or `refuse`.")] = "look"
