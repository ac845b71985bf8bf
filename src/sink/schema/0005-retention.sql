-- Retention: how long events are kept, what is under legal hold, and a book of what was dropped.

SET LOCAL search_path = @schema@, pg_temp;

-- How long. '*': each kind without a row of its own. NULL: for ever. Days are dropped whole, in UTC, so that a row stays
-- up to a day longer. Losses and host events stay: they are few, and coverage() needs them.
CREATE TABLE @schema@.retention (
  kind text PRIMARY KEY CHECK (kind IN ('*', 'exec', 'connect', 'accept', 'bind', 'close', 'auth', 'open_session',
                                        'close_session')),
  keep interval CHECK (keep > '0')
);
INSERT INTO @schema@.retention VALUES ('*', NULL);

-- Rows that fit all that is not NULL stay, until released_at is set.
CREATE TABLE @schema@.legal_hold (
  id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  host        text,
  uid         bigint,  -- real, effective or login uid
  login_user  text,    -- of the login that the row belongs to, or that it is
  from_ts     timestamptz,
  to_ts       timestamptz,
  reason      text NOT NULL CHECK (reason <> ''),
  placed_by   text NOT NULL DEFAULT session_user,
  placed_at   timestamptz NOT NULL DEFAULT now(),
  released_by text,
  released_at timestamptz
);

-- What was dropped: rows of that kind, of all hosts, from from_ts up to before to_ts. HELD rows fitted and stayed.
CREATE TABLE @schema@.retention_log (
  run        timestamptz NOT NULL,
  kind       text NOT NULL,
  from_ts    timestamptz NOT NULL,
  to_ts      timestamptz NOT NULL,
  rows       bigint NOT NULL,
  held       bigint NOT NULL DEFAULT 0,
  partition  text,  -- that was dropped as a whole; NULL: single rows were
  dropped_by text NOT NULL DEFAULT session_user,
  PRIMARY KEY (run, kind, from_ts)
);
CREATE INDEX retention_log_kind ON @schema@.retention_log (kind, from_ts);

-- Partitions that were looked through, and the state in which they were: they need no second look until it changes.
CREATE TABLE @schema@.retention_done (
  partition text PRIMARY KEY,
  state     text NOT NULL
);

-- Before when rows go. 'other' are those of kinds that this version does not know.
CREATE VIEW @schema@.expiry AS
SELECT k.kind, date_trunc('day', now() - r.keep, 'UTC') AS before
FROM unnest(ARRAY['exec', 'connect', 'accept', 'bind', 'close', 'auth', 'open_session', 'close_session', 'other']) AS k(kind)
CROSS JOIN LATERAL (SELECT keep FROM @schema@.retention AS r WHERE r.kind IN (k.kind, '*')
                    ORDER BY r.kind = '*' LIMIT 1) AS r;

-- The partitions of a day, and event_default, of which rows of some kinds are to go; WHOLE: all of them.
CREATE VIEW @schema@.expiring AS
SELECT p.name, p.day, x.kinds, p.day IS NOT NULL AND cardinality(x.kinds) = 9 AS whole,
       p.blocks,
       x.kinds::text || ' ' || x.before || ' ' || p.inserted || ' ' || h.state AS state
FROM (
  SELECT c.relname::text AS name, CASE WHEN c.relname <> 'event_default' THEN to_date(right(c.relname, 8), 'YYYYMMDD') END
           AS day, pg_relation_size(c.oid) / current_setting('block_size')::integer AS blocks,
         pg_stat_get_tuples_inserted(c.oid) AS inserted
  FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'event'::regclass
) AS p
CROSS JOIN LATERAL (
  SELECT array_agg(e.kind ORDER BY e.kind) AS kinds, CASE WHEN p.day IS NULL THEN max(e.before)::text ELSE '' END AS before
  FROM @schema@.expiry AS e WHERE e.before >= coalesce((p.day + 1)::timestamp AT TIME ZONE 'UTC', '-infinity')
) AS x
CROSS JOIN (
  SELECT count(*) || ' ' || coalesce(max(placed_at)::text, '') || coalesce(max(released_at)::text, '') AS state
  FROM @schema@.legal_hold
) AS h
WHERE x.kinds IS NOT NULL;

