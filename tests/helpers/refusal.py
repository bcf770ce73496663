"""What a command says that is refused."""


def refused(toy, capsys, *argv):
    """Runs a command that must be refused, and returns its one line."""
    assert toy.run(*argv) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and shown.err.startswith("attention-zoo: ")
    assert toy.calls == []
    return shown.err
