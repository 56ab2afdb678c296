"""`python -m uumamba` is the program `uumamba`; torchrun starts it as `torchrun ... -m uumamba train ...`."""

from uumamba.cli.app import main

if __name__ == "__main__":
    main()
