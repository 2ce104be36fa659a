"""One line of JSON per log record, with level, time, trace ID and span ID. The node collectors read these fields."""

import logging
import sys

from opentelemetry import trace
from pythonjsonlogger.json import JsonFormatter


class TraceFormatter(JsonFormatter):
    def add_fields(self, log_data, record, message_dict):
        super().add_fields(log_data, record, message_dict)
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            log_data["trace_id"] = trace.format_trace_id(context.trace_id)
            log_data["span_id"] = trace.format_span_id(context.span_id)


def setup_logging(level=logging.INFO):
    """Call it once, like setup_telemetry()."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(TraceFormatter("%(levelname)s %(name)s %(message)s", rename_fields={"levelname": "level"}, timestamp=True))
    logging.basicConfig(level=level, handlers=[handler], force=True)
