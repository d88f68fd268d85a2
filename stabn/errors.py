"""What a person can put right."""


class UserError(Exception):
    """Something that the user can mend; the message names the file or the field, and the remedy.

    A command answers it with its message in a line, anything else with a traceback.
    """
