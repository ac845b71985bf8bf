-- Exactly once: how far each spool is stored here, and what follows for who may conclude what from a row's absence.

-- The oldest version of this schema whose daemons may still write: the database is upgraded before the fleet, and what
-- the daemons of that version use must then stay. A migration that takes something away raises the number.
CREATE FUNCTION @schema@.oldest_writer() RETURNS integer LANGUAGE sql IMMUTABLE AS $body$ SELECT 3 $body$;

-- The place in a spool up to which everything is stored: the number of its next record, the checksum of the last one.
-- It moves in the transaction that carries the rows. The free space in each page is for that.
CREATE TABLE @schema@.spool (
  id         uuid PRIMARY KEY,
  host       text NOT NULL,
  position   bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
  token      bigint NOT NULL DEFAULT 0,  -- an unsigned number's bits
  delivered  timestamptz,                -- by the host's clock: nothing older is to come
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  writer     text NOT NULL DEFAULT session_user
) WITH (fillfactor = 50);

-- Two hosts of one name are two rows from now on. A row from before has no spool until its host comes back.
ALTER TABLE @schema@.hosts DROP CONSTRAINT hosts_pkey;
ALTER TABLE @schema@.hosts ADD COLUMN spool uuid;
CREATE UNIQUE INDEX hosts_spool ON @schema@.hosts (spool);
CREATE INDEX hosts_host ON @schema@.hosts (host);

ALTER TABLE @schema@.loss ADD COLUMN spool uuid;
ALTER TABLE @schema@.host_event ADD COLUMN spool uuid;
CREATE INDEX loss_host_to ON @schema@.loss (host, to_ts);
CREATE INDEX host_event_host_ts ON @schema@.host_event (host, ts);

