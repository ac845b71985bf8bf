-- Roles: who may add rows, as which host, and who may read what.

-- Literals such as 'event'::regclass are looked up when this is read, and are numbers from then on.
SET LOCAL search_path = @schema@, pg_temp;

-- What `iptrackd schema apply --grant-...` gave, so that a later version can renew it. A role has one duty.
CREATE TABLE @schema@.role_duty (
  role       text PRIMARY KEY,
  duty       text NOT NULL CHECK (duty IN ('writer', 'reader', 'investigator')),
  -- Of a writer: 'listed', those of host_writer; 'first-come', also each that is nobody's, which is then bound to the
  -- role that came; 'any'.
  hosts      text CHECK (hosts IN ('listed', 'first-come', 'any')),
  granted_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((duty = 'writer') = (hosts IS NOT NULL))
);

-- Which role may write as which host. A name that was taken by whoever came first has one taker; the administrator may
-- name others beside it, as for a change of credentials.
CREATE TABLE @schema@.host_writer (
  host    text NOT NULL,
  role    text NOT NULL,
  claimed boolean NOT NULL DEFAULT false,
  since   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (host, role)
);
CREATE UNIQUE INDEX host_writer_claimed ON @schema@.host_writer (host) WHERE claimed;

-- Who wrote until now goes on; nobody else gets those names by coming first.
INSERT INTO @schema@.host_writer (host, role, claimed)
SELECT host, writer, row_number() OVER (PARTITION BY host ORDER BY max(last_seen) DESC) = 1
FROM @schema@.hosts GROUP BY host, writer;
INSERT INTO @schema@.host_writer (host, role, claimed)
SELECT DISTINCT b.host, current_user::text, true FROM @schema@.boot AS b
WHERE NOT EXISTS (SELECT FROM @schema@.host_writer AS w WHERE w.host = b.host);

-- The functions that follow run as the owner, on behalf of session_user: SET ROLE does not change that one.

-- Roles that own the schema, and superusers, are not held to anything here: they could change it.
CREATE FUNCTION @schema@.is_owner() RETURNS boolean
LANGUAGE sql STABLE SET search_path = @schema@, pg_temp AS $body$
  SELECT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = 'event'::regclass), 'MEMBER')
$body$;

