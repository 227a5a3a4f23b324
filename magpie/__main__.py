"""`python -m magpie`: the same as the command `magpie`."""

from magpie.web.cli.main import main

if __name__ == "__main__":
    main()
