"""The inside of a worker: its life, its wire, and the requests in its hands."""
