"""``python -m trtdoctor``."""

from trtdoctor.cli import main

if __name__ == "__main__":
    main()
