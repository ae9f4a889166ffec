"""The dashboard's script: `streamlit run clients/dashboard/app.py -- --url 127.0.0.1:8001`; see `make dashboard`."""

import sys

from fovea_dashboard.page import show

show(sys.argv[1:])