CREATE FUNCTION @schema@.may_write_as(a_host text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = @schema@, pg_temp AS $body$
  SELECT is_owner()
    OR EXISTS (SELECT FROM host_writer AS w JOIN pg_roles AS r ON r.rolname = w.role
               WHERE w.host = a_host AND pg_has_role(session_user, r.oid, 'MEMBER'))
    OR EXISTS (SELECT FROM role_duty AS d JOIN pg_roles AS r ON r.rolname = d.role
               WHERE d.hosts = 'any' AND pg_has_role(session_user, r.oid, 'MEMBER'))
$body$;

CREATE FUNCTION @schema@.refuse_host(a_host text) RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
BEGIN
  RAISE EXCEPTION 'the role % may not write as host %; the owner may allow it: '
    'iptrackd schema apply --grant-writer ROLE --host NAME', session_user, coalesce(a_host, 'unknown')
    USING ERRCODE = 'insufficient_privilege';
END
$body$;

-- Binds a name that is nobody's to who came first; raises where it is another's. Of two that come at once the index
-- lets one in.
CREATE FUNCTION @schema@.claim_host(a_host text) RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
BEGIN
  IF NOT EXISTS (SELECT FROM host_writer WHERE host = a_host)
     AND (is_owner() OR EXISTS (SELECT FROM role_duty AS d JOIN pg_roles AS r ON r.rolname = d.role
                                WHERE d.hosts = 'first-come' AND pg_has_role(session_user, r.oid, 'MEMBER'))) THEN
    INSERT INTO host_writer (host, role, claimed) VALUES (a_host, session_user, true) ON CONFLICT DO NOTHING;
  END IF;
  IF NOT may_write_as(a_host) THEN
    PERFORM refuse_host(a_host);
  END IF;
END
$body$;

-- Raises where the spool is that of a host as which the role may not write. IT001, as advance_spool() raises it: a
-- machine that was cloned has its origin's spool, and its daemon then gives it an identity of its own.
CREATE FUNCTION @schema@.require_own_spool(a_id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
DECLARE
  other text;
BEGIN
  SELECT o.host INTO other FROM (SELECT s.host FROM spool AS s WHERE s.id = a_id
                                 UNION SELECT h.host FROM hosts AS h WHERE h.spool = a_id) AS o
  WHERE NOT may_write_as(o.host) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the spool % is that of host %, as which the role % may not write', a_id, other, session_user
      USING ERRCODE = 'IT001';
  END IF;
END
$body$;

-- As in 0003, each with its check in front.

CREATE OR REPLACE FUNCTION @schema@.register_spool(a_id uuid, a_host text, OUT "position" bigint, OUT token bigint,
                                                   OUT delivered timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  PERFORM claim_host(a_host), require_own_spool(a_id);
  INSERT INTO spool (id, host) VALUES (a_id, a_host)
  ON CONFLICT (id) DO UPDATE SET host = excluded.host WHERE spool.host <> excluded.host;
  SELECT s.position, s.token, s.delivered INTO STRICT register_spool.position, register_spool.token,
    register_spool.delivered FROM spool AS s WHERE s.id = a_id;
END
$body$;

CREATE OR REPLACE FUNCTION @schema@.advance_spool(a_id uuid, a_from_index bigint, a_from_token bigint,
                                                  a_to_index bigint, a_to_token bigint, a_delivered timestamptz)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  PERFORM require_own_spool(a_id);
  UPDATE spool SET position = a_to_index, token = a_to_token, delivered = coalesce(a_delivered, delivered),
    updated_at = clock_timestamp(), writer = session_user
  WHERE id = a_id AND position = a_from_index AND token = a_from_token;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the spool % does not stand at % any more', a_id, a_from_index USING ERRCODE = 'IT001';
  END IF;
END
$body$;

CREATE OR REPLACE FUNCTION @schema@.register_boot(a_host text, a_boot_id uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  key integer;
BEGIN
  PERFORM claim_host(a_host);
  SELECT id INTO key FROM boot WHERE host = a_host AND boot_id = a_boot_id;
  IF key IS NULL THEN
    INSERT INTO boot (host, boot_id) VALUES (a_host, a_boot_id)
    ON CONFLICT (host, boot_id) DO UPDATE SET host = excluded.host RETURNING id INTO key;
  END IF;
  RETURN key;
END
$body$;

CREATE OR REPLACE FUNCTION @schema@.register_host(a_spool uuid, a_host text, a_boot_id uuid, a_version text,
                                                  a_kernel text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  PERFORM claim_host(a_host), require_own_spool(a_spool);
  IF NOT EXISTS (SELECT FROM hosts WHERE spool = a_spool) THEN
    UPDATE hosts SET spool = a_spool WHERE host = a_host AND spool IS NULL
      AND NOT EXISTS (SELECT FROM hosts AS other WHERE other.spool = a_spool);
  END IF;
  INSERT INTO hosts (spool, host, boot_id, version, kernel) VALUES (a_spool, a_host, a_boot_id, a_version, a_kernel)
  ON CONFLICT (spool) DO UPDATE SET host = excluded.host, boot_id = excluded.boot_id, version = excluded.version,
    kernel = excluded.kernel, last_seen = excluded.last_seen, writer = excluded.writer;
END
$body$;

CREATE OR REPLACE FUNCTION @schema@.sign_of_life(a_spool uuid, a_hooks jsonb, a_lag interval, a_lost bigint,
                                                 a_clock text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
BEGIN
  PERFORM require_own_spool(a_spool);
  UPDATE hosts SET last_seen = clock_timestamp(), hooks = coalesce(a_hooks, hooks), lag = a_lag, lost = a_lost,
    clock = a_clock, writer = session_user
  WHERE spool = a_spool;
END
$body$;

-- Rows are looked at once a statement: a trigger for each row would cost COPY several times as much.
CREATE FUNCTION @schema@.check_boots() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  wrong record;
BEGIN
  IF is_owner() THEN
    RETURN NULL;
  END IF;
  SELECT b.host INTO wrong FROM (SELECT DISTINCT boot FROM added) AS a LEFT JOIN boot AS b ON b.id = a.boot
  WHERE b.id IS NULL OR NOT may_write_as(b.host) LIMIT 1;
  IF FOUND THEN
    PERFORM refuse_host(wrong.host);
  END IF;
  RETURN NULL;
END
$body$;
CREATE TRIGGER check_boots AFTER INSERT ON @schema@.event REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION @schema@.check_boots();

-- For tables that have a host and a spool.
CREATE FUNCTION @schema@.check_hosts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
DECLARE
  wrong record;
BEGIN
  IF is_owner() THEN
    RETURN NULL;
  END IF;
  SELECT a.host INTO wrong FROM (SELECT DISTINCT host FROM added) AS a WHERE NOT may_write_as(a.host) LIMIT 1;
  IF FOUND THEN
    PERFORM refuse_host(wrong.host);
  END IF;
  PERFORM require_own_spool(a.spool) FROM (SELECT DISTINCT spool FROM added) AS a;
  RETURN NULL;
END
$body$;
CREATE TRIGGER check_hosts AFTER INSERT ON @schema@.loss REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION @schema@.check_hosts();
CREATE TRIGGER check_hosts AFTER INSERT ON @schema@.host_event REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION @schema@.check_hosts();

-- Rows that no partition was made for, at most 10,000 counted: for `iptrackd check`, with a credential that cannot read.
CREATE FUNCTION @schema@.strays() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $body$
  SELECT count(*) FROM (SELECT FROM event_default LIMIT 10000) AS s
$body$;

REVOKE ALL ON FUNCTION @schema@.is_owner(), @schema@.may_write_as(text), @schema@.refuse_host(text),
  @schema@.claim_host(text), @schema@.require_own_spool(uuid), @schema@.check_boots(), @schema@.check_hosts(),
  @schema@.strays() FROM PUBLIC;

-- Another host's boot_id can be anybody's: what belongs together has the same host, too.
CREATE OR REPLACE VIEW @schema@.sessions AS
SELECT o.host, o.boot_id, o.dst_ipaddr, o.src_ipaddr, o.src_port, o.sshd_pid, o.uid, o.pam_service,
       CASE WHEN EXISTS (
         SELECT FROM @schema@.inet_log AS a
         WHERE a.log_event = 'auth' AND a.host = o.host AND a.boot_id = o.boot_id AND a.seq < o.seq
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
