"""The process that delivers notices: `python -m jupyter_mlops.jobs.notices ROOT`."""

from __future__ import annotations

import sys

from jupyter_mlops.jobs.notices.delivery import main

sys.exit(main())
