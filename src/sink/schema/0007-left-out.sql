-- What the configuration leaves out is not covered: a daemon that was told to watch less says so at its beginning, in a
-- host event of kind 'left-out', and coverage() calls that time blind.

-- What may be concluded from the absence of a row of the host between two times. For each kind the rows cover the
-- whole time, without gap or overlap; from_ts belongs to a row, to_ts does not.
--
--   covered  it did not happen, as far as the daemon sees
--   lossy    rows are missing there: detail says at which stage, why, and how many
--   blind    nobody watched: there was no daemon, or its configuration left the kind out, or a part of it
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
), first_life AS (
  SELECT e.spool, max(e.ts) AS ts FROM host_event AS e
  WHERE e.host = a_host AND e.kind IN ('start', 'takeover') AND e.ts <= a_from GROUP BY e.spool
), life_event AS (
  -- Of the lives that reach into the time that was asked for.
  SELECT e.spool, e.ts, e.kind, e.detail
  FROM host_event AS e LEFT JOIN first_life AS f ON f.spool IS NOT DISTINCT FROM e.spool
  WHERE e.host = a_host AND e.kind IN ('start', 'takeover', 'stop', 'crash', 'left-out')
    AND e.ts >= coalesce(f.ts, '-infinity') AND e.ts < a_to
), left_out AS (
  -- What a daemon leaves out, it does until the next begins, and since the one before has ended: hooks that went on
  -- without a daemon may have done so too. Its detail lists probes, of each of which the last word is the kind.
  SELECT regexp_replace(p.probe, '^.*-', '') AS kind, p.probe,
         tstzrange(coalesce((SELECT CASE WHEN b.kind IN ('stop', 'crash') THEN b.ts END FROM life_event AS b
                             WHERE b.spool IS NOT DISTINCT FROM e.spool AND b.kind <> 'left-out' AND b.ts < e.ts
                             ORDER BY b.ts DESC LIMIT 1), e.ts),
                   (SELECT min(n.ts) FROM life_event AS n WHERE n.spool IS NOT DISTINCT FROM e.spool
                      AND n.kind IN ('start', 'takeover') AND n.ts > e.ts)) AS span
  FROM life_event AS e CROSS JOIN LATERAL unnest(string_to_array(e.detail, ', ')) AS p(probe)
  WHERE e.kind = 'left-out'
), off AS (
  SELECT k.kind, coalesce(range_agg(l.span) FILTER (WHERE l.kind IS NOT NULL), '{}') * w.span AS span
  FROM kinds AS k CROSS JOIN watched AS w LEFT JOIN left_out AS l ON l.kind = k.kind GROUP BY k.kind, w.span
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
  SELECT d.kind, w.span - o.span - d.span - coalesce(range_agg(i.span), '{}') AS span
  FROM dropped AS d JOIN off AS o ON o.kind = d.kind CROSS JOIN watched AS w LEFT JOIN islands AS i ON i.kind = d.kind
  GROUP BY d.kind, d.span, o.span, w.span
), verdicts AS (
  SELECT c.kind, unnest(c.span) AS span, 'covered' AS verdict, NULL::text AS detail FROM clean AS c
  UNION ALL
  SELECT i.kind, unnest(tstzmultirange(i.span) * w.span - o.span - d.span), 'lossy', i.detail
  FROM islands AS i JOIN dropped AS d ON d.kind = i.kind JOIN off AS o ON o.kind = i.kind CROSS JOIN watched AS w
  UNION ALL
  SELECT d.kind, unnest(p.span - d.span), 'pending', 'the host has delivered nothing later'
  FROM dropped AS d, undelivered AS p
  UNION ALL
  SELECT d.kind, unnest(d.span - u.span - o.span), 'expired', 'retention has dropped rows of that time'
  FROM dropped AS d JOIN off AS o ON o.kind = d.kind CROSS JOIN unwatched AS u
  UNION ALL
  SELECT b.kind, b.span, 'blind',
         'the configuration left out ' || (SELECT string_agg(DISTINCT l.probe, ', ') FROM left_out AS l
                                           WHERE l.kind = b.kind AND l.span && b.span)
  FROM (SELECT o.kind, unnest(o.span) AS span FROM off AS o) AS b
  UNION ALL
  SELECT k.kind, b.span, 'blind',
         CASE (SELECT l.ended FROM life AS l WHERE l.to_ts <= lower(b.span) ORDER BY l.to_ts DESC LIMIT 1)
           WHEN 'stop' THEN 'the daemon was stopped' WHEN 'crash' THEN 'the daemon had crashed'
           WHEN 'unknown' THEN 'the daemon ended without a word' ELSE 'no daemon had begun' END
  FROM kinds AS k, (SELECT unnest(u.span) AS span FROM unwatched AS u) AS b
)
SELECT lower(v.span), upper(v.span), v.kind, v.verdict, v.detail FROM verdicts AS v ORDER BY v.kind, lower(v.span)
$body$;