-- A condition on a row of event (e) and its boot (b).
CREATE FUNCTION @schema@.hold_condition() RETURNS text
LANGUAGE sql IMMUTABLE AS $body$ SELECT $condition$
  EXISTS (SELECT FROM legal_hold AS h WHERE h.released_at IS NULL
    AND (h.host IS NULL OR h.host = b.host) AND (h.uid IS NULL OR h.uid IN (e.uid, e.euid, e.loginuid))
    AND (h.login_user IS NULL OR h.login_user IN (e.login_user, e.pam_user))
    AND (h.from_ts IS NULL OR e.ts >= h.from_ts) AND (h.to_ts IS NULL OR e.ts < h.to_ts))
$condition$ $body$;

-- Drops a partition whose rows are all to go, and books it. Outcome: 'dropped'; 'held', one of them is under hold; 'busy'.
-- Nobody can add a row while it counts, nor place a hold. DROP TABLE wants the whole of event for a moment; rather than
-- keep the writers waiting behind a long query it gives up.
CREATE FUNCTION @schema@.expire_partition(a_name text, a_day date, a_run timestamptz, OUT outcome text, OUT rows bigint)
LANGUAGE plpgsql SET search_path = @schema@, pg_temp SET lock_timeout = '2s' AS $body$
DECLARE
  is_held boolean := false;
BEGIN
  LOCK TABLE legal_hold IN SHARE MODE;
  EXECUTE format('LOCK TABLE %I IN SHARE MODE', a_name);
  IF EXISTS (SELECT FROM legal_hold WHERE released_at IS NULL) THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I AS e LEFT JOIN boot AS b ON b.id = e.boot WHERE %s)', a_name,
                   hold_condition()) INTO is_held;
  END IF;
  rows := 0;
  IF is_held THEN
    outcome := 'held';
    RETURN;
  END IF;
  EXECUTE format('WITH counted AS (SELECT e.kind, count(*) AS rows FROM %I AS e GROUP BY e.kind), '
                 'booked AS (INSERT INTO retention_log (run, kind, from_ts, to_ts, rows, partition) '
                 '  SELECT $1, kind, $2, $3, rows, $4 FROM counted) '
                 'SELECT coalesce(sum(rows), 0) FROM counted', a_name)
    INTO rows USING a_run, a_day::timestamp AT TIME ZONE 'UTC', (a_day + 1)::timestamp AT TIME ZONE 'UTC', a_name;
  EXECUTE format('DROP TABLE %I', a_name);
  DELETE FROM retention_done WHERE partition = a_name;
  outcome := 'dropped';
EXCEPTION WHEN lock_not_available THEN
  outcome := 'busy';
  rows := 0;
END
$body$;

-- Deletes the rows of such kinds from A_BLOCKS blocks of a partition, but for those under hold, and books it. Block by
-- block, so that each transaction is short and none looks at what another has seen.
CREATE FUNCTION @schema@.expire_rows(a_name text, a_day date, a_kinds text[], a_run timestamptz, a_block bigint,
                                     a_blocks bigint, OUT rows bigint, OUT held bigint)
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
BEGIN
  LOCK TABLE legal_hold IN SHARE MODE;
  EXECUTE format($query$
    WITH old AS MATERIALIZED (
      SELECT e.ctid AS place, e.kind, e.ts, %1$s AS is_held
      FROM %2$I AS e LEFT JOIN boot AS b ON b.id = e.boot
        JOIN expiry AS x ON x.kind = CASE WHEN e.kind IN (SELECT kind FROM expiry) THEN e.kind ELSE 'other' END
      WHERE e.ctid >= $1 AND e.ctid < $2 AND x.kind = ANY ($3) AND e.ts < x.before
    ), gone AS (
      DELETE FROM %2$I AS e WHERE e.ctid = ANY (ARRAY(SELECT place FROM old WHERE NOT is_held))
    ), counted AS (
      SELECT kind, count(*) FILTER (WHERE NOT is_held) AS rows, count(*) FILTER (WHERE is_held) AS held,
             coalesce($5, min(ts) FILTER (WHERE NOT is_held), min(ts)) AS from_ts,
             coalesce($6, max(ts) FILTER (WHERE NOT is_held) + interval '1 us', max(ts)) AS to_ts
      FROM old GROUP BY kind
    ), booked AS (
      INSERT INTO retention_log AS l (run, kind, from_ts, to_ts, rows, held)
      SELECT $4, kind, from_ts, to_ts, rows, held FROM counted
      ON CONFLICT (run, kind, from_ts) DO UPDATE SET rows = l.rows + excluded.rows, held = l.held + excluded.held,
        to_ts = greatest(l.to_ts, excluded.to_ts)
    )
    SELECT coalesce(sum(rows), 0), coalesce(sum(held), 0) FROM counted $query$, hold_condition(), a_name)
  INTO rows, held
  USING format('(%s,0)', a_block)::tid, format('(%s,0)', a_block + a_blocks)::tid, a_kinds, a_run,
        a_day::timestamp AT TIME ZONE 'UTC', (a_day + 1)::timestamp AT TIME ZONE 'UTC';
