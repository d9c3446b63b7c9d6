"""Servers under the same load: ours, and those that people use today.

Each is a module of this package that is run in a process of its own, as
``python -m bench.servers.NAME --port PORT --model MODEL --workers N``, set up as its own docs
advise. It answers ``POST /generate {"prompt": …, "max_tokens": …}`` with ``{"text": …}``. The
models are those of ``model``, the same class for all. ``running`` starts and stops them. Those
whose names end in ``_text`` answer ``POST /v1/completions`` as a stream, as the OpenAI API has it.
"""
