"""`python -m codegrant`: the same as the command `codegrant`."""

import sys

from codegrant.cli import main

sys.exit(main())
