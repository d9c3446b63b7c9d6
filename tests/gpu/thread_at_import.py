"""A module that starts a thread when it is imported, so that its process can't be forked."""

from __future__ import annotations

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
