-- What the server and this session are. version as in server_version_num: 150020 is 15.20.
SELECT current_setting('server_version_num')::integer AS version, current_user AS role, pg_is_in_recovery() AS is_standby,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms,
       has_schema_privilege(current_schema(), 'CREATE') AS may_create
