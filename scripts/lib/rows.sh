# shellcheck shell=bash
# Prints the rows of iptrackd.activity as they arrive, to be sourced after steps.sh. PGHOST and the like say where.
#
#   rows_open         connects
#   rows_header       prints the names of the columns
#   rows_print        prints the rows that are new since the last call, and counts them in rows_seen[KIND]
#   rows_close        disconnects
#
# One psql serves all calls: a new one for each would be the most frequent row of its own output.

declare -A rows_seen=()
declare -A rows_user_names=()
declare -A rows_error_names=()
rows_last_seq=0
rows_psql_pid=''

# What a row says beside who and when. Whatever could steer a terminal, or be read in another order than it stands, becomes '?'.
read -r -d '' rows_query <<'SQL' || true
SELECT concat_ws(E'\x1f', seq, to_char(ts, 'HH24:MI:SS.MS'), kind, coalesce(uid::text, ''), coalesce(pid::text, ''),
                 coalesce(tty, ''), coalesce(result::text, ''),
                 left(regexp_replace(what, '[\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]', '?', 'g'), 110))
FROM (
  SELECT a.*, concat_ws(' ',
    CASE WHEN kind = 'exec' THEN concat_ws(' ', coalesce(exe, '?'), array_to_string(args[2:], ' '))
         WHEN kind IN ('auth', 'open_session', 'close_session')
           THEN concat_ws(' ', pam_service, pam_user, 'from', coalesce(host(remote_addr), pam_rhost), 'port', remote_port)
         ELSE concat_ws(' ', comm, proto, coalesce(host(local_addr), '?') || ' port ' || coalesce(local_port::text, '?'),
                        CASE kind WHEN 'connect' THEN '->' WHEN 'accept' THEN '<-' WHEN 'close' THEN '<!>' END
                        || coalesce(' ' || host(remote_addr) || ' port ' || remote_port, ''))
    END,
    CASE WHEN kind = 'close'
         THEN '(' || concat_ws(', ', round(extract(epoch FROM duration) * 1000, 1) || ' ms', bytes_sent || ' bytes sent',
                               bytes_received || ' bytes received') || ')' END) AS what
  FROM iptrackd.activity a WHERE seq > :last
) AS described ORDER BY seq LIMIT 1000;
SQL

rows_names() {
  local name id
  while IFS=: read -r name _ id _; do rows_user_names[$id]=${name:0:12}; done < <(getent passwd)
  while read -r id name; do rows_error_names[-$id]=$name; done < <(
    perl -MErrno -e 'for (reverse sort keys %!) { my $code = Errno->can($_); printf "%d %s\n", $code->(), $_ if $code }'
  )
}

rows_open() {
  rows_names
  export PGCONNECT_TIMEOUT=10
  coproc rows_psql { exec psql -X -q -A -t -v ON_ERROR_STOP=1 2>&1; }
  rows_psql_pid=$!
}

rows_header() {
  printf '%-12s  %-13s %-12s %7s  %-8s %-13s %s\n' TIME KIND USER PID TTY RESULT WHAT
}

rows_line() {
  local seq=$1 time=$2 kind=$3 uid=$4 pid=$5 tty=$6 result=$7 what=$8
  rows_last_seq=$seq
  rows_seen[$kind]=$((${rows_seen[$kind]:-0} + 1))
  if [[ $uid ]]; then uid=${rows_user_names[$uid]:-$uid}; fi
  if [[ $result == 0 ]]; then result=ok; elif [[ $result ]]; then result=${rows_error_names[$result]:-$result}; fi
  printf '%-12s  %-13s %-12s %7s  %-8s %-13s %s\n' "$time" "$kind" "${uid:--}" "${pid:--}" "${tty:--}" "${result:--}" "$what"
}

rows_print() {
  local line seq time kind uid pid tty result what
  printf '\\set last %s\n%s\n\\echo rows-end\n' "$rows_last_seq" "$rows_query" >&"${rows_psql[1]}" || return 1
  while IFS= read -r -t 20 line <&"${rows_psql[0]}"; do
    if [[ $line == rows-end ]]; then return 0; fi
    if [[ $line != *$'\x1f'* ]]; then
      printf 'psql: %s\n' "$line" >&2
      continue
    fi
    IFS=$'\x1f' read -r seq time kind uid pid tty result what <<<"$line"
    rows_line "$seq" "$time" "$kind" "$uid" "$pid" "$tty" "$result" "$what"
  done
  return 1
}

rows_close() {
  if [[ $rows_psql_pid ]]; then
    kill "$rows_psql_pid" 2>/dev/null
    wait "$rows_psql_pid" 2>/dev/null
    rows_psql_pid=''
  fi
  return 0
}
