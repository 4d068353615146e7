-- What the server, its database and this session are. version as in server_version_num: 150020 is 15.20.
SELECT current_setting('server_version_num')::integer AS version, current_user AS role, pg_is_in_recovery() AS is_standby,
       current_setting('transaction_read_only')::boolean AS is_read_only,
       current_setting('server_encoding') AS encoding, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms,
       has_schema_privilege(current_schema(), 'CREATE') AS may_create
