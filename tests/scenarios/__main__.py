"""Write the table of the README anew: `python -m tests.scenarios`."""

from tests.scenarios.catalogue import README, readme

if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
