"""The one exception for what a user can mend."""


class UserError(Exception):
    """A user's mistake: one line that names the file, option, address or field, what was expected and what to do.

    The command line prints it on standard error without a traceback and exits with status 2.
    """