END
$body$;

REVOKE ALL ON FUNCTION @schema@.expire_partition(text, date, timestamptz),
  @schema@.expire_rows(text, date, text[], timestamptz, bigint, bigint) FROM PUBLIC;

-- What may be concluded from the absence of a row of the host between two times. For each kind the rows cover the
-- whole time, without gap or overlap; from_ts belongs to a row, to_ts does not.
--
--   covered  it did not happen, as far as the daemon sees
--   lossy    rows are missing there: detail says at which stage, why, and how many
--   blind    nobody watched
--   pending  the host has not delivered that time yet
--   expired  what there was may have been dropped since
--
-- Of two hosts of that name both must have watched. A host that was set up anew counts from its new beginning.
CREATE OR REPLACE FUNCTION @schema@.coverage(a_host text, a_from timestamptz, a_to timestamptz)
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
), dropped AS (
  SELECT k.kind, coalesce(range_agg(tstzrange(greatest(l.from_ts, a_from), least(l.to_ts, a_to)))
                            FILTER (WHERE l.kind IS NOT NULL), '{}') AS span
  FROM kinds AS k LEFT JOIN retention_log AS l
    ON l.kind = k.kind AND l.rows > 0 AND l.from_ts < a_to AND l.to_ts > a_from GROUP BY k.kind
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
  SELECT d.kind, w.span - d.span - coalesce(range_agg(i.span), '{}') AS span
  FROM dropped AS d CROSS JOIN watched AS w LEFT JOIN islands AS i ON i.kind = d.kind GROUP BY d.kind, d.span, w.span
), verdicts AS (
  SELECT c.kind, unnest(c.span) AS span, 'covered' AS verdict, NULL::text AS detail FROM clean AS c
  UNION ALL
  SELECT i.kind, unnest(tstzmultirange(i.span) * w.span - d.span), 'lossy', i.detail
  FROM islands AS i JOIN dropped AS d ON d.kind = i.kind CROSS JOIN watched AS w
  UNION ALL
  SELECT d.kind, unnest(p.span - d.span), 'pending', 'the host has delivered nothing later'
  FROM dropped AS d, undelivered AS p
  UNION ALL
  SELECT d.kind, unnest(d.span - u.span), 'expired', 'retention has dropped rows of that time'
  FROM dropped AS d, unwatched AS u
  UNION ALL
  SELECT k.kind, b.span, 'blind',
         CASE (SELECT l.ended FROM life AS l WHERE l.to_ts <= lower(b.span) ORDER BY l.to_ts DESC LIMIT 1)
           WHEN 'stop' THEN 'the daemon was stopped' WHEN 'crash' THEN 'the daemon had crashed'
           WHEN 'unknown' THEN 'the daemon ended without a word' ELSE 'no daemon had begun' END
  FROM kinds AS k, (SELECT unnest(u.span) AS span FROM unwatched AS u) AS b
)
SELECT lower(v.span), upper(v.span), v.kind, v.verdict, v.detail FROM verdicts AS v ORDER BY v.kind, lower(v.span)
$body$;