-- Tells where the spool stands; one that is new here stands at its beginning.
CREATE FUNCTION @schema@.register_spool(a_id uuid, a_host text, OUT "position" bigint, OUT token bigint,
                                        OUT delivered timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  INSERT INTO spool (id, host) VALUES (a_id, a_host)
  ON CONFLICT (id) DO UPDATE SET host = excluded.host WHERE spool.host <> excluded.host;
  SELECT s.position, s.token, s.delivered INTO STRICT register_spool.position, register_spool.token,
    register_spool.delivered FROM spool AS s WHERE s.id = a_id;
END
$body$;

-- The step of a batch, or nothing at all: it raises where the spool does not stand at (from_index, from_token). Under
-- READ COMMITTED an UPDATE that waited for another transaction looks at its WHERE again, so that of two transactions
-- that carry the same rows one fails, in whichever order and however late they commit. a_delivered NULL: unchanged.
CREATE FUNCTION @schema@.advance_spool(a_id uuid, a_from_index bigint, a_from_token bigint, a_to_index bigint,
                                       a_to_token bigint, a_delivered timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  UPDATE spool SET position = a_to_index, token = a_to_token, delivered = coalesce(a_delivered, delivered),
    updated_at = clock_timestamp(), writer = session_user
  WHERE id = a_id AND position = a_from_index AND token = a_from_token;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the spool % does not stand at % any more', a_id, a_from_index USING ERRCODE = 'IT001';
  END IF;
END
$body$;

-- Returns the key for event.boot.
CREATE FUNCTION @schema@.register_boot(a_host text, a_boot_id uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  key integer;
BEGIN
  SELECT id INTO key FROM boot WHERE host = a_host AND boot_id = a_boot_id;
  IF key IS NULL THEN
    INSERT INTO boot (host, boot_id) VALUES (a_host, a_boot_id)
    ON CONFLICT (host, boot_id) DO UPDATE SET host = excluded.host RETURNING id INTO key;
  END IF;
  RETURN key;
END
$body$;

DROP FUNCTION @schema@.register_host(text, uuid, text, text);

-- Notes that the host lives; takes over the row of its name that has no spool yet.
CREATE FUNCTION @schema@.register_host(a_spool uuid, a_host text, a_boot_id uuid, a_version text, a_kernel text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  IF NOT EXISTS (SELECT FROM hosts WHERE spool = a_spool) THEN
    UPDATE hosts SET spool = a_spool WHERE host = a_host AND spool IS NULL
      AND NOT EXISTS (SELECT FROM hosts AS other WHERE other.spool = a_spool);
  END IF;
  INSERT INTO hosts (spool, host, boot_id, version, kernel) VALUES (a_spool, a_host, a_boot_id, a_version, a_kernel)
  ON CONFLICT (spool) DO UPDATE SET host = excluded.host, boot_id = excluded.boot_id, version = excluded.version,
    kernel = excluded.kernel, last_seen = excluded.last_seen, writer = excluded.writer;
END
$body$;

-- What is NULL is unknown.
CREATE FUNCTION @schema@.sign_of_life(a_spool uuid, a_hooks jsonb, a_lag interval, a_lost bigint, a_clock text)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
  UPDATE hosts SET last_seen = clock_timestamp(), hooks = coalesce(a_hooks, hooks), lag = a_lag, lost = a_lost,
    clock = a_clock, writer = session_user
  WHERE spool = a_spool;
$body$;

REVOKE ALL ON FUNCTION @schema@.register_spool(uuid, text), @schema@.register_boot(text, uuid),
  @schema@.advance_spool(uuid, bigint, bigint, bigint, bigint, timestamptz),
  @schema@.register_host(uuid, text, uuid, text, text),
  @schema@.sign_of_life(uuid, jsonb, interval, bigint, text) FROM PUBLIC;

-- Open as far as this host's present boot knows. A row of hosts does not count any more when another spool of its name
-- began after its last sign of life: that host was set up anew.
CREATE OR REPLACE VIEW @schema@.open_sessions AS
SELECT s.host, s.dst_ipaddr, s.src_ipaddr, s.src_port, s.sshd_pid, s.uid, s.pam_service, s.method, s.start_date
FROM @schema@.sessions AS s
WHERE s.end_date IS NULL AND EXISTS (
  SELECT FROM @schema@.hosts AS h WHERE h.host = s.host AND h.boot_id = s.boot_id
    AND NOT EXISTS (SELECT FROM @schema@.hosts AS later WHERE later.host = h.host AND later.first_seen > h.last_seen));

-- One row for each time that a daemon watched a host. It begins with the event 'start' or 'takeover' and ends with
-- 'stop' or 'crash', whose time is the last one that the daemon is known to have lived. Where the next daemon took over
-- the hooks ('takeover', in the same boot), nothing was missed and it ends only there. A daemon of whose end nobody
-- told is believed up to the last that it delivered. to_ts NULL: it has not ended, as far as is known here.
CREATE VIEW @schema@.daemon_life AS
WITH turn AS (
  SELECT host, spool, boot_id, ts, kind, lead(kind) OVER ahead AS next_kind, lead(ts) OVER ahead AS next_ts,
         lead(boot_id) OVER ahead AS next_boot_id
  FROM @schema@.host_event WHERE kind IN ('start', 'takeover', 'stop', 'crash')
  WINDOW ahead AS (PARTITION BY host, spool
                   ORDER BY ts, CASE kind WHEN 'start' THEN 1 WHEN 'takeover' THEN 2 ELSE 0 END)
), told AS (
  -- A daemon that takes over says both, one after the other.
  SELECT host, spool, boot_id, ts, kind, lead(kind) OVER ahead AS next_kind, lead(ts) OVER ahead AS next_ts,
         lead(boot_id) OVER ahead AS next_boot_id, lead(kind, 2) OVER ahead AS second_kind,
         lead(ts, 2) OVER ahead AS second_ts, lead(boot_id, 2) OVER ahead AS second_boot_id
  FROM turn
  WHERE NOT (kind = 'start' AND next_kind IS NOT DISTINCT FROM 'takeover'
             AND next_boot_id IS NOT DISTINCT FROM boot_id AND next_ts <= ts + interval '10 seconds')
  WINDOW ahead AS (PARTITION BY host, spool
                   ORDER BY ts, CASE kind WHEN 'start' THEN 1 WHEN 'takeover' THEN 2 ELSE 0 END)
)
SELECT host, spool, boot_id, ts AS from_ts,
       CASE
         WHEN next_kind IS NULL THEN NULL
         WHEN next_kind = 'takeover' AND next_boot_id IS NOT DISTINCT FROM boot_id THEN next_ts
         WHEN next_kind IN ('stop', 'crash') THEN
           CASE WHEN second_kind = 'takeover' AND second_boot_id IS NOT DISTINCT FROM boot_id THEN second_ts
                ELSE next_ts END
         ELSE greatest(ts,
                (SELECT max(e.ts) FROM @schema@.event AS e
                 WHERE e.boot = (SELECT b.id FROM @schema@.boot AS b
                                 WHERE b.host = told.host AND b.boot_id = told.boot_id)
                   AND e.ts >= told.ts AND e.ts < told.next_ts),
                (SELECT max(o.ts) FROM @schema@.host_event AS o
                 WHERE o.host = told.host AND o.spool IS NOT DISTINCT FROM told.spool
                   AND o.ts >= told.ts AND o.ts < told.next_ts))
       END AS to_ts,
       CASE WHEN next_kind IN ('stop', 'crash') THEN next_kind WHEN next_kind IS NOT NULL THEN 'unknown' END AS ended
FROM told WHERE kind IN ('start', 'takeover');

-- What may be concluded from the absence of a row of the host between two times. For each kind the rows cover the
-- whole time, without gap or overlap; from_ts belongs to a row, to_ts does not.
--
--   covered  it did not happen, as far as the daemon sees
--   lossy    rows are missing there: detail says at which stage, why, and how many
--   blind    nobody watched
--   pending  the host has not delivered that time yet
--
-- Of two hosts of that name both must have watched. A host that was set up anew counts from its new beginning.
CREATE FUNCTION @schema@.coverage(a_host text, a_from timestamptz, a_to timestamptz)
RETURNS TABLE (from_ts timestamptz, to_ts timestamptz, kind text, verdict text, detail text)
LANGUAGE sql STABLE STRICT SET search_path = @schema@, pg_temp AS $body$
WITH asked AS (
  SELECT tstzmultirange(tstzrange(a_from, a_to)) AS span
), kinds AS (
  SELECT unnest(ARRAY['exec', 'connect', 'accept', 'bind', 'close', 'auth', 'open_session', 'close_session']) AS kind
), life AS (
  SELECT l.spool, l.from_ts, greatest(l.from_ts, coalesce(l.to_ts, s.delivered)) AS to_ts, l.ended
  FROM daemon_life AS l LEFT JOIN spool AS s ON s.id = l.spool WHERE l.host = a_host
), watch AS (
  SELECT l.spool, min(l.from_ts) AS first_ts, max(l.to_ts) AS last_ts,
         range_agg(tstzrange(l.from_ts, l.to_ts)) AS vouched
  FROM life AS l GROUP BY l.spool
), duty AS (
  SELECT w.vouched, tstzrange(w.first_ts, CASE WHEN w.superseded THEN w.last_ts ELSE 'infinity' END) AS expected,
         CASE WHEN w.superseded THEN 'empty' ELSE tstzrange(w.last_ts, NULL) END AS pending
  FROM (SELECT w.*, EXISTS (SELECT FROM watch AS n WHERE n.first_ts >= w.last_ts
                              AND n.spool IS DISTINCT FROM w.spool) AS superseded FROM watch AS w) AS w
), unwatched AS (
  SELECT a.span - coalesce(range_agg(d.expected), '{}')
           + a.span * coalesce(range_agg(b.blind), '{}') AS span
  FROM asked AS a LEFT JOIN duty AS d ON true
    LEFT JOIN LATERAL unnest(tstzmultirange(d.expected) - d.vouched - tstzmultirange(d.pending)) AS b(blind) ON true
  GROUP BY a.span
), undelivered AS (
  SELECT a.span * coalesce(range_agg(d.pending), '{}') - u.span AS span
  FROM asked AS a CROSS JOIN unwatched AS u LEFT JOIN duty AS d ON true GROUP BY a.span, u.span
), watched AS (
  SELECT a.span - u.span - p.span AS span FROM asked AS a, unwatched AS u, undelivered AS p
), gap AS (
  -- A microsecond is added, as the end of a loss belongs to it.
  SELECT k.kind, l.from_ts, least(l.to_ts, '200000-01-01') + interval '1 microsecond' AS to_ts, l.stage, l.cause,
         l.count
  FROM kinds AS k JOIN loss AS l ON l.kind = k.kind OR l.kind IS NULL
  WHERE l.host = a_host AND l.to_ts >= a_from AND l.from_ts < a_to AND l.from_ts <= l.to_ts
), reached AS (
  SELECT g.*, max(g.to_ts) OVER (PARTITION BY g.kind ORDER BY g.from_ts, g.to_ts
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach
  FROM gap AS g
), numbered AS (
  SELECT r.*, count(*) FILTER (WHERE r.reach IS NULL OR r.from_ts > r.reach)
                OVER (PARTITION BY r.kind ORDER BY r.from_ts, r.to_ts ROWS UNBOUNDED PRECEDING) AS island
  FROM reached AS r
), by_cause AS (
  SELECT n.kind, n.island, n.stage, n.cause, min(n.from_ts) AS from_ts, max(n.to_ts) AS to_ts,
         CASE WHEN count(*) = count(n.count) THEN sum(n.count)::text ELSE 'unknown' END AS count
  FROM numbered AS n GROUP BY 1, 2, 3, 4
), islands AS (
  SELECT c.kind, tstzrange(min(c.from_ts), max(c.to_ts)) AS span,
         string_agg(c.stage || ': ' || c.cause || ': ' || c.count, ', ' ORDER BY c.stage, c.cause) AS detail
  FROM by_cause AS c GROUP BY c.kind, c.island
), clean AS (
  SELECT k.kind, w.span - coalesce(range_agg(i.span), '{}') AS span
  FROM kinds AS k CROSS JOIN watched AS w LEFT JOIN islands AS i ON i.kind = k.kind GROUP BY k.kind, w.span
), verdicts AS (
  SELECT c.kind, unnest(c.span) AS span, 'covered' AS verdict, NULL::text AS detail FROM clean AS c
  UNION ALL
  SELECT i.kind, unnest(tstzmultirange(i.span) * w.span), 'lossy', i.detail FROM islands AS i, watched AS w
  UNION ALL
  SELECT k.kind, unnest(p.span), 'pending', 'the host has delivered nothing later' FROM kinds AS k, undelivered AS p
  UNION ALL
  SELECT k.kind, b.span, 'blind',
         CASE (SELECT l.ended FROM life AS l WHERE l.to_ts <= lower(b.span) ORDER BY l.to_ts DESC LIMIT 1)
           WHEN 'stop' THEN 'the daemon was stopped' WHEN 'crash' THEN 'the daemon had crashed'
           WHEN 'unknown' THEN 'the daemon ended without a word' ELSE 'no daemon had begun' END
  FROM kinds AS k, (SELECT unnest(u.span) AS span FROM unwatched AS u) AS b
)
SELECT lower(v.span), upper(v.span), v.kind, v.verdict, v.detail FROM verdicts AS v ORDER BY v.kind, lower(v.span)
$body$;
