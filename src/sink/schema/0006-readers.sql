-- Readers, who see activity with some columns hidden or pseudonymised, investigators, who see all of it; and the
-- functions that give a role its duty.

SET LOCAL search_path = @schema@, pg_temp;

-- What readers do not see as it is; the owner may change it. A row that is missing hides.
CREATE TABLE @schema@.reader_column (
  name      text PRIMARY KEY CHECK (name IN ('args', 'cwd', 'login_addr')),
  treatment text NOT NULL CHECK (treatment IN ('clear', 'hidden', 'pseudonym'))
);
INSERT INTO @schema@.reader_column VALUES ('args', 'hidden'), ('cwd', 'hidden'), ('login_addr', 'pseudonym');

-- The key of the pseudonyms as HMAC uses it, XORed with its two pads. Who may read this table sees all of activity.
CREATE TABLE @schema@.pseudonym_key (
  id        integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  inner_key bytea NOT NULL,
  outer_key bytea NOT NULL
);
-- It keeps nothing from anybody, but with it PostgreSQL plans each query that uses this table anew when the role changes:
-- see sees_all().
ALTER TABLE @schema@.pseudonym_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON @schema@.pseudonym_key USING (true);

-- A new key: pseudonyms from before and after it cannot be linked. gen_random_uuid() has 122 random bits each.
CREATE FUNCTION @schema@.renew_pseudonym_key() RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
DECLARE
  -- A block of SHA-256, of which the key fills the first half.
  key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
               || decode(repeat('00', 32), 'hex');
  inner_pad bytea := key;
  outer_pad bytea := key;
