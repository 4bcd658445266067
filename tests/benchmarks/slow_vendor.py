"""A vendor that takes every erasure on and is never done with one: a process of its own, for `waiting.py`.

The one rule: it costs next to nothing, so that what is measured is ours.
"""

from __future__ import annotations

import argparse

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

VENDOR = """
habeas: connector/v1
name: slow
about: a vendor whose jobs last longer than any measurement
base: https://slow.example
auth: none
collections:
  people:
    about: a person
    key: [id]
    fields: {id: id, email: email}
    find:
      - {by: email, steps: [{call: GET /people, query: {email: "{by.value}"}, rows: people}]}
    erase:
      steps:
        - {call: "POST /people/{row.id}/erasure", save: {job: job}}
        - poll: GET /jobs/{saved.job}
          state: state
          states: {running: [running], done: [done]}
          every: 6h
          deadline: 30d
unsupported: {restrict: no way, suppress: no way, rectify: no way}
"""
MAP = """
system: slow
owner: marketing
connector: http
backups: none
mode: auto
max_people_per_hour: 100000
options: {{vendor: {file}, base_url: "http://127.0.0.1:{port}", private: ["127.0.0.1"], environment: test}}
collections:
  people: {{key: [id], fields: {{id: {{}}, email: {{category: contact, identity: email}}}}}}
"""


async def people(request: Request) -> JSONResponse:
    """It knows those whose address begins with a w and a number."""
    email = request.query_params["email"]
    number = email.partition("@")[0]
    known = number[:1] == "w" and number[1:].isdecimal()
    return JSONResponse({"people": [{"id": number, "email": email}] if known else []})


async def erasure(request: Request) -> JSONResponse:
    """Taken on."""
    return JSONResponse({"job": request.path_params["id"]})


async def job(request: Request) -> JSONResponse:
    """Not done yet."""
    return JSONResponse({"state": "running"})


def main() -> None:
    """Serve until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    routes = [
        Route("/people", people),
        Route("/people/{id}/erasure", erasure, methods=["POST"]),
        Route("/jobs/{id}", job),
    ]
    uvicorn.run(Starlette(routes=routes), port=parser.parse_args().port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
