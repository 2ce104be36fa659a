#!/bin/sh
# Answers one HTTP request on stdin with memory and thermal pressure, in the Prometheus text format.
# launchd starts it for each connection to 127.0.0.1:9451. Omits unreadable values: missing data does not mean 0.
exec 2>/dev/null

# Reads the request to its end: closing a socket with unread data resets the connection.
cr=$(printf '\r')
while IFS= read -r line && [ -n "${line%"$cr"}" ]; do :; done

whole() {
  case "$1" in
  '' | *[!0-9]*) return 1 ;;
  esac
}

gauge() { # name, help, value
  whole "$3" && printf '# HELP %s %s\n# TYPE %s gauge\n%s %s\n' "$1" "$2" "$1" "$1" "$3"
}

# Thermal pressure of Darwin: 0 nominal, 1 moderate, 2 heavy, 3 trapping, 4 sleeping.
# Without that notification, the speed limit of pmset: below 100 %, the CPU is throttled.
thermal() {
  level=$(notifyutil -g com.apple.system.thermalpressurelevel | awk '{ print $NF }')
  if whole "$level"; then
    echo "$level"
    return
  fi
  pmset -g therm | awk '
    /CPU_Speed_Limit/ { seen = 1; if ($NF < 100) slow = 1 }
    /No thermal warning level/ { seen = 1 }
    END { if (seen) print slow + 0 }'
}

body=$(
  gauge macos_memory_pressure 'Memory pressure: 1 normal, 2 warning, 4 critical' "$(sysctl -n kern.memorystatus_vm_pressure_level)"
  gauge macos_thermal_throttling 'Thermal pressure level: 0 none, 1 moderate, 2 heavy, 3 trapping, 4 sleeping' "$(thermal)"
)
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n' \
  "$((${#body} + 1))" "$body"
