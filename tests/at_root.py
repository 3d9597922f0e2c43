"""Importing it goes to the project's folder. tests/forks.py has it imported first: gunicorn remembers where it was."""

import os
from pathlib import Path

os.chdir(Path(__file__).parent.parent)
