"""FastAPI, with the model in a thread: what most people write first.

``def`` endpoints run in Starlette's pool of threads; a lock keeps one at the model, as PyTorch's
users do. One process: it has no workers of its own but uvicorn's, which restart nothing.
"""

from __future__ import annotations

import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from bench.servers.asked import Asked, asked
from bench.servers.model import load


class Body(BaseModel):
    prompt: str
    max_tokens: int = 256


class Reply(BaseModel):
    text: str


def app(options: Asked) -> FastAPI:
    model, turn = load(options.model), threading.Lock()
    served = FastAPI()

    @served.post("/generate")
    def generate(body: Body) -> Reply:
        with turn:
            return Reply(text=model.answer([body.prompt], body.max_tokens)[0])

    return served


if __name__ == "__main__":
    options = asked()
    uvicorn.run(app(options), port=options.port, log_level="error", access_log=False)
