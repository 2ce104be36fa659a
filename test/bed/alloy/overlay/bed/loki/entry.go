// Package loki replaces a module that the proxy does not serve.
// It has what Alloy's otelcol.receiver.loki and otelcol.exporter.loki use of it.
package loki

import (
	"strings"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// ConvertEntryToLogRecord sets the record's body to the line, and its attributes to the labels and structured metadata.
func ConvertEntryToLogRecord(entry *push.Entry, record *plog.LogRecord, labels model.LabelSet, keepTimestamp bool) {
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	if keepTimestamp {
		record.SetTimestamp(pcommon.NewTimestampFromTime(entry.Timestamp))
	}
	record.Body().SetStr(entry.Line)
	for name, value := range labels {
		record.Attributes().PutStr(string(name), string(value))
	}
	for _, pair := range entry.StructuredMetadata {
		record.Attributes().PutStr(pair.Name, pair.Value)
	}
}

// PushEntry is a line and its labels.
type PushEntry struct {
	Entry  *push.Entry
	Labels model.LabelSet
}

// LogToLokiEntry converts the record's body to a line of text. Its labels are the attributes named by the hints, and
// those that upstream sets by default.
func LogToLokiEntry(record plog.LogRecord, resource pcommon.Resource, _ pcommon.InstrumentationScope, _ map[string]bool) (*PushEntry, error) {
	labels := model.LabelSet{"exporter": "OTLP"}
	attributes := resource.Attributes()
	if name, ok := attributes.Get("service.name"); ok {
		labels["job"] = model.LabelValue(name.AsString())
		if namespace, ok := attributes.Get("service.namespace"); ok {
			labels["job"] = model.LabelValue(namespace.AsString() + "/" + name.AsString())
		}
	}
	if instance, ok := attributes.Get("service.instance.id"); ok {
		labels["instance"] = model.LabelValue(instance.AsString())
	}
	for hint, source := range map[string]pcommon.Map{"loki.attribute.labels": record.Attributes(), "loki.resource.labels": attributes} {
		for _, from := range []pcommon.Map{record.Attributes(), attributes} {
			names, ok := from.Get(hint)
			if !ok {
				continue
			}
			for name := range strings.SplitSeq(names.AsString(), ",") {
				if value, ok := source.Get(strings.TrimSpace(name)); ok {
					labels[model.LabelName(strings.ReplaceAll(strings.TrimSpace(name), ".", "_"))] = model.LabelValue(value.AsString())
				}
			}
		}
	}
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	return &PushEntry{Entry: &push.Entry{Timestamp: at.AsTime(), Line: record.Body().AsString()}, Labels: labels}, nil
}
