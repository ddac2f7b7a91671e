"""Ends a program when ours has ended, however it ended: a kill -9 leaves nobody running.

It refuses to know what the program is. A shell waits at a pipe that only we hold open.
"""

import os
import signal

# The start of a process tells it from another that got its number later (proc(5), field 22).
_SCRIPT = """
began() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null; }
mine=$(began "$1")
read -r _
[ "$(began "$1")" = "$mine" ] && kill -"$2" "$1" 2>/dev/null
"""


class Guard:
    """Watches over one program from the moment it is made until it is dismissed."""

    def __init__(self, pid: int, signal_number: int) -> None:
        waiting, self._open = os.pipe()  # neither end is inherited by anybody else
        self._shell = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", _SCRIPT, "guard", str(pid), str(int(signal_number))],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, waiting, 0)],
            setpgroup=0,  # Ctrl-C at the terminal must not end it before us
        )
        os.close(waiting)

    def dismiss(self) -> None:
        """The program has ended, or may live on. Safe to repeat."""
        if self._shell == 0:
            return
        os.kill(self._shell, signal.SIGKILL)
        os.waitpid(self._shell, 0)
        os.close(self._open)
        self._shell = 0
