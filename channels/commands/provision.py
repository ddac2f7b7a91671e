"""`capp provision`: make our credentials at an operator that hands them out by a call.

It refuses to show them: they go into a file that only its owner can read, as lines of an
environment. Which operators can, and what they want to know, the registry says.
"""

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from providers.environment import MissingSettings
from providers.registry import PROVISIONED, provision

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose sandbox, and where the credentials go."""
    parser.add_argument("operator", choices=sorted(PROVISIONED), help="whose sandbox")
    parser.add_argument("--write", type=Path, required=True, help="a new file, for its owner alone")
    parser.add_argument(
        "--user", default="", help="a UUID of version 4: give that user a new key instead"
    )
    parser.add_argument(
        "--callback-host", default="", help="where callbacks go; else that of CAPP_PUBLIC_URL"
    )


def run_provision(variables: Mapping[str, str], options: argparse.Namespace, say: Say) -> bool:
    """Write the credentials; False when the host is none.

    Raises ProviderError, MissingSettings, and OSError for a file that is there already. A crash
    behind the call loses a key; the next call with the same user makes another.
    """
    host = options.callback_host or urlsplit(variables.get("CAPP_PUBLIC_URL", "")).hostname or ""
    user = options.user or str(uuid4())
    # Made before the call: a key that cannot be kept is better not asked for.
    handle = os.open(options.write, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            found = asyncio.run(
                provision(options.operator, variables, user=user, callback_host=host)
            )
            file.writelines(f"{name}={value}\n" for name, value in found.variables.items())
    except ValueError as error:
        options.write.unlink(missing_ok=True)
        if isinstance(error, MissingSettings):
            raise
        say(f"{options.operator}: {error}")
        return False
    except BaseException:
        options.write.unlink(missing_ok=True)
        raise
    say(f"{options.operator} ({found.target_environment}): user {user}, callbacks to {host}")
    say(f"written to {options.write}: {', '.join(found.variables)}")
    return True
