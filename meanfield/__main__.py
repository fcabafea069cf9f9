"""The `meanfield` command and `python -m meanfield`: a door that hears Ctrl-C while the rooms behind it load."""

# No larger module comes before Ctrl-C is heard.
import os
import signal

__all__ = ["main"]


def main() -> None:
    """Entry point of the `meanfield` script."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    from meanfield.cli import main

    main()


def _leave(*_: object) -> None:
    """End at once: there is nothing yet to put in order, and importing does not bear being interrupted."""
    os.write(2, b"meanfield: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
