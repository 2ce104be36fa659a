"""A FastAPI service that counts requests by team and status.

Run it: `pip install fastapi uvicorn`, then `uvicorn gateway:app`.
"""

import time

from fastapi import FastAPI, Request
from opentelemetry import metrics, trace
from telemetry import setup_telemetry

app = FastAPI()
setup_telemetry(app)
meter = metrics.get_meter("{{app}}")
requests = meter.create_counter("gateway.requests")
# The default bucket boundaries of the SDK are for milliseconds.
SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60]
duration = meter.create_histogram("gateway.request.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS)


@app.middleware("http")
async def measure(request: Request, call_next):
    start, status = time.monotonic(), 500
    try:
        response = await call_next(request)
        status = response.status_code
        return response
    finally:
        team = request.path_params.get("team")
        if team:
            who = {"team": team, "status": str(status)}
            requests.add(1, who)
            duration.record(time.monotonic() - start, who)


@app.post("/api/{team}/predict")
async def predict(team: str, request: Request):
    span = trace.get_current_span()
    span.set_attribute("team", team)
    span.set_attribute("correlation_id", request.headers.get("X-Correlation-ID", "none"))
    return {"answer": "hello"}
