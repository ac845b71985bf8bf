-- The views and functions that iptracking offered, over the new tables, with its column names.

CREATE TYPE @schema@.log_event_t AS ENUM ('unknown', 'auth', 'open_session', 'close_session');

CREATE VIEW @schema@.inet_log AS
SELECT a.local_addr AS dst_ipaddr, a.remote_addr AS src_ipaddr, a.remote_port AS src_port,
       a.kind::@schema@.log_event_t AS log_event, a.ppid AS sshd_pid, a.pam_user AS uid, a.ts AS log_date,
       a.host, a.boot_id, a.seq, a.pam_service, a.result
FROM @schema@.activity AS a
WHERE a.kind IN ('auth', 'open_session', 'close_session');

-- The prefix that groups IPv6 addresses as /v4_prefix groups IPv4 ones: a site's /64, /48 and a provider's /32 for
-- /24, /16 and /8; both ends meet at a single address (/32, /128) and at everything (/0).
CREATE FUNCTION @schema@.ipv6_prefix(v4_prefix integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT
RETURN CASE WHEN v4_prefix = 0 THEN 0 WHEN v4_prefix <= 24 THEN 16 + 2 * v4_prefix ELSE 8 * v4_prefix - 128 END;

-- Fails for a prefix outside 0 to 32.
CREATE FUNCTION @schema@.network_of(address inet, v4_prefix integer) RETURNS cidr
LANGUAGE sql IMMUTABLE STRICT
RETURN network(set_masklen(address, CASE WHEN family(address) = 4 THEN v4_prefix
                                         ELSE @schema@.ipv6_prefix(v4_prefix) END));

CREATE VIEW @schema@.ips AS
SELECT dst_ipaddr, src_ipaddr, count(*) AS log_count, min(log_date) AS start_date, max(log_date) AS end_date
FROM @schema@.inet_log GROUP BY dst_ipaddr, src_ipaddr;

CREATE VIEW @schema@.agg_ips AS
SELECT src_ipaddr AS ipaddr, count(*) AS log_count, min(log_date) AS start_date, max(log_date) AS end_date
FROM @schema@.inet_log GROUP BY src_ipaddr;

CREATE FUNCTION @schema@.nets_view(prefix integer)
RETURNS TABLE (dst_ipaddr inet, src_ipaddr cidr, log_count bigint, start_date timestamptz, end_date timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT l.dst_ipaddr, @schema@.network_of(l.src_ipaddr, prefix), count(*), min(l.log_date), max(l.log_date)
  FROM @schema@.inet_log AS l GROUP BY 1, 2;
END;

CREATE FUNCTION @schema@.agg_nets_view(prefix integer)
RETURNS TABLE (ipaddr cidr, log_count bigint, start_date timestamptz, end_date timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT @schema@.network_of(l.src_ipaddr, prefix), count(*), min(l.log_date), max(l.log_date)
  FROM @schema@.inet_log AS l GROUP BY 1;
END;

CREATE VIEW @schema@.nets_24 AS SELECT * FROM @schema@.nets_view(24);
CREATE VIEW @schema@.nets_16 AS SELECT * FROM @schema@.nets_view(16);
CREATE VIEW @schema@.nets_8 AS SELECT * FROM @schema@.nets_view(8);
CREATE VIEW @schema@.agg_nets_24 AS SELECT * FROM @schema@.agg_nets_view(24);
CREATE VIEW @schema@.agg_nets_16 AS SELECT * FROM @schema@.agg_nets_view(16);
CREATE VIEW @schema@.agg_nets_8 AS SELECT * FROM @schema@.agg_nets_view(8);

-- Each session that was opened, with its end where there is one. One connection, one user, one sshd process; a PAM
-- authentication of the same connection before it tells password and the like from keys, which sshd checks itself.
CREATE VIEW @schema@.sessions AS
SELECT o.host, o.boot_id, o.dst_ipaddr, o.src_ipaddr, o.src_port, o.sshd_pid, o.uid, o.pam_service,
       CASE WHEN EXISTS (
         SELECT FROM @schema@.inet_log AS a
         WHERE a.log_event = 'auth' AND a.boot_id = o.boot_id AND a.seq < o.seq
           AND a.src_ipaddr = o.src_ipaddr AND a.src_port = o.src_port
           AND a.log_date > o.log_date - interval '1 hour' AND a.log_date <= o.log_date
       ) THEN 'pam' ELSE 'not pam' END AS method,
       o.log_date AS start_date, c.log_date AS end_date
FROM @schema@.inet_log AS o
LEFT JOIN LATERAL (
  SELECT l.log_date FROM @schema@.inet_log AS l
  WHERE l.log_event = 'close_session' AND l.boot_id = o.boot_id AND l.seq > o.seq AND l.host = o.host
    AND l.log_date >= o.log_date - interval '1 minute'
    AND l.src_ipaddr IS NOT DISTINCT FROM o.src_ipaddr AND l.src_port IS NOT DISTINCT FROM o.src_port
    AND l.sshd_pid IS NOT DISTINCT FROM o.sshd_pid AND l.uid IS NOT DISTINCT FROM o.uid
  ORDER BY l.seq LIMIT 1
) AS c ON true
WHERE o.log_event = 'open_session';

-- Open as far as this host's present boot knows: a reboot ends sessions without a word.
CREATE VIEW @schema@.open_sessions AS
SELECT s.host, s.dst_ipaddr, s.src_ipaddr, s.src_port, s.sshd_pid, s.uid, s.pam_service, s.method, s.start_date
FROM @schema@.sessions AS s JOIN @schema@.hosts AS h ON h.host = s.host AND h.boot_id = s.boot_id
WHERE s.end_date IS NULL;

CREATE VIEW @schema@.completed_sessions AS
SELECT host, dst_ipaddr, src_ipaddr, src_port, sshd_pid, uid, pam_service, method, start_date, end_date,
       end_date - start_date AS duration
FROM @schema@.sessions WHERE end_date IS NOT NULL;
