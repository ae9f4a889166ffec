"""`python -m fovea_client` is the command `fovea`."""

import sys

from fovea_client.cli import main

sys.exit(main())
