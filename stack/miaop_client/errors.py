"""What can go wrong for who runs the client, each with an exit code of its own that scripts may test for."""

from __future__ import annotations

from stack.errors import StackError

DONE = 0
LOCAL_TROUBLE = 1
WRONG_USAGE = 2
NOT_REACHED = 3
NOT_SIGNED_IN = 4
REFUSED = 5
NOT_TRANSCRIBED = 6
NOT_FINISHED = 7
DEVIATIONS = 8

EXIT_CODES = f"""exit codes:
  {DONE}    done: every file is transcribed and saved, or the tasks are listed, or no deviation was found
  {LOCAL_TROUBLE}    a file or folder of this machine cannot be read or written
  {WRONG_USAGE}    the command line or config.env is wrong
  {NOT_REACHED}    the server cannot be reached, or its certificate is not trusted
  {NOT_SIGNED_IN}    the sign-in was refused
  {REFUSED}    the server refused the request, or its answer cannot be understood
  {NOT_TRANSCRIBED}    at least one file ended in an error; the others are saved
  {NOT_FINISHED}    the task is not finished within --timeout; it goes on at the server
  {DEVIATIONS}    --check found deviations
  130  interrupted
"""


class ClientError(StackError):
    """One line that says what happened and what to do; ``exit_code`` is one of this module."""


class Refused(ClientError):
    """The server said no: ``status`` is that of its answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, exit_code=REFUSED)
        self.status = status
