"""One self-contained page: what it consists of, how it is drawn, and what is read from a folder to fill it."""
