// Package loki stands for the module of this name, which is not served: what Alloy's otelcol.receiver.loki takes from it.
package loki

import (
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// ConvertEntryToLogRecord makes a line of Loki the body of a log record, and its labels and structured metadata the record's attributes.
func ConvertEntryToLogRecord(entry *push.Entry, record *plog.LogRecord, labels model.LabelSet, observed bool) {
	if observed {
		record.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	}
	record.SetTimestamp(pcommon.NewTimestampFromTime(entry.Timestamp))
	record.Body().SetStr(entry.Line)
	for name, value := range labels {
		record.Attributes().PutStr(string(name), string(value))
	}
	for _, pair := range entry.StructuredMetadata {
		record.Attributes().PutStr(pair.Name, pair.Value)
	}
}
