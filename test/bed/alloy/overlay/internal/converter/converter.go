// Package converter replaces Alloy's converters, which the tests do not use, so that they are not compiled in.
package converter

import "github.com/grafana/alloy/internal/converter/diag"

type Input string

var SupportedFormats []string

func Convert([]byte, Input, []string) ([]byte, diag.Diagnostics) {
	var diags diag.Diagnostics
	diags.Add(diag.SeverityLevelCritical, "converters are not compiled in")
	return nil, diags
}
