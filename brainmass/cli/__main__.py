"""`python -m brainmass.cli`."""

import sys

from brainmass.cli import main

sys.exit(main())