BEGIN
  FOR i IN 0..63 LOOP
    inner_pad := set_byte(inner_pad, i, get_byte(key, i) # 54);
    outer_pad := set_byte(outer_pad, i, get_byte(key, i) # 92);
  END LOOP;
  INSERT INTO pseudonym_key (inner_key, outer_key) VALUES (inner_pad, outer_pad)
  ON CONFLICT (id) DO UPDATE SET inner_key = excluded.inner_key, outer_key = excluded.outer_key;
END
$body$;
SELECT @schema@.renew_pseudonym_key();

-- HMAC-SHA256 in hexadecimal.
CREATE FUNCTION @schema@.keyed_hash(inner_key bytea, outer_key bytea, message text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN encode(sha256(outer_key || sha256(inner_key || convert_to(message, 'UTF8'))), 'hex');

-- 64 bits of a hash as an address of 100::/64, which is routed nowhere (RFC 6666): it stays an address, equal for equal
-- ones, and nobody takes it for a real one.
CREATE FUNCTION @schema@.address_of_hash(hash text) RETURNS inet
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('100::' || left(hash, 4) || ':' || substr(hash, 5, 4) || ':' || substr(hash, 9, 4) || ':'
        || substr(hash, 13, 4))::inet;

-- Under which pseudonym readers see an address; for who may read the key.
CREATE FUNCTION @schema@.pseudonym(address inet) RETURNS inet
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
  SELECT @schema@.address_of_hash(@schema@.keyed_hash(k.inner_key, k.outer_key, host(address)))
  FROM @schema@.pseudonym_key AS k;
END;

-- In a view this asks about who uses the view. Declared immutable, it is asked when a query is planned, so that the planner
-- forgets the half of activity that does not apply; no plan is used for another role, and a GRANT on the table makes plans
-- obsolete, since both halves count for that.
CREATE FUNCTION @schema@.sees_all() RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN has_table_privilege('pseudonym_key'::regclass, 'SELECT');

-- The rows as they are, for who sees all; else the same rows, treated. Two queries and not one with conditions, so that
-- every index serves the first. Outer joins: they hide no event, and the planner leaves out what is not asked for.
CREATE OR REPLACE VIEW @schema@.activity AS
SELECT e.ts, b.host, b.boot_id, e.seq, e.kind, e.result, e.pid, e.tid, e.ppid, e.sid, e.tty, e.uid, e.gid, e.euid,
       e.egid, e.loginuid, e.audit_session, e.comm, e.exe, e.args, e.args_truncated, e.cwd, e.proto, e.local_addr,
       e.local_port, e.remote_addr, e.remote_port, e.duration, e.bytes_sent, e.bytes_received, e.cgroup, e.login_id,
       e.login_user, e.login_addr, e.login_port, e.pam_service, e.pam_user, e.pam_rhost, e.container, e.job,
       e.exe_dev, e.exe_inode, e.mnt_ns, e.opener_pid, coalesce(e.marks, '{}'::text[]) AS marks, e.writer,
       e.received_at
FROM @schema@.event AS e LEFT JOIN @schema@.boot AS b ON b.id = e.boot
WHERE @schema@.sees_all()
UNION ALL
SELECT e.ts, b.host, b.boot_id, e.seq, e.kind, e.result, e.pid, e.tid, e.ppid, e.sid, e.tty, e.uid, e.gid, e.euid,
       e.egid, e.loginuid, e.audit_session, e.comm, e.exe,
       CASE args.treatment WHEN 'clear' THEN e.args
         WHEN 'pseudonym' THEN ARRAY[@schema@.keyed_hash(k.inner_key, k.outer_key, e.args::text)] END,
       e.args_truncated,
       CASE cwd.treatment WHEN 'clear' THEN e.cwd
         WHEN 'pseudonym' THEN @schema@.keyed_hash(k.inner_key, k.outer_key, e.cwd) END,
       e.proto, e.local_addr, e.local_port,
       -- Where a login came from stands in the rows of sshd's connection, too.
       CASE WHEN addr.treatment = 'clear' OR NOT (e.kind IN ('auth', 'open_session', 'close_session')
                                                  OR e.kind IN ('accept', 'close') AND e.comm LIKE 'sshd%')
         THEN e.remote_addr
         WHEN addr.treatment = 'pseudonym'
         THEN @schema@.address_of_hash(@schema@.keyed_hash(k.inner_key, k.outer_key, host(e.remote_addr))) END,
       e.remote_port, e.duration, e.bytes_sent, e.bytes_received, e.cgroup, e.login_id, e.login_user,
       CASE addr.treatment WHEN 'clear' THEN e.login_addr
         WHEN 'pseudonym'
         THEN @schema@.address_of_hash(@schema@.keyed_hash(k.inner_key, k.outer_key, host(e.login_addr))) END,
       e.login_port, e.pam_service, e.pam_user,
       CASE addr.treatment WHEN 'clear' THEN e.pam_rhost
         WHEN 'pseudonym' THEN @schema@.keyed_hash(k.inner_key, k.outer_key, e.pam_rhost) END,
       e.container, e.job, e.exe_dev, e.exe_inode, e.mnt_ns, e.opener_pid, coalesce(e.marks, '{}'::text[]), e.writer,
       e.received_at
FROM @schema@.event AS e LEFT JOIN @schema@.boot AS b ON b.id = e.boot
  LEFT JOIN @schema@.reader_column AS args ON args.name = 'args'
  LEFT JOIN @schema@.reader_column AS cwd ON cwd.name = 'cwd'
  LEFT JOIN @schema@.reader_column AS addr ON addr.name = 'login_addr'
  LEFT JOIN @schema@.pseudonym_key AS k ON k.id = 1
WHERE NOT @schema@.sees_all();

-- Takes everything in this schema from a role.
CREATE FUNCTION @schema@.revoke_role(a_role text) RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
DECLARE
  here text := current_schema();
BEGIN
  EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %1$I FROM %2$I; REVOKE ALL ON ALL SEQUENCES IN SCHEMA %1$I FROM '
                 '%2$I; REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %1$I FROM %2$I; REVOKE ALL ON SCHEMA %1$I FROM %2$I',
                 here, a_role);
  DELETE FROM role_duty WHERE role = a_role;
END
$body$;

-- The privileges of a duty, and no others that the role may have had here.
CREATE FUNCTION @schema@.give_duty(a_role text, a_duty text, a_hosts text) RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
DECLARE
  here text := current_schema();
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = a_role) THEN
    RAISE EXCEPTION 'there is no role %; make it first: CREATE ROLE ... LOGIN', a_role
      USING ERRCODE = 'undefined_object';
  END IF;
  IF pg_has_role(a_role::name, current_user, 'MEMBER') THEN
    RAISE EXCEPTION 'the role % owns the schema or is a superuser: nothing that is granted here would limit it', a_role
      USING ERRCODE = 'invalid_grant_operation';
  END IF;
  PERFORM revoke_role(a_role);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I; GRANT SELECT ON schema_version TO %2$I', here, a_role);
  IF a_duty = 'writer' THEN
    -- Those that the sink fills: what the server sets, writer and received_at, is not among them.
    EXECUTE format(
      'GRANT INSERT (ts, seq, boot, kind, result, pid, tid, ppid, sid, tty, uid, gid, euid, egid, loginuid, '
      'audit_session, comm, exe, args, args_truncated, cwd, exe_dev, exe_inode, mnt_ns, cgroup, container, job, proto, '
      'local_addr, local_port, remote_addr, remote_port, duration, bytes_sent, bytes_received, opener_pid, pam_service, '
      'pam_user, pam_ruser, pam_rhost, marks) ON event TO %1$I; '
      'GRANT INSERT (from_ts, to_ts, host, stage, kind, cause, uid, count, spool) ON loss TO %1$I; '
      'GRANT INSERT (ts, host, boot_id, kind, detail, spool) ON host_event TO %1$I; '
      'GRANT EXECUTE ON FUNCTION ensure_partitions(), strays(), register_spool(uuid, text), '
      'register_boot(text, uuid), register_host(uuid, text, uuid, text, text), '
      'advance_spool(uuid, bigint, bigint, bigint, bigint, timestamptz), '
      'sign_of_life(uuid, jsonb, interval, bigint, text) TO %1$I', a_role);
  ELSE
    EXECUTE format(
      'GRANT SELECT ON activity, hosts, loss, host_event, spool, daemon_life, retention, retention_log, reader_column, '
      'inet_log, ips, agg_ips, nets_24, nets_16, nets_8, agg_nets_24, agg_nets_16, agg_nets_8, sessions, '
      'open_sessions, completed_sessions TO %I', a_role);
  END IF;
  IF a_duty = 'investigator' THEN
    -- Holds are placed by who needs the rows; only the owner releases them.
    EXECUTE format(
      'GRANT SELECT ON pseudonym_key, role_duty, host_writer, legal_hold TO %1$I; '
      'GRANT INSERT (host, uid, login_user, from_ts, to_ts, reason) ON legal_hold TO %1$I', a_role);
  END IF;
  INSERT INTO role_duty (role, duty, hosts) VALUES (a_role, a_duty, a_hosts);
END
$body$;

-- A role that may add rows and nothing else. NULL: as each host that is nobody else's; '*' among them: as any; else as
-- these.
CREATE FUNCTION @schema@.grant_writer(a_role text, a_hosts text[]) RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
BEGIN
  PERFORM give_duty(a_role, 'writer', CASE WHEN a_hosts IS NULL THEN 'first-come'
                                           WHEN '*' = ANY (a_hosts) THEN 'any' ELSE 'listed' END);
  IF NOT '*' = ANY (a_hosts) THEN
    DELETE FROM host_writer WHERE role = a_role;
    INSERT INTO host_writer (host, role) SELECT DISTINCT unnest(a_hosts), a_role;
  END IF;
END
$body$;

CREATE FUNCTION @schema@.grant_reader(a_role text) RETURNS void
LANGUAGE sql SET search_path = @schema@, pg_temp AS $body$ SELECT give_duty(a_role, 'reader', NULL) $body$;

CREATE FUNCTION @schema@.grant_investigator(a_role text) RETURNS void
LANGUAGE sql SET search_path = @schema@, pg_temp AS $body$ SELECT give_duty(a_role, 'investigator', NULL) $body$;

-- Gives each role its duty again, as this version of the schema has it. Roles that are no more are forgotten.
CREATE FUNCTION @schema@.renew_duties() RETURNS void
LANGUAGE plpgsql SET search_path = @schema@, pg_temp AS $body$
DECLARE
  known record;
BEGIN
  DELETE FROM role_duty AS d WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = d.role);
  FOR known IN SELECT role, duty, hosts FROM role_duty LOOP
    PERFORM give_duty(known.role, known.duty, known.hosts);
  END LOOP;
END
$body$;

REVOKE ALL ON FUNCTION @schema@.renew_pseudonym_key(), @schema@.revoke_role(text), @schema@.give_duty(text, text, text),
  @schema@.grant_writer(text, text[]), @schema@.grant_reader(text), @schema@.grant_investigator(text),
  @schema@.renew_duties() FROM PUBLIC;
