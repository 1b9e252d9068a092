"""``python -m wager.cli``."""

import sys

from wager.cli import main

sys.exit(main())
