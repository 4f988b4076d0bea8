"""What is wrong with rows that a learner is given."""


class LostDigitsError(ValueError):
    """Raised where rows do not come back from a map that would be learned: in a stack
    the layers before have left a column too small beside others, or too large, for one
    more.
    """


class FewRowsError(LostDigitsError):
    """Raised where too few rows differ to hold some out, or to learn so much of: in a
    stack the layers before are enough then, or have made them one.
    """
