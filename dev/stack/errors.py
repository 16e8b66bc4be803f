"""What can go wrong with the local stack, each with a message that says what to do."""


class StackError(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""


class ComponentFailed(StackError):
    """A component ended or never became healthy."""

    def __init__(self, name: str, trouble: str) -> None:
        super().__init__(trouble)
        self.name = name
