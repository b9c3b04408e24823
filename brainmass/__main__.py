"""`python -m brainmass`: the command line, where its script is not on the path."""

import sys

from brainmass.cli import main

sys.exit(main())
