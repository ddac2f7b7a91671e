"""What is typed behind `capp`, read so that words and options may stand in any order."""

import argparse
from typing import Any


class Words(argparse.ArgumentParser):
    """Python before 3.12.7 calls a word behind an option unrecognized where it may be left out.

    `capp propose TOP_UP --as asha --why x operator=mpesa_ke` was refused, with another usage.
    """

    _is_within = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Leaves no word over: what nobody reads is told with the usage of the command it was
        typed for, and ends the program.
        """
        has_words = any(action.nargs == argparse.PARSER for action in self._actions)
        # Behind `--` everything is a word already, and the second reading would not know it.
        if self._is_within or has_words or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._is_within = True
        try:
            found, unread = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_within = False
        if unread:
            self.error(f"unrecognized arguments: {' '.join(unread)}")
        return found, unread
